"""Settings: everything wrong is named at once, on one line, and no value is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dm_core.errors import Misconfigured
from dm_core.instagram_tokens import format_tokens, parse_tokens
from dm_core.settings import MediaSettings, ProcessorSettings, Template, WebhookSettings

WEBHOOK = {
    "INSTAGRAM_PAGE_ID": "178414",
    "INSTAGRAM_VERIFY_TOKEN": "verify",
    "INSTAGRAM_APP_SECRET": "one, two",
    "PROCESS_MESSAGE_URL": "https://processor.example/",
    "CLOUD_TASKS_LOCATION": "europe-west1",
    "TASKS_INVOKER_EMAIL": "invoker@project.iam.example",
    "GOOGLE_CLOUD_PROJECT": "project",
}
PROCESSOR = WEBHOOK | {
    "INSTAGRAM_ACCESS_TOKEN": "IGAA-token",
    "WHATSAPP_ACCESS_TOKEN": "EAA-token",
    "WHATSAPP_PHONE_NUMBER_ID": "5550",
    "MANAGER_WHATSAPP_NUMBER": "+47 900 00 000",
    "GEMINI_API_KEY": "key",
}


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = ProcessorSettings.load(PROCESSOR)

    assert (settings.queue.queue, settings.queue.debounce_min, settings.queue.debounce_max) == ("dm-processing", 5, 15)
    assert (settings.limits.function_timeout, settings.limits.lease_seconds) == (300, 330)
    assert (settings.limits.max_attempts, settings.limits.max_model_turns) == (5, 6)
    assert (settings.limits.uncertain_sends, settings.store.retention_days) == ("hold", 90)
    assert (settings.instagram.version, settings.instagram.flavor) == ("v26.0", "instagram")
    assert settings.limits.runs_per_day_total == 0
    assert (settings.handover.reminder_ms, settings.handover.release_ms) == (30 * 60_000, 24 * 3_600_000)
    assert (settings.disclosure_days, settings.media) == (30, MediaSettings("all", None))
    assert settings.store.url == "firestore:"
    assert settings.spond is None


def test_handover_disclosure_and_media_are_read() -> None:
    settings = ProcessorSettings.load(
        PROCESSOR
        | {
            "HANDOVER_REMINDER_MINUTES": "1.5",
            "HANDOVER_HOURS": "48",
            "DISCLOSURE_DAYS": "0",
            "MEDIA": "images",
            "INSTAGRAM_MEDIA_BASE_URL": "http://127.0.0.1:9/",
        }
    )

    assert (settings.handover.reminder_ms, settings.handover.release_ms) == (90_000, 48 * 3_600_000)
    assert (settings.disclosure_days, settings.media) == (0, MediaSettings("images", "http://127.0.0.1:9"))


def test_one_token_serves_every_account() -> None:
    settings = ProcessorSettings.load(PROCESSOR).instagram

    assert (settings.names_accounts, settings.tokens) == (False, {"178414": "IGAA-token"})


def test_several_accounts_have_a_token_each_and_all_are_secret() -> None:
    settings = ProcessorSettings.load(PROCESSOR | {"INSTAGRAM_ACCESS_TOKEN": "178414=IGAA-a, 178415 = IGAA-b=,"})

    assert settings.instagram.names_accounts
    assert settings.instagram.tokens == {"178414": "IGAA-a", "178415": "IGAA-b="}
    assert {each: one.access_token for each, one in settings.instagram.of_each().items()} == settings.instagram.tokens
    assert {"IGAA-a", "IGAA-b="} <= set(settings.secrets)


@pytest.mark.parametrize(
    ("tokens", "more", "problem"),
    [
        ("178414=IGAA-a,IGAA-b", {}, "INSTAGRAM_ACCESS_TOKEN must be one token, or ACCOUNT_ID=TOKEN"),
        ("178414=IGAA-a,178414=IGAA-b", {}, "INSTAGRAM_ACCESS_TOKEN must be one token, or ACCOUNT_ID=TOKEN"),
        ("178414=", {}, "INSTAGRAM_ACCESS_TOKEN must be one token, or ACCOUNT_ID=TOKEN"),
        ("178414=IGAA a", {}, "INSTAGRAM_ACCESS_TOKEN must be one token, or ACCOUNT_ID=TOKEN"),
        ("178415=IGAA-a,178416=IGAA-b", {}, "INSTAGRAM_PAGE_ID must be one of the accounts that"),
        ("178414=IGAA-a,178415=IGAA-b", {"INSTAGRAM_API_FLAVOR": "page"}, "only with INSTAGRAM_API_FLAVOR=instagram"),
    ],
)
def test_a_list_of_tokens_that_can_not_be_right_is_refused_without_showing_it(
    tokens: str, more: dict[str, str], problem: str
) -> None:
    with pytest.raises(Misconfigured, match=problem) as refused:
        ProcessorSettings.load(PROCESSOR | {"INSTAGRAM_ACCESS_TOKEN": tokens} | more)

    assert "IGAA" not in str(refused.value)


_IDS, _TOKENS = (st.from_regex(each, fullmatch=True) for each in ("[0-9]{1,20}", r"[\x21-\x2b\x2d-\x7e]+"))


@given(st.dictionaries(_IDS, _TOKENS))
def test_tokens_that_are_written_down_are_read_again(tokens: dict[str, str]) -> None:
    """One alone is written plainly, so it must not look like a list; Meta's begin with letters."""
    tokens = {each: f"IG{token}" for each, token in tokens.items()}
    account = next(iter(tokens), "1")

    assert not tokens or parse_tokens(format_tokens(tokens), account) == tokens


def test_several_app_secrets_are_read_while_one_is_being_replaced() -> None:
    assert WebhookSettings.load(WEBHOOK).app_secrets == ("one", "two")


def test_the_audience_is_the_target_without_its_path() -> None:
    settings = WebhookSettings.load(WEBHOOK | {"PROCESS_MESSAGE_URL": "https://p-1.a.run.app/path"})

    assert settings.queue.audience == "https://p-1.a.run.app"


@pytest.mark.parametrize("name", sorted(WEBHOOK))
def test_each_missing_variable_of_the_webhook_is_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=f"{name} is missing"):
        WebhookSettings.load({key: value for key, value in WEBHOOK.items() if key != name})


@pytest.mark.parametrize("name", sorted(set(PROCESSOR) - {"INSTAGRAM_VERIFY_TOKEN", "INSTAGRAM_APP_SECRET"}))
def test_each_missing_variable_of_the_processor_is_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=f"{name} is missing"):
        ProcessorSettings.load({key: value for key, value in PROCESSOR.items() if key != name})


def test_everything_that_is_wrong_is_named_on_one_line() -> None:
    env = {"DEBOUNCE_MIN_SECONDS": "soon", "PROCESS_MESSAGE_URL": "processor", "UNCERTAIN_SENDS": "maybe"}

    with pytest.raises(Misconfigured) as raised:
        ProcessorSettings.load(env)

    message = str(raised.value)
    assert "\n" not in message
    for name in (*env, "INSTAGRAM_ACCESS_TOKEN", "GEMINI_API_KEY", "MANAGER_WHATSAPP_NUMBER"):
        assert name in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "300"),
        ("LEASE_SECONDS", "nan"),
        ("FUNCTION_TIMEOUT_SECONDS", "400"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "2.5"),
        ("DEBOUNCE_MAX_SECONDS", "1"),
        ("STORE_URL", "postgres://x"),
        ("GRAPH_API_VERSION", "26"),
        ("INSTAGRAM_API_FLAVOR", "messenger"),
        ("FIRESTORE_EMULATOR_HOST", "http://localhost:1"),
        ("MANAGER_WHATSAPP_NUMBER", "call me"),
        ("GOOGLE_GENAI_USE_VERTEXAI", "perhaps"),
        ("GOOGLE_GEMINI_BASE_URL", "localhost:99"),
        ("INSTAGRAM_PAGE_ID", "../me"),
        ("SPOND_USERNAME", "only-one-of-three"),
        ("HANDOVER_REMINDER_MINUTES", "0"),
        ("HANDOVER_HOURS", "169"),
        ("DISCLOSURE_DAYS", "2.5"),
        ("MEDIA", "video"),
        ("INSTAGRAM_MEDIA_BASE_URL", "cdn.example"),
        ("MAX_RUNS_PER_DAY_TOTAL", "-1"),
        ("GOOGLE_CLOUD_PROJECT", "projects/club"),
        ("GOOGLE_CLOUD_PROJECT", "prøject"),
        ("FIRESTORE_DATABASE", "projects/club/databases/dms"),
        ("CLOUD_TASKS_LOCATION", "projects/club/locations/europe-west1"),
        ("CLOUD_TASKS_QUEUE", "projects/club/locations/europe-west1/queues/dms"),
        ("GEMINI_API_KEY", "AIza\u2011key"),
        ("WHATSAPP_ACCESS_TOKEN", "EAA\xa0token"),
        ("INSTAGRAM_ACCESS_TOKEN", "IGAA\u200btoken"),
        ("INSTAGRAM_ACCESS_TOKEN", '"IGAA-token"'),
        ("WHATSAPP_ACCESS_TOKEN", "<your-token>"),
        ("GEMINI_API_KEY", "'AIza-key'"),
        ("INSTAGRAM_ACCESS_TOKEN", "IGAA\r\ntoken"),
        ("GOOGLE_CLOUD_PROJECT", '"project"'),
        ("FIRESTORE_DATABASE", "'dms'"),
        ("CLOUD_TASKS_LOCATION", "<region>"),
        ("TASKS_INVOKER_EMAIL", '"invoker@project.iam.example"'),
        ("GEMINI_API_KEY", "${GEMINI_API_KEY}"),
        ("GEMINI_API_KEY", "%GEMINI_API_KEY%"),
        ("WHATSAPP_ACCESS_TOKEN", "{{ whatsapp_token }}"),
        ("WHATSAPP_ACCESS_TOKEN", "Bearer EAA-token"),
        ("WHATSAPP_ACCESS_TOKEN", "WHATSAPP_ACCESS_TOKEN=EAA-token"),
        ("INSTAGRAM_ACCESS_TOKEN", "export INSTAGRAM_ACCESS_TOKEN=IGAA-token"),
        ("INSTAGRAM_ACCESS_TOKEN", "Bearer IGAA-token"),
        ("INSTAGRAM_ACCESS_TOKEN", "IGAA-one,IGAA-two"),
        ("INSTAGRAM_ACCESS_TOKEN", '178414="IGAA-token"'),
        ("INSTAGRAM_ACCESS_TOKEN", '"IGAA-token'),
        ("INSTAGRAM_TOKEN_SECRET", "token"),
        ("INSTAGRAM_TOKEN_SECRET", "projects/p/secrets/s/versions/latest"),
        ("INSTAGRAM_API_BASE_URL", "https://graph.example/?debug=1"),
        ("GOOGLE_GEMINI_BASE_URL", "https://gemini.example?key=x"),
        ("SPOND_API_BASE_URL", "https://spond.example/core?"),
        ("PROCESS_ALERT_URL", "https://processor.example"),
        ("HANDOVER_HOURS", "0.4"),
        ("FIRESTORE_EMULATOR_HOST", "localhost:0"),
        ("CLOUD_TASKS_EMULATOR_HOST", "localhost:65536"),
        ("FIRESTORE_EMULATOR_HOST", "local\u200bhost:8080"),
        ("GEMINI_MODEL", "../tuned/x"),
        ("SPOND_USERNAME", "$(cat user)"),
        ("GOOGLE_CLOUD_LOCATION", "europe west1"),
        ("INSTAGRAM_TOKEN_FILE", "token\nother"),
        ("PROCESS_MESSAGE_URL", "https://p.example/#top"),
        ("PROCESS_ALERT_URL", "https://p.example/alerts#"),
        ("PROCESS_MESSAGE_URL", "https://user:pass@p.example/"),
        ("MAX_WAIT_HOURS", "1_0"),
        ("MAX_WAIT_HOURS", "\u0665"),
        ("MAX_WAIT_HOURS", "infinity"),
        ("MANAGER_WHATSAPP_NUMBER", "+47"),
        ("MANAGER_WHATSAPP_NUMBER", "((((((("),
    ],
)
def test_a_malformed_value_is_refused_without_being_shown(name: str, value: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        ProcessorSettings.load(PROCESSOR | {name: value})

    assert "cannot start" in str(raised.value)
    assert len(value) < 3 or value not in str(raised.value)


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "\ufeff{}\r\n", "  {}\t", "\u200b{}"])
def test_what_a_file_or_a_clipboard_put_around_a_value_is_no_part_of_it(around: str) -> None:
    read = ProcessorSettings.load({name: around.format(value) for name, value in PROCESSOR.items()})

    assert read == ProcessorSettings.load(PROCESSOR)


@pytest.mark.parametrize(
    "value",
    [
        '"one"',
        "'one, two'",
        '"one", "two"',
        "`one`",
        "<app secret>",
        'one,"two"',
        '"one',
        "one'",
        "\u201cone\u201d",
        "one, \u2018two\u2019",
        "\xabone\xbb",
        '["one", "two"]',
        "{{one}}",
    ],
)
def test_a_secret_that_would_refuse_every_webhook_stops_the_start_instead(value: str) -> None:
    """Quotes that a file of variables or a clipboard kept: Meta signs without them."""
    with pytest.raises(Misconfigured, match="INSTAGRAM_APP_SECRET is wrapped in quotes or brackets") as raised:
        WebhookSettings.load(WEBHOOK | {"INSTAGRAM_APP_SECRET": value})

    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSTAGRAM_ACCOUNT_IDS", '"178414"'),
        ("INSTAGRAM_ACCOUNT_IDS", "178414 178415"),
        ("INSTAGRAM_ACCOUNT_IDS", "178414;178415"),
        ("INSTAGRAM_ACCOUNT_IDS", "[178414]"),
        ("INSTAGRAM_ACCOUNT_IDS", "@club"),
        ("INSTAGRAM_APP_SECRET", "one\ntwo"),
        ("INSTAGRAM_APP_SECRET", "one two"),
        ("INSTAGRAM_APP_SECRET", "o\u200bne"),
        ("WHATSAPP_APP_SECRET", 'one,"two"'),
        ("INSTAGRAM_VERIFY_TOKEN", "verify\tme"),
    ],
)
def test_what_would_drop_or_refuse_every_dm_stops_the_start_instead(name: str, value: str) -> None:
    """An account that no event names is answered 200 and dropped; a secret that signs nothing, 401."""
    with pytest.raises(Misconfigured, match=f"{name} (must|is wrapped)"):
        WebhookSettings.load(WEBHOOK | {name: value})


@pytest.mark.parametrize("value", ["178414,178415", " 178414 ,, 178415 ,", "178414,\r\n178415"])
def test_accounts_are_read_whatever_stands_between_them(value: str) -> None:
    loaded = WebhookSettings.load(WEBHOOK | {"INSTAGRAM_ACCOUNT_IDS": value})

    assert loaded.account_ids == {"178414", "178415"}


def test_a_calendars_password_may_be_anything() -> None:
    spond = {"SPOND_USERNAME": "club", "SPOND_PASSWORD": "<'x'>", "SPOND_GROUP_ID": "G1"}

    settings = ProcessorSettings.load(PROCESSOR | spond)

    assert settings.spond is not None and settings.spond.password == "<'x'>"


def test_vertex_needs_a_location_instead_of_a_key() -> None:
    env = {key: value for key, value in PROCESSOR.items() if key != "GEMINI_API_KEY"}

    with pytest.raises(Misconfigured, match="GOOGLE_CLOUD_LOCATION is missing"):
        ProcessorSettings.load(env | {"GOOGLE_GENAI_USE_VERTEXAI": "true"})
    loaded = ProcessorSettings.load(
        env | {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_CLOUD_LOCATION": "europe-west1"}
    )

    assert loaded.model.vertex


@given(
    st.dictionaries(st.sampled_from([*PROCESSOR, "LEASE_SECONDS", "MAX_ATTEMPTS", "STORE_URL"]), st.text(max_size=40))
)
def test_any_environment_gives_settings_or_one_line(env: dict[str, str]) -> None:
    try:
        ProcessorSettings.load(PROCESSOR | env)
    except Misconfigured as error:
        assert "\n" not in str(error)


def test_alerts_have_a_queue_and_an_address_of_their_own() -> None:
    settings = ProcessorSettings.load(PROCESSOR).alerts

    assert (settings.queue.queue, settings.queue.target_url) == ("dm-alerts", "https://processor.example/alerts")
    assert (settings.queue.dispatch_deadline, settings.queue.audience) == (30, "https://processor.example")
    assert (settings.limits.per_hour, settings.alarm_ms) == (3, 600_000)
    assert WebhookSettings.load(WEBHOOK).alert_queue == settings.queue


@pytest.mark.parametrize(
    ("url", "alerts"),
    [
        ("https://p.example", "https://p.example/alerts"),
        ("https://p.example/", "https://p.example/alerts"),
        ("https://p.example/fn/processor", "https://p.example/fn/processor/alerts"),
        ("https://p.example/fn//", "https://p.example/fn/alerts"),
        ("https://p.example/fn?x=1", "https://p.example/fn/alerts?x=1"),
    ],
)
def test_the_address_of_ticks_follows_that_of_tasks(url: str, alerts: str) -> None:
    assert ProcessorSettings.load(PROCESSOR | {"PROCESS_MESSAGE_URL": url}).alerts.queue.target_url == alerts


@pytest.mark.parametrize(
    ("value", "template"),
    [
        ("dm_alert", Template("dm_alert", "en", None, 824)),
        ("dm_alert:nb", Template("dm_alert", "nb", None, 824)),
        ("dm_alert:en_GB:Your assistant: {{1}} Have a look.", Template("dm_alert", "en_GB", None, 995)),
        ("dm_alert:en:\U0001f514 {{ alert_text }}!", Template("dm_alert", "en", "alert_text", 1_020)),
    ],
)
def test_a_template_may_name_its_language_and_its_body(value: str, template: Template) -> None:
    assert ProcessorSettings.load(PROCESSOR | {"WHATSAPP_TEMPLATE": value}).whatsapp.template == template


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("dm_alert:en:no variable", "must have one variable in its body"),
        ("dm_alert:en:{{1}} and {{2}}", "it has 2"),
        ("dm_alert:en:{{}} x", "must call the variable"),
        ("dm_alert:en:{{2}} x", "must call the variable"),
        ("dm_alert:en:" + "x" * 1_024 + "{{1}}", "leaves no room"),
        ("DM alert", "must be name, name:language or name:language:body"),
        ("dm_alert:English", "must be name, name:language or name:language:body"),
    ],
)
def test_a_template_that_can_not_be_right_is_named_at_start(value: str, problem: str) -> None:
    with pytest.raises(Misconfigured, match=rf"WHATSAPP_TEMPLATE .*{problem}"):
        ProcessorSettings.load(PROCESSOR | {"WHATSAPP_TEMPLATE": value})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MANAGER_WHATSAPP_NUMBER", "+4790000000\n+447700900123", "must be a phone number"),
        ("SPOND_GROUP_ID", "G1\nG2", "must be group ids"),
        ("PROCESS_ALERT_URL", "https://processor.example/", "must not be PROCESS_MESSAGE_URL"),
        ("WHATSAPP_API_BASE_URL", "https://graph.example/?x", r"must be an http\(s\) URL without a query"),
        ("GEMINI_API_KEY", "GEMINI_API_KEY=x", "begins with its own name"),
    ],
)
def test_what_is_wrong_is_said_in_words_that_help(name: str, value: str, problem: str) -> None:
    more = {"SPOND_USERNAME": "a", "SPOND_PASSWORD": "b", "SPOND_GROUP_ID": "G1"}

    with pytest.raises(Misconfigured, match=f"{name} {problem}"):
        ProcessorSettings.load(PROCESSOR | more | {name: value})


@pytest.mark.parametrize("number", ["+47 900 00 000", "004790000000", "47 (900) 00-000"])
def test_a_managers_number_is_kept_as_whatsapp_writes_it(number: str) -> None:
    settings = ProcessorSettings.load(PROCESSOR | {"MANAGER_WHATSAPP_NUMBER": number}).whatsapp

    assert (settings.manager_number, settings.manager_numbers) == ("4790000000", ("4790000000",))


def test_several_numbers_are_read_and_the_first_gets_the_alerts() -> None:
    numbers = PROCESSOR | {"MANAGER_WHATSAPP_NUMBER": "+47 900 00 000, 0044 7700 900123,+4790000000"}

    assert ProcessorSettings.load(numbers).whatsapp.manager_numbers == ("4790000000", "447700900123")
    assert WebhookSettings.load(numbers).whatsapp.manager_numbers == ("4790000000", "447700900123")
    for wrong in (",", "+47 900 00 000,x", "()()()"):
        with pytest.raises(Misconfigured, match="MANAGER_WHATSAPP_NUMBER must be"):
            ProcessorSettings.load(PROCESSOR | {"MANAGER_WHATSAPP_NUMBER": wrong})


def test_whatsapps_webhook_is_believed_by_instagrams_values_where_it_has_none() -> None:
    plain = WebhookSettings.load(WEBHOOK).whatsapp
    own = WebhookSettings.load(WEBHOOK | {"WHATSAPP_APP_SECRET": "meta", "WHATSAPP_VERIFY_TOKEN": "other"}).whatsapp
    page = WebhookSettings.load(WEBHOOK | {"INSTAGRAM_API_FLAVOR": "page"}).whatsapp

    assert (plain.verify_token, plain.app_secrets, plain.secret_is_instagrams) == ("verify", ("one", "two"), True)
    assert (own.verify_token, own.app_secrets, own.secret_is_instagrams) == ("other", ("meta",), False)
    assert page.secret_is_instagrams is False
