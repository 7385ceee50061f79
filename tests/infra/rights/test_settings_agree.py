"""One source of truth: what the functions read is what the program sets, and nothing else."""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configuration import ConfigurationError
from dm_core.errors import Misconfigured
from dm_core.settings import ProcessorSettings, WebhookSettings
from environment import Surroundings, processor_environment, webhook_environment
from tests.infra.recording import Graph, closed_graph, dev_graph, prod_graph
from tests.infra.stacks import dev
from variables import ALL_SECRETS, OPTIONAL_SECRETS, SETTINGS, TUNINGS, Function

LOADERS: Mapping[Function, Callable[[Mapping[str, str]], object]] = {
    "webhook": WebhookSettings.load,
    "processor": ProcessorSettings.load,
}

FOR_THE_PLATFORM = {"LOG_EXECUTION_ID"}
"""Read by functions-framework, not by us."""

ELSEWHERE_ONLY = {name for name, setting in SETTINGS.items() if setting.set_by == "elsewhere"}
"""Point the code elsewhere than Google Cloud, or follow from another variable: a deployment must never set them."""


class Asked(Mapping[str, str]):
    """An environment that remembers the names it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are asked for by name")

    def __len__(self) -> int:
        raise AssertionError("settings are asked for by name")


def read_by(function: Function, environment: Mapping[str, str]) -> set[str]:
    """The names a function reads when it starts with an environment."""
    asked = Asked(environment)
    LOADERS[function](asked)
    return asked.names


def complete(function: Function) -> dict[str, str]:
    """The environments of all stacks together: with Spond, so that everything that can be read is."""
    graphs = (closed_graph(), dev_graph(), prod_graph())
    return {name: value for graph in graphs for name, value in graph.environment(function).items()}


@pytest.mark.parametrize("function", LOADERS)
@pytest.mark.parametrize("graph", [dev_graph, prod_graph, closed_graph])
def test_a_function_starts_with_the_environment_it_is_given(function: Function, graph: Callable[[], Graph]) -> None:
    LOADERS[function](graph().environment(function))


WORDS = st.sampled_from(
    ("", "0", "1", "5", "20", "2e1", "1_0", "nan", "-1", "0.5", "60.25", "true", "page", "low", "x:y")
)


@given(st.dictionaries(st.sampled_from(sorted(TUNINGS)), WORDS | st.text(max_size=12), max_size=3))
def test_whatever_a_stack_may_say_the_functions_start_with(settings: dict[str, str]) -> None:
    try:
        config = dev(settings=json.dumps(settings))
    except ConfigurationError:
        return

    around = Surroundings("dm-agent", "dms", "1", "alerts", "tasks@club.example", "https://processor.example/")
    for function, load in LOADERS.items():
        plain = (webhook_environment if function == "webhook" else processor_environment)(config, around)
        secrets = dict.fromkeys(config.secrets_of(function), "secret")
        load({name: str(value) for name, value in plain.items()} | secrets)


@pytest.mark.parametrize("function", LOADERS)
@pytest.mark.parametrize("graph", [dev_graph, prod_graph, closed_graph])
def test_nothing_is_set_that_the_function_does_not_read(function: Function, graph: Callable[[], Graph]) -> None:
    environment = graph().environment(function)

    assert set(environment) - read_by(function, environment) - FOR_THE_PLATFORM == set()


@pytest.mark.parametrize("function", LOADERS)
def test_everything_a_function_reads_is_set_can_be_set_or_is_for_elsewhere(function: Function) -> None:
    can_be_set = {name for name, tuning in TUNINGS.items() if function in tuning.functions}

    unknown = read_by(function, complete(function)) - set(complete(function)) - can_be_set - ELSEWHERE_ONLY
    assert unknown == set()


@pytest.mark.parametrize("function", LOADERS)
def test_nothing_that_points_elsewhere_is_set(function: Function) -> None:
    assert set(complete(function)) & ELSEWHERE_ONLY == set()
    assert set(TUNINGS) & ELSEWHERE_ONLY == set()


@pytest.mark.parametrize("function", LOADERS)
def test_each_variable_without_a_default_is_missed_when_it_is_taken_away(function: Function) -> None:
    """What the program sets is needed, or differs from the default: nothing is there out of habit."""
    environment = dev_graph().environment(function)
    required = {"GOOGLE_CLOUD_PROJECT", "CLOUD_TASKS_LOCATION", "PROCESS_MESSAGE_URL", "TASKS_INVOKER_EMAIL"}

    for name in required:
        with pytest.raises(Misconfigured, match=name):
            LOADERS[function]({key: value for key, value in environment.items() if key != name})


@pytest.mark.parametrize("name", TUNINGS)
def test_a_tuning_is_read_by_the_functions_it_is_given_to_and_by_no_other(name: str) -> None:
    readers = {function for function in LOADERS if name in read_by(function, complete(function))}

    assert readers == set(TUNINGS[name].functions)


@pytest.mark.parametrize("name", [name for name, tuning in TUNINGS.items() if tuning.bounds])
def test_the_bounds_of_a_tuning_are_those_of_the_code(name: str) -> None:
    tuning = TUNINGS[name]
    assert tuning.bounds is not None
    environment = {**dev_graph().environment("processor"), **dev_graph().environment("webhook")}
    others = {"DEBOUNCE_MIN_SECONDS": "0", "DEBOUNCE_MAX_SECONDS": "3600"}
    load = LOADERS[tuning.functions[0]]

    for value in tuning.bounds:
        load({**environment, **others, name: f"{value:.12g}"})
        assert tuning.problem(f"{value:.12g}") is None
    low, high = tuning.bounds
    beyond = [high + 1, *([low - 1] if low >= 1 else [])]
    for value in beyond:
        with pytest.raises(Misconfigured, match=name):
            load({**environment, **others, name: f"{value:.12g}"})
        assert tuning.problem(f"{value:.12g}") is not None


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("GEMINI_MODEL", "models/gemini-3.8", "a model"),
        ("INSTAGRAM_API_FLAVOR", "page", "facebook"),
        ("GRAPH_API_VERSION", "v27.0", "27"),
        ("UNCERTAIN_SENDS", "resend", "drop"),
        ("MEDIA", "images", "video"),
        ("GEMINI_THINKING", "low", "none"),
    ],
)
def test_the_words_of_a_tuning_are_those_of_the_code(name: str, good: str, bad: str) -> None:
    environment = dev_graph().environment("processor")

    ProcessorSettings.load({**environment, name: good})
    assert TUNINGS[name].problem(good) is None
    with pytest.raises(Misconfigured, match=name):
        ProcessorSettings.load({**environment, name: bad})
    assert TUNINGS[name].problem(bad) is not None


@pytest.mark.parametrize("name", ALL_SECRETS)
def test_a_secret_is_read_by_its_one_function(name: str) -> None:
    readers = [function for function in LOADERS if name in read_by(function, complete(function))]

    assert readers == [ALL_SECRETS[name]]


def test_the_model_is_asked_with_a_key_or_on_vertex() -> None:
    with_key = ProcessorSettings.load(dev_graph().environment("processor")).model
    on_vertex = ProcessorSettings.load(prod_graph().environment("processor")).model

    assert (with_key.vertex, with_key.api_key is None) == (False, False)
    assert (on_vertex.vertex, on_vertex.api_key, on_vertex.location) == (True, None, "global")


@pytest.mark.parametrize("name", OPTIONAL_SECRETS)
def test_a_secret_with_a_default_is_given_to_its_function_where_it_is_pinned(name: str) -> None:
    assert name not in dev_graph().secret_references("webhook")
    assert prod_graph().secret_references("webhook")[name]["version"] == "8"


def test_whatsapps_webhook_is_signed_by_its_own_secret_where_one_is_pinned() -> None:
    with_own = WebhookSettings.load(prod_graph().environment("webhook")).whatsapp
    without = WebhookSettings.load(dev_graph().environment("webhook")).whatsapp

    assert (with_own.secret_is_instagrams, without.secret_is_instagrams) == (False, True)
    assert with_own.phone_number_id == "100000000000001"
