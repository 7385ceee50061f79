"""A configuration that can't be deployed is refused with every problem at once, and what to write where."""

import json
import re

import pytest

from configuration import Configuration, ConfigurationError
from tests.infra.stacks import DEV, MINIMAL, PINS, PROD, PROJECT, closed, dev, prod


def problems(project: str = PROJECT, stack: str = "dev", **changes: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        Configuration.read({**DEV, **changes}, project, stack)
    return caught.value.problems


def only(project: str = PROJECT, stack: str = "dev", **changes: str) -> str:
    found = problems(project, stack, **changes)
    assert len(found) == 1, found
    return found[0]


def test_the_examples_of_the_tests_can_be_deployed() -> None:
    assert Configuration.read(MINIMAL, PROJECT, "dev").processor.timeout == 300
    assert dev().max_attempts == 5 and prod().max_attempts == 7
    assert not closed().public and not closed().refreshes_token


def test_an_empty_configuration_names_everything_that_is_missing_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Configuration.read({}, "", "dev")

    message = str(caught.value)
    for key in ("region", "instagramPageId", "whatsappPhoneNumberId", "managerWhatsappNumber"):
        assert f"pulumi config set dm-agent:{key} " in message
    for name in (*PINS, "GEMINI_API_KEY"):
        assert f"pulumi config set --path dm-agent:secretVersions.{name} 1 --stack dev" in message
    assert "pulumi config set gcp:project" in message
    assert len(caught.value.problems) == 10


def test_every_problem_says_what_to_write() -> None:
    found = problems(
        region="mars", webhookName="Web_hook", processorTimeout="9", public="maybe", labels="x", colour="red"
    )

    assert len(found) == 6
    assert all("pulumi config " in problem and "--stack dev" in problem for problem in found)


@pytest.mark.parametrize("project", ["", "123456789012", "My_Project", "your-project-id", "my-project", "a"])
def test_a_wrong_project_is_refused(project: str) -> None:
    assert "pulumi config set gcp:project" in only(project)


@pytest.mark.parametrize("key", ["instagramPageId", "whatsappPhoneNumberId"])
@pytest.mark.parametrize("value", ["YOUR-ACCOUNT-ID", "12", "1784140000000000x"])
def test_an_id_left_as_in_the_example_is_refused(key: str, value: str) -> None:
    assert "digits only" in only(**{key: value})


@pytest.mark.parametrize("name", ["webhook_1", "Webhook", "1webhook", "web", "webhook-", "w" * 31, "web hook"])
def test_an_illegal_function_name_is_refused(name: str) -> None:
    assert only(webhookName=name).startswith("dm-agent:webhookName is not a function's name")


def test_two_functions_of_one_name_are_refused() -> None:
    assert "is the webhook's name too" in only(webhookName="dm-direct", processorName="dm-direct")


def test_a_region_without_a_queue_is_refused_and_others_near_it_are_named() -> None:
    problem = only(region="europe-west4")

    assert "lacks Cloud Tasks" in problem and "europe-west1" in problem


@pytest.mark.parametrize("region", ["europe-west99", "moon-base1"])
def test_an_unknown_region_is_refused(region: str) -> None:
    assert "dm-agent:region" in only(region=region)


@pytest.mark.parametrize("lease", ["299", "300"])
def test_a_lease_that_does_not_exceed_the_timeout_is_refused(lease: str) -> None:
    assert "must exceed the processor's timeout of 300 seconds" in only(leaseSeconds=lease)


def test_a_lease_follows_the_timeout_unless_it_is_given() -> None:
    assert dev(processorTimeout="500").lease_seconds == 530
    assert dev(leaseSeconds="301").lease_seconds == 301


def test_a_misspelt_key_is_refused_and_the_right_one_named() -> None:
    problem = only(proccessorTimeout="100")

    assert "did you mean dm-agent:processorTimeout?" in problem
    assert "pulumi config rm dm-agent:proccessorTimeout --stack dev" in problem


def test_a_secret_in_the_configuration_is_refused_and_not_shown() -> None:
    problem = only(instagramAppSecret="hunter2")

    assert "is not a key of this program" in problem and "hunter2" not in problem


@pytest.mark.parametrize("version", ["latest", "0", "-1", "1.5", "v3", ""])
def test_a_version_that_is_no_number_is_refused(version: str) -> None:
    pins = json.dumps({**PINS, "GEMINI_API_KEY": version})

    assert "GEMINI_API_KEY must be a version's number" in only(secretVersions=pins)


def test_a_version_written_as_a_number_is_the_same_as_its_text() -> None:
    pins = json.dumps({**dict.fromkeys(PINS, 4), "GEMINI_API_KEY": 12})

    assert dev(secretVersions=pins).secret_versions["GEMINI_API_KEY"] == "12"


def test_a_pin_of_an_unknown_secret_is_refused() -> None:
    pins = json.dumps({**PINS, "GEMINI_API_KEY": "1", "INSTAGRAM_TOKEN": "1"})

    assert "INSTAGRAM_TOKEN is not a secret of the functions" in only(secretVersions=pins)


def test_a_pin_that_is_not_needed_is_left_out() -> None:
    """So that a stack can go to Vertex AI and back without losing the number, nor the value."""
    assert "GEMINI_API_KEY" not in dev(model="vertex").secret_versions
    assert "GEMINI_API_KEY" in dev(model="vertex").secrets
    assert "SPOND_PASSWORD" not in dev().secrets
    assert dev(model="vertex").needed_secrets == tuple(
        name for name in dev().needed_secrets if name != "GEMINI_API_KEY"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"MAX_ATTEMPTS": 0}, "MAX_ATTEMPTS must be a whole number from 1 to 100"),
        ({"MAX_ATEMPTS": 3}, "MAX_ATEMPTS is no variable that a stack may set"),
        ({"LEASE_SECONDS": 10}, "LEASE_SECONDS is no variable that a stack may set"),
        ({"STORE_URL": "sqlite:///x"}, "STORE_URL is no variable that a stack may set"),
        ({"DEBOUNCE_MIN_SECONDS": 20, "DEBOUNCE_MAX_SECONDS": 0}, "DEBOUNCE_MAX_SECONDS must not be below"),
        ({"UNCERTAIN_SENDS": "maybe"}, "UNCERTAIN_SENDS must be hold or resend"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, object], expected: str) -> None:
    assert expected in only(settings=json.dumps(settings))


@pytest.mark.parametrize("location", ["europe-west2", "us-central1", "mars"])
def test_a_location_without_the_model_is_refused_with_those_that_have_it(location: str) -> None:
    problem = only(model="vertex", vertexLocation=location)

    assert "does not offer gemini-3.8 models: global, eu, us do" in problem


@pytest.mark.parametrize("location", ["global", "eu", "us"])
def test_the_model_is_asked_globally_or_in_a_multi_region(location: str) -> None:
    assert dev(model="vertex", vertexLocation=location).vertex_location == location


def test_of_another_model_nothing_is_said() -> None:
    config = dev(model="vertex", vertexLocation="us-central1", settings=json.dumps({"GEMINI_MODEL": "gemini-2.5-pro"}))

    assert config.vertex_location == "us-central1"


def test_several_managers_are_taken_and_half_a_number_is_not() -> None:
    assert dev(managerWhatsappNumber="+44 7700 900123, +44 7700 900124").manager_number.count(",") == 1
    assert "a number with its country code" in only(managerWhatsappNumber="+44 7700 900123, 12")


@pytest.mark.parametrize("number", ["+44 7700 900123", "0044 7700-900123", "447700900123", "+1 (202) 555-0123"])
def test_a_number_with_its_country_code_is_taken(number: str) -> None:
    assert dev(managerWhatsappNumber=number).manager_number == number


@pytest.mark.parametrize(
    "number",
    ["+00 123", "+00 000123456", "07700 900123", "+0 7700 900123", "+44 (0)7700 900123", "+44 7700 900123 4567 89"],
)
def test_a_number_that_no_country_has_is_refused(number: str) -> None:
    """No country code starts with 0, none takes a 0 after it in brackets, and no number is longer than 15 digits."""
    assert "a number with its country code" in only(managerWhatsappNumber=number)
    assert "a number with its country code" in only(managerWhatsappNumber=f"+447700900124, {number}")


def test_a_list_in_the_stacks_file_is_as_good_as_commas() -> None:
    accounts = dev(instagramAccountIds='[17841400000000001,"17841400000000002"]').account_ids

    assert accounts == ("17841400000000001", "17841400000000002")
    assert dev(readers='["group:desk@club.example"]').readers == ("group:desk@club.example",)
    assert "must be ids" in only(instagramAccountIds='["17841400000000001"')


def test_the_account_that_answers_is_among_those_whose_dms_are_taken() -> None:
    others = "17841400000000008,17841400000000009"

    page = dev(instagramAccountIds=others, settings='{"INSTAGRAM_API_FLAVOR": "page"}')
    assert (page.probed_account, dev().probed_account) == ("17841400000000008", dev().page_id)
    assert "leaves out instagramPageId" in only(instagramAccountIds=others)


def test_names_follow_the_prefix() -> None:
    config = dev(prefix="club")

    assert (config.queue_name, config.alerts_queue_name) == ("club-processing", "club-alerts")
    assert (config.webhook.name, config.processor.name, config.database.name) == (
        *("club-webhook", "club-processor"),
        "club-agent",
    )


def test_a_secret_with_a_default_may_be_pinned_and_must_not() -> None:
    assert "WHATSAPP_APP_SECRET" not in dev().secret_versions
    pinned = dev(secretVersions=json.dumps({**PINS, "GEMINI_API_KEY": "5", "WHATSAPP_APP_SECRET": "2"}))

    assert pinned.secrets_of("webhook")[-1] == "WHATSAPP_APP_SECRET"
    assert "WHATSAPP_APP_SECRET" in dev().secrets


def test_memory_must_fit_the_cpus() -> None:
    assert "does not fit 4 CPU: 2048 to 16384" in only(processorCpu="4", processorMemoryMib="512")
    assert dev(processorCpu="4").processor.memory == 2_048


@pytest.mark.parametrize(
    "stack", ["prod", "Prod", "PRODUCTION", "prod-eu", "club-prod", "club.production", "club_Prod"]
)
def test_a_production_stack_can_not_be_unprotected(stack: str) -> None:
    with pytest.raises(ConfigurationError, match="protectData is false in a production stack"):
        Configuration.read({**PROD, "protectData": "false"}, PROJECT, stack)


@pytest.mark.parametrize("stack", ["dev", "reprod", "retired"])
def test_another_stack_can_be_unprotected(stack: str) -> None:
    assert not Configuration.read({**PROD, "protectData": "false"}, PROJECT, stack).database.protected


@pytest.mark.parametrize("member", ["allUsers", "allAuthenticatedUsers", "domain:club.example", "someone@club.example"])
def test_nobody_can_be_let_in_by_a_wide_member(member: str) -> None:
    assert "dm-agent:webhookInvokers must be members" in only(public="false", webhookInvokers=member)
    assert "dm-agent:readers must be members" in only(readers=member)
    assert "dm-agent:operators must be members" in only(operators=member)


def test_one_person_written_in_two_ways_is_one() -> None:
    """Two rights of one person are the same right: the one that is taken away takes the other with it."""
    given = "serviceAccount:a@club.iam.gserviceaccount.com,user:Sam@Club.example, user:sam@club.example"

    assert dev(operators=given).operators == ("serviceAccount:a@club.iam.gserviceaccount.com", "user:sam@club.example")


def test_a_budget_is_whole_or_absent() -> None:
    assert "dm-agent:billingAccount is missing" in only(budgetMonthly="10")
    assert "dm-agent:budgetMonthly is missing" in only(billingAccount="012345-6789AB-CDEF01")
    assert dev().budget is None


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": json.dumps({"WHATSAPP_TEMPLATE": "DM alert"})},
        {"settings": json.dumps({"WHATSAPP_TEMPLATE": "dm_alert:en:no variable"})},
        {"settings": json.dumps({"WHATSAPP_TEMPLATE": "dm_alert:en:{{1}} and {{2}}"})},
        {"settings": json.dumps({"DEBOUNCE_MIN_SECONDS": "2e1", "DEBOUNCE_MAX_SECONDS": "10"})},
        {"settings": json.dumps({"DEBOUNCE_MIN_SECONDS": 20.12345678, "DEBOUNCE_MAX_SECONDS": 20})},
        {"managerWhatsappNumber": "((((((((("},
        {"managerWhatsappNumber": "+44 7700 900123, -----"},
        {"timeZone": "Europe/Londn"},
        {"timeZone": "europe/london"},
        {"databaseLocation": "europe-west99"},
        {"databaseLocation": "eur-3"},
        {"alertsQueueName": "dm-processing"},
        {"queueName": "shared", "alertsQueueName": "shared-1"},
        {"queueName": "dm-alerts"},
        {"labels": json.dumps({f"label{number}": "x" for number in range(62)})},
    ],
    ids=str,
)
def test_what_no_function_would_start_with_or_google_refuses_in_mid_deployment_is_refused_before_it(
    changes: dict[str, str],
) -> None:
    only(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "EUROPE-WEST2"}, "dm-agent:region is not a Google Cloud region"),
        ({"region": "europe-west2-a"}, "dm-agent:region is not a Google Cloud region"),
        ({"secretVersions": "INSTAGRAM_APP_SECRET: 1"}, "dm-agent:secretVersions must be a map"),
        ({"secretVersions": "[1]"}, "dm-agent:secretVersions must be a map"),
        ({"budgetMonthly": "50.5", "billingAccount": "012345-6789AB-CDEF01"}, "budgetMonthly must be a whole number"),
        ({"queueShards": "no", "queuesKept": "3"}, "dm-agent:queueShards must be a whole number"),
        ({"processorTimeout": "10m", "leaseSeconds": "200"}, "dm-agent:processorTimeout must be a whole number"),
        ({"processorCpu": "8", "processorMemoryMib": "16384"}, "dm-agent:processorCpu must be 1 or 2 or 4"),
        ({"settings": '{"gemini_model": "x"}'}, "did you mean GEMINI_MODEL?"),
        ({"settings": '{"MAX_ATEMPTS": 3}'}, "did you mean MAX_ATTEMPTS?"),
        ({"settings": '{"GEMINI_API_KEY": "x"}'}, "GEMINI_API_KEY is a secret: make secrets STACK=dev"),
        ({"labels": '{"app": "x"}'}, "dm-agent:labels app is the program's own"),
        ({"settings": '{"DEBOUNCE_MIN_SECONDS": 99999, "DEBOUNCE_MAX_SECONDS": 15}'}, "DEBOUNCE_MIN_SECONDS must be"),
        ({"settings": '{"MAX_ATTEMPTS": null}'}, "MAX_ATTEMPTS must not be empty"),
        ({"instagramPageId": "mine", "instagramAccountIds": "17841400000000001"}, "dm-agent:instagramPageId is not"),
        ({"webhookMaxInstances": "many", "webhookMinInstances": "20"}, "dm-agent:webhookMaxInstances must be"),
    ],
    ids=str,
)
def test_one_mistake_is_one_line(changes: dict[str, str], said: str) -> None:
    """A second line, of what follows from the first, would have somebody set what was right: a location is final."""
    assert said in only(**changes)


def test_no_value_is_ever_shown() -> None:
    """Somebody may have put a secret into any of them."""
    for key in (*PROD, "webhookName", "processorTimeout", "public", "runtime", "projectNumber"):
        with pytest.raises(ConfigurationError) as caught:
            Configuration.read({**PROD, key: "s3cr3t hunter2!"}, PROJECT, "prod")
        assert not re.search("s3cr3t|hunter2", str(caught.value)), key
