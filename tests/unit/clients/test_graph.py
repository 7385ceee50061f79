"""Every code of facts/meta.md sections 3.5 and 7.3, and what the caller must do about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.clients.answers import Reply
from dm_core.clients.graph import bare_root, classify, graph_root
from dm_core.errors import AccountStopped, PlatformError, Refused, RetryLater, Uncertain


def failed(code: object, subcode: object = None, status: int = 400, **more: object) -> Reply:
    error: dict[str, object] = {"message": "m", "type": "OAuthException", "code": code, "fbtrace_id": "AbC_1", **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return Reply(status, {}, {"error": error})


def sent(reply: Reply) -> PlatformError | None:
    return classify(reply, platform="Instagram", idempotent=False)


def read(reply: Reply) -> PlatformError | None:
    return classify(reply, platform="Instagram", idempotent=True)


INSTAGRAM = [
    (10, 2534022, Refused),
    (10, 2018278, Refused),
    (10, 1893063, AccountStopped),
    (10, None, AccountStopped),
    (10, 77, AccountStopped),
    (100, 2534014, Refused),
    (100, 2534029, AccountStopped),
    (100, 2534080, Refused),
    (100, 2018047, Refused),
    (100, 33, Refused),
    (100, None, Refused),
    (190, None, AccountStopped),
    (190, 458, AccountStopped),
    (190, 460, AccountStopped),
    (190, 463, AccountStopped),
    (190, 2069032, AccountStopped),
    (200, 2534041, AccountStopped),
    (200, None, AccountStopped),
    (200, 1545041, Refused),
    (299, None, AccountStopped),
    (551, None, Refused),
    (551, 1545041, Refused),
    (10, 2018300, Refused),
    (2018321, None, Refused),
    (2534001, None, Refused),
    (100, 2534001, Refused),
    (3, None, AccountStopped),
    (0, None, AccountStopped),
    (4, None, RetryLater),
    (17, None, RetryLater),
    (32, None, RetryLater),
    (613, None, RetryLater),
    (613, 2534040, RetryLater),
    (80001, None, RetryLater),
    (80002, None, RetryLater),
    (80006, None, RetryLater),
    (100, 2446079, RetryLater),
    (368, None, AccountStopped),
    (1, 1357046, Uncertain),
    (1, None, Uncertain),
    (2, None, Uncertain),
    (2, 1545133, Uncertain),
    (230, None, Refused),
    (9010, None, Refused),
]

WHATSAPP = [
    (130429, RetryLater),
    (131056, RetryLater),
    (80007, RetryLater),
    (4, RetryLater),
    (613, RetryLater),
    (131048, Refused),
    (131049, Refused),
    (131047, Refused),
    (131026, Refused),
    (131030, AccountStopped),
    (131050, Refused),
    (131051, Refused),
    (131052, Refused),
    (131053, Refused),
    (131000, Uncertain),
    (131016, Uncertain),
    (131008, Refused),
    (131009, Refused),
    (131031, AccountStopped),
    (368, AccountStopped),
    (131042, AccountStopped),
    (131062, Refused),
    (131064, AccountStopped),
    (132000, Refused),
    (132001, Refused),
    (132005, Refused),
    (132007, Refused),
    (132008, Refused),
    (132012, Refused),
    (132015, Refused),
    (132016, Refused),
    (133010, AccountStopped),
    (190, AccountStopped),
    (10, AccountStopped),
    (250, AccountStopped),
    (3, AccountStopped),
    (0, AccountStopped),
]

TABLE = [*INSTAGRAM, *((code, None, kind) for code, kind in WHATSAPP)]


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(("code", "subcode", "kind"), TABLE)
def test_the_code_decides_whatever_the_status_says(
    code: int, subcode: int | None, kind: type[PlatformError], status: int
) -> None:
    error = sent(failed(code, subcode, status))

    assert error is not None
    assert type(error) is kind
    assert (error.code, error.subcode) == (code, subcode or 0)


@pytest.mark.parametrize(("code", "subcode", "kind"), TABLE)
def test_a_read_has_no_unknown_outcome(code: int, subcode: int | None, kind: type[PlatformError]) -> None:
    assert type(read(failed(code, subcode))) is (RetryLater if kind is Uncertain else kind)


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80002, 80006])
def test_a_throttle_waits_five_minutes_unless_told_otherwise(code: int) -> None:
    error = sent(failed(code))

    assert isinstance(error, RetryLater)
    assert error.wait_seconds == 300


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(200, {}, {"recipient_id": "1"}), None),
        (Reply(200), Uncertain),
        (Reply(200, {}, ["odd"]), Uncertain),
        (Reply(204), Uncertain),
        (Reply(200, {}, {"error": "odd"}), Uncertain),
        (failed(77_777, status=200), Uncertain),
        (failed(77_777, status=400), Refused),
        (failed(77_777, status=400, is_transient=True), Uncertain),
        (failed(77_777, status=500), Uncertain),
        (Reply(500), Uncertain),
        (Reply(503, {}, {"error": None}), Uncertain),
        (Reply(408), Uncertain),
        (Reply(429), RetryLater),
        (Reply(301), Refused),
        (Reply(403), Refused),
        (Reply(404, {}, {"error": {}}), Refused),
        (Reply(401), AccountStopped),
    ],
)
def test_without_a_known_code_the_status_decides(reply: Reply, kind: type[PlatformError] | None) -> None:
    error = sent(reply)

    assert (None if error is None else type(error)) is kind


@pytest.mark.parametrize("code", ["190", 190])
def test_numbers_may_come_as_text(code: object) -> None:
    assert isinstance(sent(failed(code)), AccountStopped)


@pytest.mark.parametrize("code", [True, 1.5, "x", "²", [], {}, None, -190, 10**400, "9" * 5000])
def test_an_odd_code_counts_as_none(code: object) -> None:
    error = sent(failed(code))

    assert type(error) is Refused
    assert error.code == 0


def test_the_text_names_code_subcode_and_trace_in_our_own_words() -> None:
    error = sent(failed(10, 2534022, message="IGAAtoken said hello"))

    assert str(error) == "Instagram: outside the 24 h window (code 10/2534022) [trace AbC_1]"


def test_an_expired_token_is_told_from_a_revoked_one() -> None:
    assert "expired" in str(sent(failed(190, 463)))
    assert "password" in str(sent(failed(190, 460)))


def test_the_platforms_words_for_an_unknown_code_are_stripped_of_private_data() -> None:
    token, person = "IGAA" + "x1Y2" * 20, "17841472020051826"
    message = f'Bad {token} for {person} ann@example.org at https://x.test/?t=1 text "see you\n at 6" ok\x00'
    message += " w" * 500

    text = str(sent(failed(77_777, message=message, fbtrace_id="a b\n<" + "z" * 100)))

    assert "Bad" in text
    assert " ok " in text
    for private in (token, person, "ann@", "x.test", "see you", "\n", "\x00"):
        assert private not in text
    assert len(text) < 320


def test_the_version_is_added_once_and_can_be_left_out() -> None:
    assert graph_root("https://graph.test", "v26.0") == "https://graph.test/v26.0"
    assert graph_root("https://graph.test/v25.0", "v26.0") == "https://graph.test/v25.0"
    assert bare_root("https://graph.test/v25.0") == "https://graph.test"
    assert bare_root("https://graph.test") == "https://graph.test"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ERRORS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("code", "error_subcode", "message", "fbtrace_id", "is_transient", "type"), JSON),
)


@given(
    status=st.integers(200, 599),
    body=JSON | st.fixed_dictionaries({"error": ERRORS | JSON}),
    idempotent=st.booleans(),
)
def test_no_answer_makes_the_classification_fail(status: int, body: object, idempotent: bool) -> None:
    error = classify(Reply(status, {}, body), platform="Instagram", idempotent=idempotent)

    assert error is None or str(error).startswith("Instagram: ")
    assert not (idempotent and isinstance(error, Uncertain))
    assert error is not None or (status < 300 and isinstance(body, dict))
