"""A scenario is read whole, or the file, the line and what was meant are told."""

import re
from pathlib import Path
from random import Random

import pytest

from dm_evals.scenarios.loading import Loaded, load
from dm_evals.scenarios.scenario import Expectations
from dm_evals.scenarios.schema import RULINGS_SCHEMA_PATH, SCHEMA_PATH, rulings_schema_text, schema_text

SCENARIOS = SCHEMA_PATH.parent

GOOD = """\
name: a_question
tags: [sessions]
about: Somebody asks.
now: 2026-11-23T17:30:00+00:00
world:
  sessions:
    - starts: 2026-11-24T18:00:00+00:00
      ends: 2026-11-24T20:00:00+00:00
  settings: {MAX_RUNS_PER_HOUR: "5"}
  faults:
    - {platform: instagram, kind: throttle, operation: send}
events:
  - text: hi
    id: first
  - text: "?"
    to: first
    at: 2s
expect:
  calls:
    required:
      - tool: send_instagram_message
        args: {text: {contains: Tuesday}}
    forbidden: [send_manager_notification]
  state: {replies: 1, messages: {processed: 2}}
"""


def loaded(folder: Path, text: str | bytes, name: str = "a_question.yaml") -> Loaded:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load([path])


def problem(folder: Path, text: str | bytes) -> str:
    """The only problem, without the folder."""
    result = loaded(folder, text)
    assert result.scenarios == ()
    assert len(result.problems) == 1, result.problems
    return result.problems[0].removeprefix(f"{folder}/")


def test_a_whole_scenario_is_read(tmp_path: Path) -> None:
    result = loaded(tmp_path, GOOD)

    assert result.problems == ()
    assert [scenario.name for scenario in result.scenarios] == ["a_question"]
    assert result.scenarios[0].expect.calls.required[0].args["text"].contains == "Tuesday"


TYPOS = [
    ("about:", "abuot:", 3, 'unknown key "abuot", did you mean "about"?'),
    ("    at: 2s", "    att: 2s", 17, 'unknown key "att" in events[1], did you mean "at"?'),
    ("        args:", "        arguments:", 22, 'unknown key "arguments" in expect.calls.required[0]'),
    ("{contains:", "{contain:", 22, 'args.text, did you mean "contains"?'),
    ("send_instagram_message", "send_instagram_mesage", 21, 'did you mean "send_instagram_message"?'),
    ("[send_manager_notification]", "[notify]", 23, 'unknown tool "notify"'),
    ("args: {text:", "args: {txt:", 22, 'send_instagram_message has no argument "txt", did you mean "text"?'),
    ("kind: throttle", "kind: throtle", 11, '"throtle" is none of error, throttle'),
    ("platform: instagram", "platform: instagramm", 11, 'did you mean "instagram"?'),
    ("operation: send", "operation: sned", 11, 'instagram has no operation "sned", did you mean "send"?'),
    ("MAX_RUNS_PER_HOUR", "MAX_RUN_PER_HOUR", 9, 'unknown setting MAX_RUN_PER_HOUR, did you mean "MAX_RUNS_PER_HOUR"?'),
    ('HOUR: "5"', 'HOUR: "many"', 9, "MAX_RUNS_PER_HOUR must be a whole number"),
    ('HOUR: "5"', "HOUR: 5", 9, "put 5 in quotes"),
    ("MAX_RUNS_PER_HOUR", "INSTAGRAM_ACCESS_TOKEN", 9, "is set by the environment"),
    ("MAX_RUNS_PER_HOUR", "STORE_URL", 9, "is set by the environment"),
    ("MAX_RUNS_PER_HOUR", "GEMINI_MODEL", 9, "is set by the environment"),
    ("at: 2s", "at: 2", 17, 'put 2 in quotes'),
    ("at: 2s", "at: 2sec", 17, '"2sec" is no duration: write 90s, 5m, 2h or 3d'),
    ("at: 2s", "at: -2s", 17, "is no duration"),
    ("at: 2s", "at: 900d", 17, "more than 30 days"),
    ("at: 2s", f"at: {'9' * 400}d", 17, "more than 30 days"),
    ("to: first", "to: frist", 16, 'no message "frist", did you mean "first"?'),
    ("    to: first", "    id: first", 16, 'two events with the id "first"'),
    ("to: first", "kind: foto", 16, '"foto" is none of say, photo'),
    ("to: first", "to: first\n    kind: unsend", 15, "unsend has no text"),
    ("to: first", "repeat: 99", 16, "less than or equal to 10"),
    ("2026-11-23T17:30:00+00:00", "2026-11-23T17:30:00", 4, "has no time zone"),
    ("2026-11-23T17:30:00+00:00", "tomorrow", 4, "now:"),
    ("2026-11-23T17:30:00+00:00", "0001-01-01T00:00:00+14:00", 4, "now must be between 2000 and 2100"),
    ("ends: 2026-11-24", "ends: 9999-12-31", 8, "ends must be between 2000 and 2100"),
    ("ends: 2026-11-24T20", "ends: 2026-11-24T17", 8, "must end after it starts"),
    ("messages: {processed:", "messages: {procesed:", 24, 'did you mean "processed"?'),
    ("{contains: Tuesday}", '{contains: ""}', 22, "an empty text is in every text"),
    ("{contains: Tuesday}", "{contains: []}", 22, "an empty text is in every text"),
    ("{contains: Tuesday}", '{regex: "a*"}', 22, "found in an empty text"),
    ("{contains: Tuesday}", '{regex: "("}', 22, "is no regular expression"),
    ("{contains: Tuesday}", "{between: [3, 1]}", 22, "there is nothing"),
    ("{contains: Tuesday}", "{contains: a, regex: b}", 22, "needs exactly one of equals"),
    ("{contains: Tuesday}", "{}", 22, "needs exactly one of equals"),
    ("{contains: Tuesday}", "{equals: null}", 22, "use absent: true"),
    ("[send_manager_notification]", "[send_instagram_message]", 23, "send_instagram_message is required too"),
    ("replies: 1", "replies: -1", 24, "greater than or equal to 0"),
    ("replies: 1", "replies: one", 24, "expect.state.replies"),
    ("name: a_question", "name: another", 1, 'must be that of its file, "a_question"'),
    ("name: a_question", "name: A Question", 1, "must be 3 to 61 of a-z"),
    ("tags: [sessions]", "tags: []", 2, "tags"),
    ("tags: [sessions]", "tags: sessions", 2, "tags"),
    ("tags: [sessions]", "tags: [Sessions!]", 2, 'tag "Sessions!"'),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line", "told"), TYPOS, ids=[typo[1] for typo in TYPOS])
def test_a_mistake_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, line: int, told: str) -> None:
    assert right in GOOD

    found = problem(tmp_path, GOOD.replace(right, wrong, 1))

    assert found.startswith(f"a_question.yaml:{line}: "), found
    assert told in found


def test_every_mistake_of_a_file_is_told_in_order(tmp_path: Path) -> None:
    text = GOOD.replace("about:", "abuot:").replace("forbidden:", "forbiden:").replace("at: 2s", "at: soon")

    result = loaded(tmp_path, text)

    lines = [int(each.split(":")[1]) for each in result.problems]
    assert lines == [3, 17, 23]


@pytest.mark.parametrize(
    "expect",
    [
        "expect: {}\n",
        "expect: {calls: {}, state: {}, reply: {}}\n",
        "expect: {reply: {must: []}}\n",
        "expect: {limits: {model_calls: 3}}\n",
    ],
)
def test_a_scenario_that_expects_nothing_is_no_scenario(tmp_path: Path, expect: str) -> None:
    found = problem(tmp_path, GOOD[: GOOD.index("expect:")] + expect)

    assert found == "a_question.yaml:18: expects nothing: say something in calls, state, reply or rubric"


def test_without_expectations_at_all(tmp_path: Path) -> None:
    assert '"expect" is missing' in problem(tmp_path, GOOD[: GOOD.index("expect:")])


BROKEN_YAML = [
    ("", 1, "is empty"),
    ("# nothing\n", 1, "is empty"),
    ("- a\n- b\n", 1, "must be a mapping"),
    ("name: [\n", 2, "is no YAML"),
    ("name: a\n\ttags: b\n", 2, "is no YAML"),
    ("name: a\n---\nname: b\n", 2, "is no YAML"),
    ("name: a\nname: b\n", 2, '"name" stands there twice (first in line 1)'),
    ("a: &x {b: *x}\n", 1, "an alias stands inside of what it names"),
    ("base: &x {b: 1}\na:\n  <<: *x\n", 3, "merge keys"),
    ("a: !!python/object/apply:os.system [ls]\n", 1, "means nothing here"),
    ("a: !mine b\n", 1, "means nothing here"),
    ("a: !!binary aGk=\n", 1, "means nothing here"),
    ("a: !!set {b, c}\n", 1, "means nothing here"),
    ("? [a, b]\n: c\n", 1, "a key must be a word"),
    (b"name: a\nabout: \xff\n", 2, "is not UTF-8"),
    ("name: \x07\n", 1, "is no YAML"),
    ("a: " + "[" * 1_200, 1, ""),
]


@pytest.mark.parametrize(("text", "line", "told"), BROKEN_YAML, ids=range(len(BROKEN_YAML)))
def test_what_is_no_usable_yaml_is_told(tmp_path: Path, text: str | bytes, line: int, told: str) -> None:
    found = problem(tmp_path, text)

    assert found.startswith(f"a_question.yaml:{line}: "), found
    assert told in found


def test_aliases_that_unfold_without_end_are_stopped(tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))

    assert "holds more than" in problem(tmp_path, f"a0: &a0 [x]\n{levels}")


def test_a_plain_alias_is_its_value(tmp_path: Path) -> None:
    text = GOOD.replace("text: hi", "text: &words hi").replace('text: "?"', "text: *words")

    assert loaded(tmp_path, text).scenarios[0].events[1].text == "hi"


@pytest.mark.parametrize("word", ["no", "on", "18:00", "2026-11-24", "0755", "1_000", "y", "0x1f"])
def test_words_that_old_yaml_reads_as_something_else_stay_words(tmp_path: Path, word: str) -> None:
    text = GOOD.replace("text: hi", f"text: {word}").replace("{contains: Tuesday}", word)

    scenario = loaded(tmp_path, text).scenarios[0]

    assert scenario.events[0].text == word
    assert scenario.expect.calls.required[0].args["text"].equals == word


def test_an_id_that_comes_later_is_no_target(tmp_path: Path) -> None:
    text = GOOD.replace("    id: first\n", "    to: second\n").replace("    to: first", "    id: second")

    assert 'no message "second", which comes later' in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("{kind: say}", "say needs a text"),
        ("{kind: human, text: ' '}", "human needs a text"),
        ("{kind: voice, text: hello}", "voice has no text"),
        ("{kind: unsend}", 'unsend needs "to"'),
        ("{kind: edit, text: x}", 'edit needs "to"'),
        ("{kind: photo, to: first}", "photo points to no message"),
        ("{kind: photo, repeat: 2}", "only say can be repeated"),
        ("{text: x, during: 1, at: 2s}", "at or during, not both"),
        ("{text: x, during: 0}", "greater than or equal to 1"),
        ("{kind: unsend, to: first, id: x}", "is no message and has no id"),
    ],
)
def test_an_event_that_makes_no_sense_is_told(tmp_path: Path, event: str, told: str) -> None:
    start, end = GOOD.index('  - text: "?"'), GOOD.index("expect:")

    found = problem(tmp_path, f"{GOOD[:start]}  - {event}\n{GOOD[end:]}")

    assert found.startswith("a_question.yaml:15: "), found
    assert told in found


def test_a_scenario_in_which_nothing_begins_is_told(tmp_path: Path) -> None:
    start, end = GOOD.index("events:"), GOOD.index("expect:")

    assert "nothing begins" in problem(tmp_path, f"{GOOD[:start]}events: [{{text: a, during: 1}}]\n{GOOD[end:]}")


def test_without_a_calendar_its_faults_make_no_sense(tmp_path: Path) -> None:
    start, end = GOOD.index("world:"), GOOD.index("events:")
    world = "world:\n  sessions: null\n  faults: [{platform: spond, kind: error}]\n"
    text = f"{GOOD[:start]}{world}{GOOD[end:]}"

    result = loaded(tmp_path, text)

    assert [each.split(": ", 1)[1] for each in result.problems] == [
        "world.faults name Spond, which is never asked: sessions is null",
    ]


def test_a_damaged_file_is_read_or_told_and_never_raises(tmp_path: Path) -> None:
    chance = Random(6)
    words = ("null", "[]", "{}", "''", "-1", "1e999", "true", "&x", "*x", "!t", "[[[", "~", "- -", "1e400d", "0.0.0d")

    for _ in range(150):
        lines = GOOD.splitlines()
        place = chance.randrange(len(lines))
        lines[place] = chance.choice(
            (
                f"{lines[place].rpartition(':')[0]}: {chance.choice(words)}",
                lines[place][: chance.randrange(len(lines[place]))],
                chance.choice(lines),
                "",
            )
        )
        result = loaded(tmp_path, "\n".join(lines))

        assert bool(result.scenarios) != bool(result.problems)
        assert all("\n" not in problem for problem in result.problems)


# -- files --------------------------------------------------------------------------------------------------


def test_two_with_one_name_are_told_and_the_first_stays(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a_question.yaml").write_text(GOOD)

    result = load([tmp_path])

    assert len(result.scenarios) == 1
    assert len(result.problems) == 1
    assert 'b/a_question.yaml:1: there is a scenario "a_question" already' in result.problems[0]
    assert result.problems[0].endswith("a/a_question.yaml")


def test_the_same_file_named_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a_question.yaml"
    path.write_text(GOOD)

    result = load([tmp_path, path])

    assert (len(result.scenarios), result.problems) == (1, ())


def test_files_that_are_no_scenarios_are_not_skipped_silently(tmp_path: Path) -> None:
    (tmp_path / "a_question.yaml").write_text(GOOD)
    (tmp_path / "other.yml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "schema.json").write_text("{}")

    result = load([tmp_path])

    assert len(result.scenarios) == 1
    assert [Path(each.split(":")[0]).name for each in result.problems] == ["notes.txt", "other.yml"]


def test_one_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a_question.yaml").write_text(GOOD)
    (tmp_path / "broken.yaml").write_text("name: [")

    result = load([tmp_path])

    assert (len(result.scenarios), len(result.problems)) == (1, 1)


def test_a_file_that_is_not_there_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "a_question.yaml").write_text(GOOD)

    result = load([tmp_path / "a_qestion.yaml"])

    assert result.problems[0].endswith('there is no such file or folder, did you mean "a_question.yaml"?')


def test_nothing_to_load_is_a_problem(tmp_path: Path) -> None:
    assert load([]).problems == ("no scenario in nothing",)
    assert load([tmp_path]).problems == (f"no scenario in {tmp_path}",)


# -- what is in the repository ------------------------------------------------------------------------------


def test_the_scenarios_of_the_repository_are_all_read() -> None:
    result = load([SCENARIOS])

    assert result.problems == ()
    assert {"net_session_question", "human_takeover"} <= {scenario.name for scenario in result.scenarios}


def test_each_scenario_expects_that_something_happens_to_each_who_writes() -> None:
    def is_something(expect: Expectations) -> bool:
        state = expect.state.model_dump(include={"replies", "reactions", "alerts", "notices", "messages", "alarmed"})
        return bool(expect.calls.required or expect.reply.must or any(state.values()))

    scenarios = load([SCENARIOS]).scenarios
    others = [(each.name, name, other) for each in scenarios for name, other in each.expect.others.items()]

    assert [each.name for each in scenarios if each.others.keys() - each.expect.others.keys()] == []
    assert [each.name for each in scenarios if not is_something(each.expect)] == []
    assert [(name, who) for name, who, other in others if not (other.replies or other.must)] == []
    assert others


def test_the_schema_beside_them_is_current() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), "run: python -m dm_evals schema"
    assert RULINGS_SCHEMA_PATH.read_text(encoding="utf-8") == rulings_schema_text(), "run: python -m dm_evals schema"


def test_the_tags_and_scenarios_that_the_docs_name_are_there() -> None:
    root = SCHEMA_PATH.parents[2]
    there = load([root / "evals" / "scenarios"]).scenarios
    known = {"TAGS": {tag for each in there for tag in each.tags}, "SCENARIO": {each.name for each in there}}
    docs = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    named = [
        (page.name, key, word)
        for page in docs
        for key, words in re.findall(r"\b(TAGS|SCENARIO)=([a-z][a-z0-9_,]*)", page.read_text(encoding="utf-8"))
        for word in words.split(",")
    ]

    assert [each for each in named if each[2] not in known[each[1]] and each[2] != "price_trial_session"] == []
    assert ("evals.md", "TAGS", "safeguarding") in named
