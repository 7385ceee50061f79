"""Whose every published or reported code is, and what an answer without one is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.clients.graph_errors import bare_root, classify, graph_root
from dm_core.clients.http_response import Response
from dm_core.clients.owners import GRAPH_ROWS, MODEL_ROWS, VAULT_ROWS, Operation
from dm_core.errors import (
    AccountStopped,
    Owner,
    PlatformError,
    Refused,
    RetryLater,
    Service,
    Uncertain,
    Unreachable,
)

READS = [Operation.PROFILE, Operation.READ, Operation.REFRESH]


def failed(code: object, subcode: object = None, status: int = 400, **more: object) -> Response:
    error: dict[str, object] = {"message": "m", "type": "OAuthException", "code": code, "fbtrace_id": "AbC_1", **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return Response(status, {}, {"error": error})


def sent(reply: Response) -> PlatformError | None:
    return classify(reply, Service.INSTAGRAM, Operation.SEND)


def notified(reply: Response) -> PlatformError | None:
    return classify(reply, Service.WHATSAPP, Operation.SEND)


def read(reply: Response) -> PlatformError | None:
    return classify(reply, Service.INSTAGRAM, Operation.READ)


WINDOW = [(10, 2534022), (10, 2018278), (10, 2018065), (10, 2018108), (2018108, None), (2534022, None)]

PERSON = [
    (551, None),
    (551, 1545041),
    (200, 1545041),
    (100, 1545041),
    (100, 2018001),
    (100, 2534014),
    (100, 2534037),
    (100, 33),
    (100, 2534001),
    (2534001, None),
    (2534001, 2534001),
    (9010, None),
    (2018300, None),
    (10, 2018300),
    (2018321, None),
    (2018001, None),
    (1545041, None),
]

ACCOUNT = [
    (0, None),
    (3, None),
    (10, None),
    (10, 77),
    (10, 1893063),
    (100, 2534029),
    (25, 2207050),
    (101, None),
    (102, None),
    (104, None),
    (2500, None),
    (190, None),
    (190, 458),
    (190, 460),
    (190, 463),
    (190, 2069032),
    (190, 2534022),
    (200, None),
    (200, 2534041),
    (200, 2018028),
    (230, None),
    (299, None),
    (368, None),
]

THROTTLE = [
    (4, None),
    (4, 2018354),
    (9, 2018352),
    (17, None),
    (32, None),
    (613, None),
    (613, 2534040),
    (341, None),
    *((code, None) for code in range(80_000, 80_015)),
    (2446079, None),
    (100, 2446079),
    (99_999, 2446079),
]

REQUEST = [(100, None), (100, 77), (100, 2534080), (100, 2018047)]

UNKNOWN = [
    (1, None),
    (1, 99),
    (1, 1357046),
    (2, None),
    (2, 1545133),
    (2, 1545041),
    (9, None),
    (1200, 2018024),
    (-1, 2018012),
    (-1, 2207001),
    (-2, 2207003),
    (20, 1772107),
    (4, 2207051),
    (20, 2534022),
    (506, None),
    (77_777, None),
    (77_777, 1545041),
    (25, None),
    (80_015, None),
    (2534999, None),
    (1357046, None),
    ("-1", "2018012"),
    ("1200", None),
]

INSTAGRAM = [
    *((code, subcode, Unreachable) for code, subcode in (*WINDOW, *PERSON)),
    *((code, subcode, AccountStopped) for code, subcode in ACCOUNT),
    *((code, subcode, RetryLater) for code, subcode in THROTTLE),
    *((code, subcode, Refused) for code, subcode in REQUEST),
    *((code, subcode, Uncertain) for code, subcode in UNKNOWN),
]

WHATSAPP = [
    *((code, RetryLater) for code in (4, 613, 80007, 80008, 130429, 131056)),
    *((code, AccountStopped) for code in (0, 3, 10, 190, 200, 250, 368, 33, 130497, 131005, 131021, 131030, 131031)),
    *((code, AccountStopped) for code in (131037, 131042, 131045, 131048, 131063, 131064, 133010)),
    *((code, Unreachable) for code in (130472, 131026, 131049, 131050)),
    *((code, Refused) for code in (100, 131008, 131009, 131047, 131051, 131052, 131053, 131062, 135000)),
    *((code, Refused) for code in (132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016)),
    *((code, Uncertain) for code in (1, 2, 131000, 131016, 131057, 133004, 139999, -1, 551)),
]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize(("code", "subcode", "kind"), INSTAGRAM)
def test_the_code_decides_whatever_the_status_says(
    code: int | str, subcode: int | str | None, kind: type[PlatformError], status: int
) -> None:
    error = sent(failed(code, subcode, status))

    assert error is not None
    assert type(error) is kind
    assert (error.service, error.code, error.subcode) == (Service.INSTAGRAM, int(code), int(subcode or 0))


@pytest.mark.parametrize(("code", "kind"), WHATSAPP)
def test_whatsapps_codes_have_owners_of_their_own(code: int, kind: type[PlatformError]) -> None:
    error = notified(failed(code))

    assert error is not None
    assert type(error) is kind
    assert (error.service, error.code) == (Service.WHATSAPP, code)


@pytest.mark.parametrize(("code", "subcode"), [*WINDOW, (100, 2534022)])
def test_the_window_is_told_from_the_other_errors_of_a_person(code: int, subcode: int | None) -> None:
    error = sent(failed(code, subcode))

    assert isinstance(error, Unreachable)
    assert error.window


@pytest.mark.parametrize(("code", "subcode"), PERSON)
def test_what_is_not_the_window_does_not_say_so(code: int, subcode: int | None) -> None:
    error = sent(failed(code, subcode))

    assert isinstance(error, Unreachable)
    assert not error.window


@pytest.mark.parametrize(
    ("code", "words", "kind", "window"),
    [
        (10, "This message is sent outside of allowed window. Learn more", Unreachable, True),
        (10, "(#10) Requires pages_messaging permission", AccountStopped, False),
        (10, "Message failed to send because another app is controlling this thread now.", Unreachable, False),
        (100, "(#100) The action is invalid since it's not the thread owner.", Unreachable, False),
        (200, "(#200) This person isn't receiving messages from you right now", Unreachable, False),
        (200, "(#200) The account owner has disabled access to Instagram Direct messages", AccountStopped, False),
        (100, "The requested user cannot be found", Unreachable, False),
        (100, "Unsupported request - method type: post", AccountStopped, False),
        (100, "API calls from the server require an appsecret_proof argument", AccountStopped, False),
        (100, "Invalid appsecret_proof provided in the API argument", AccountStopped, False),
        (100, "Length of param message[text] must be less than or equal to 1000", Refused, False),
    ],
)
def test_words_tell_where_the_subcode_is_missing_or_unknown(
    code: int, words: str, kind: type[PlatformError], window: bool
) -> None:
    for subcode in (None, 77, 2534999):
        error = sent(failed(code, subcode, message=words))

        assert type(error) is kind
        assert getattr(error, "window", False) is window


def test_a_missing_object_is_another_thing_for_each_operation() -> None:
    error = failed(100, 33)

    assert type(sent(error)) is Unreachable
    assert type(classify(error, Service.INSTAGRAM, Operation.PROFILE)) is Unreachable
    assert type(read(error)) is AccountStopped
    assert type(classify(error, Service.INSTAGRAM, Operation.REFRESH)) is AccountStopped
    assert type(notified(error)) is AccountStopped


def test_230_is_a_permission_of_a_send_and_consent_to_a_profile() -> None:
    assert type(sent(failed(230))) is AccountStopped
    assert type(classify(failed(230), Service.INSTAGRAM, Operation.PROFILE)) is Unreachable


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(("code", "subcode"), UNKNOWN)
def test_a_read_has_no_unknown_outcome(operation: Operation, code: int | str, subcode: int | str | None) -> None:
    assert type(classify(failed(code, subcode), Service.INSTAGRAM, operation)) is RetryLater


@pytest.mark.parametrize(("code", "subcode"), THROTTLE)
def test_a_throttle_names_no_time_of_ours(code: int, subcode: int | None) -> None:
    error = sent(failed(code, subcode))

    assert isinstance(error, RetryLater)
    assert error.wait_seconds is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Response(200, {}, {"recipient_id": "1"}), None),
        (Response(200), Uncertain),
        (Response(200, {}, ["odd"]), Uncertain),
        (Response(204), Uncertain),
        (Response(200, {}, {"error": "odd"}), Uncertain),
        (Response(301), Uncertain),
        (Response(400), Uncertain),
        (Response(400, {}, []), Uncertain),
        (Response(400, {}, {}), Uncertain),
        (Response(400, {}, {"error": "odd"}), Uncertain),
        (Response(400, {}, {"error": {"message": "no code", "error_subcode": 2534022}}), Uncertain),
        (Response(403), Uncertain),
        (Response(404, {}, {"error": {}}), Uncertain),
        (Response(408), Uncertain),
        (Response(429), RetryLater),
        (Response(429, {}, {"error": {}}), RetryLater),
        (Response(401), AccountStopped),
        (Response(500), Uncertain),
        (Response(503, {}, {"error": None}), Uncertain),
    ],
)
def test_without_a_code_only_the_status_of_a_throttle_or_a_dead_token_decides(
    reply: Response, kind: type[PlatformError] | None
) -> None:
    error = sent(reply)

    assert (None if error is None else type(error)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (100, Uncertain),
        (10, Uncertain),
        (77_777, Uncertain),
        (551, Unreachable),
        (190, AccountStopped),
        (4, RetryLater),
    ],
)
def test_what_meta_calls_transient_is_no_refusal(code: int, kind: type[PlatformError]) -> None:
    assert type(sent(failed(code, is_transient=True))) is kind


@pytest.mark.parametrize(("code", "number"), [("190", 190), (" 190 ", 190), ("-1", -1), (-190, -190)])
def test_numbers_may_be_negative_and_come_as_text(code: object, number: int) -> None:
    error = sent(failed(code))

    assert error is not None
    assert error.code == number


@pytest.mark.parametrize("code", [True, 1.5, "x", "²", [], {}, None, "--1", 10**400, "9" * 5000])
def test_an_odd_code_counts_as_none_and_leaves_the_send_uncertain(code: object) -> None:
    error = sent(failed(code))

    assert type(error) is Uncertain
    assert error.code == 0


def test_every_row_has_a_published_source() -> None:
    assert all(row.source.startswith("https://") and row.text for row in GRAPH_ROWS)
    assert all(row.source.startswith("https://") for row in (*MODEL_ROWS, *VAULT_ROWS))
    assert not [row for row in GRAPH_ROWS if row.window and row.owner is not Owner.PERSON]


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
    operation=st.sampled_from(Operation),
)
def test_no_answer_makes_the_classification_fail(status: int, body: object, operation: Operation) -> None:
    error = classify(Response(status, {}, body), Service.INSTAGRAM, operation)

    assert error is None or str(error).startswith("Instagram: ")
    assert not (operation in READS and isinstance(error, Uncertain))
    assert error is not None or (status < 300 and isinstance(body, dict))
