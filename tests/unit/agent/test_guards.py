"""What may leave, and what may not."""

import base64

import pytest

from dm_core.agent.guards import Guards
from dm_core.agent.links import AllowList, found_links
from tests.unit.agent.agent_stage import MANAGER, SECRETS

GUARDS = Guards(
    SECRETS,
    MANAGER,
    canary="mk-0123456789abcdef0123",
    instructions="Answer in the language of the message. Tell the person that you have passed it on, and that somebody "
    "from the club will answer here. Never promise what only a human can decide.",
    allowed=AllowList(("https://hollybankcc.example", "https://spond.com/client"), ("secretary@hollybankcc.example",)),
)
SECRET = SECRETS[0]


QUOTED = "the person that you have passed it on and that somebody from the club will answer here"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"I was told: tell {QUOTED}.", "canary"),
        (f"TELL  {QUOTED.upper()}!", "canary"),
        ("I have passed it on, and somebody from the club will answer here.", None),
        ("You have passed it on, and that somebody from the club will answer here: is that right?", None),
    ],
)
def test_a_stretch_of_the_instructions_is_not_told(text: str, named: str | None) -> None:
    assert guard(text) == named
    assert guard(text, to_person=False) is None  # the manager has to be told, in whatever words


def guard(text: str, *, to_person: bool = True) -> str | None:
    refusal = GUARDS.refusal(text, to_person=to_person)
    return refusal.guard if refusal else None


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"it is {SECRET.upper()}!",
        " ".join(SECRET),
        "\u200b".join(SECRET),
        "-".join(SECRET),
        "I\u0301".replace("I\u0301", "") + "".join(chr(ord(c) + 0xFEE0) for c in SECRET),  # full-width letters
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"my key: " + SECRET.encode() + b" ok").decode(),
        base64.urlsafe_b64encode(b"k=" + SECRET.encode()).decode(),
        SECRET.encode().hex(),
        SECRET[::-1],
        "the code is cricketclub",
    ],
)
def test_a_secret_does_not_leave_in_any_dress(text: str) -> None:
    assert guard(text) == "secret"
    assert guard(text, to_person=False) == "secret"


def test_a_wordy_secret_does_not_stop_ordinary_sentences() -> None:
    assert guard("Welcome to the cricket club") is None


@pytest.mark.parametrize(
    "text",
    [
        "+447700900123",
        "07700 900123",
        "0044 (0)7700-900-123",
        "٧٧٠٠٩٠٠١٢٣",
        "7 7 0 0 9 0 0 1 2 3",
        "７７００９００１２３",
    ],
)
def test_the_managers_number_does_not_reach_the_person(text: str) -> None:
    assert guard(f"ring {text} now") == "manager_number"
    assert guard(f"ring {text} now", to_person=False) is None


def test_the_prompt_is_not_quoted() -> None:
    assert guard("My marker is MK 0123456789ABCDEF0123") == "canary"
    assert guard("mk-0123456789abcdef0123", to_person=False) == "canary"


@pytest.mark.parametrize(
    "text",
    [
        "http://evil.com",
        "see https://evil.com/a?b=c.",
        "HTTPS://EVIL.COM",
        "evil.com/x",
        "go to evil.co.uk now",
        "EVIL.COM",
        "www.evil.anything",
        "[club](https://evil.com)",
        "[club](evil)",
        "xn--80ak6aa92e.com",
        "xn--e1afmkfd.xn--p1ai",
        "еvil.рф",
        "evil。com",
        "ｅｖｉｌ．ｃｏｍ",
        "ev\u200bil.com",
        "evil[.]com",
        "evil (dot) com",
        "wa.me/4477",
        "bit.ly/abc",
        "http://192.168.0.1/x",
        "10.1.2.3",
        "mail me at boss@evil.com",
        "mailto:boss@evil.com",
        "javascript:alert(1)",
        "ftp://hollybankcc.example/x",
        "https://hollybankcc.example@evil.com/",
        "https://hollybankcc.example.evil.com",
        "https://evil-hollybankcc.example",
        "https://hollybankcc.example:8443/",
        "https://spond.com/clients",
        "https://spond.com/client/../steal",
        "https://spond.com/client/%2e%2e/steal",
        "https://evil.com\\@hollybankcc.example",
        "tap//evil.com",
        "pads.it/now",
    ],
)
def test_a_link_off_the_list_does_not_reach_the_person(text: str) -> None:
    assert guard(text) == "link"
    assert guard(text, to_person=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "Nets e.g. Tuesday, 5.30pm i.e. after school",
        "On Tue.Please bring trainers",
        "It is on Tue.It starts at 18.00",
        "at 6.pm or 7.am",
        "U11.No need to book. Mr.Smith knows",
        "It costs 5.50, or 1.234,00... ok?",
        "and/or, he/she, 24/11, 24.11.2026",
        "Score 3.5, v2.0, wait...what",
        "Join: https://hollybankcc.example/join.",
        "hollybankcc.example or www.hollybankcc.example/join?a=1#b",
        "(https://hollybankcc.example)",
        "**https://hollybankcc.example/join**",
        "[join](https://hollybankcc.example/join)",
        "https://spond.com/client/sponds/ABC/",
        "https://spond.com/client",
        "Write to secretary@hollybankcc.example.",
        "Secretary@HollybankCC.example",
        "Ring 01234 567890",
    ],
)
def test_what_is_no_link_or_an_allowed_one_may_go(text: str) -> None:
    assert guard(text) is None


def test_a_link_is_named_without_the_full_stop_after_it() -> None:
    assert found_links("See evil.com/x, (www.a.org).") == ("evil.com/x", "www.a.org")


def test_guards_do_not_show_their_secrets() -> None:
    assert SECRET not in repr(GUARDS)
    assert "7700" not in repr(GUARDS)


def test_no_text_is_slow_to_check() -> None:
    for text in ("a." * 5_000, "a-" * 5_000, "[](" * 5_000, "a@" * 5_000, "1" * 10_000, "http:" * 2_000):
        guard(text)


PUBLIC = AllowList(("https://club.example/join",), ("info@club.example",), ("07700 900123",), ("@club",))


@pytest.mark.parametrize(
    "secret", ["info@club.example", "INFO@club.example", "https://club.example/join", "club.example"]
)
def test_a_public_address_is_no_secret_though_a_setting_equals_it(secret: str) -> None:
    guards = Guards((secret, SECRET), allowed=PUBLIC)

    assert guards.refusal("Write to info@club.example, or see https://club.example/join", to_person=True) is None
    assert guards.refusal(f"it is {SECRET}", to_person=True) is not None
    assert guards.public == (secret,)


def test_a_number_given_out_is_not_the_managers_secret() -> None:
    assert Guards((), MANAGER, allowed=PUBLIC).refusal("Ring 07700 900123", to_person=True) is None
    assert Guards((), MANAGER).refusal("Ring 07700 900123", to_person=True) is not None


def test_a_secret_beside_public_addresses_stays_one() -> None:
    assert GUARDS.public == ()
