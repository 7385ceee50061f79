"""What makes no sense in a scenario's expectations: what nobody can check, and what always or never holds."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

from dm_core.agent.tools.registry import TOOLS
from dm_core.messages import Disposition, Status
from dm_evals.checks.named import Named, Unknown
from dm_evals.reading import nearest
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.problem import Problem
from dm_evals.scenarios.scenario import Call, Calls, Limits, Matcher, Reply, Scenario, State
from dm_evals.scenarios.yaml_lines import Place


def expectation_rules(scenario: Scenario) -> Iterator[Problem]:
    expect, place = scenario.expect, ("expect",)
    yield from _calls(expect.calls, (*place, "calls"))
    yield from _counts(expect.state, (*place, "state"))
    ends = [*(status.value for status in Status), *(disposition.value for disposition in Disposition)]
    for name in expect.state.messages:
        if name not in ends:
            told = f'"{name}" is neither a status nor a disposition{nearest(name, ends)}'
            yield Problem((*place, "state", "messages", name), told)
    for name in ("alert", "notice", "notes"):
        yield from _texts(getattr(expect.state, name), (*place, "state", name))
    yield from _reply(expect.reply, (*place, "reply"))
    for name, other in expect.others.items():
        yield from _reply(other, (*place, "others", name))
    yield from _named(scenario, place)
    for number, item in enumerate(expect.rubric):
        if not item.strip():
            yield Problem((*place, "rubric", number), "a rubric item must say something")
    for word, count in expect.changed.items():
        if count < 1:
            yield Problem((*place, "changed", word), "say how often, or leave it out")
    yield from _counts(expect.limits, (*place, "limits"))


def _named(scenario: Scenario, place: Place) -> Iterator[Problem]:
    try:
        Named.of(scenario, own_prompt().profile.facts, "UTC").resolved(scenario.expect)
    except Unknown as error:
        if not str(error).startswith("the profile"):  # told at its own place
            yield Problem(place, str(error))


def _calls(calls: Calls, place: Place) -> Iterator[Problem]:
    for number, call in enumerate(calls.required):
        yield from _call(call, (*place, "required", number))
    for name in ("forbidden", "allowed"):
        for number, tool in enumerate(getattr(calls, name)):
            yield from _tool(tool, (*place, name, number))
    required = {call.tool for call in calls.required}
    for number, tool in enumerate(calls.forbidden):
        if tool in required or tool in calls.allowed:
            also = "required" if tool in required else "allowed"
            yield Problem((*place, "forbidden", number), f"{tool} is {also} too")
    if calls.ordered and len(calls.required) < 2:
        yield Problem((*place, "ordered"), "ordered needs two required calls")
    least = sum(call.at_least for call in calls.required)
    if calls.at_most is not None and calls.at_most < least:
        yield Problem((*place, "at_most"), f"at most {calls.at_most} calls, but {least} are required")


def _call(call: Call, place: Place) -> Iterator[Problem]:
    yield from _tool(call.tool, (*place, "tool"))
    if call.at_most is not None and call.at_most < call.at_least:
        yield Problem((*place, "at_most"), f"at_most {call.at_most} is below at_least {call.at_least}")
    tool = TOOLS.get(call.tool)
    arguments = list(tool.arguments.__dataclass_fields__) if tool else []
    for name, matcher in call.args.items():
        if tool is not None and name not in arguments:
            yield Problem((*place, "args", name), f'{call.tool} has no argument "{name}"{nearest(name, arguments)}')
        yield from _matcher(matcher, (*place, "args", name))


def _tool(name: str, place: Place) -> Iterator[Problem]:
    if name not in TOOLS:
        yield Problem(place, f'unknown tool "{name}"{nearest(name, TOOLS) or f" (there are {', '.join(TOOLS)})"}')


def _reply(reply: Reply, place: Place) -> Iterator[Problem]:
    if reply.language is not None and not re.fullmatch(r"[a-z]{2}", reply.language):
        yield Problem((*place, "language"), f'"{reply.language}" is no ISO 639-1 code, such as en, hi, es or de')
    yield from _counts(reply, place)
    for name in ("must", "must_not"):
        yield from _texts(getattr(reply, name), (*place, name))


def _texts(matchers: tuple[Matcher, ...], place: Place) -> Iterator[Problem]:
    for number, matcher in enumerate(matchers):
        yield from _matcher(matcher, (*place, number))
        for name in ("absent", "between"):
            if name in matcher.model_fields_set:
                yield Problem((*place, number, name), f"{name} is for arguments, not for a text")


def _counts(part: State | Limits | Reply, place: Place) -> Iterator[Problem]:
    values: dict[str, object] = {name: getattr(part, name) for name in part.model_fields_set}
    if isinstance(part, State):
        values |= {f"messages.{name}": number for name, number in part.messages.items()}
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield Problem((*place, *name.split(".")), f"{name} can't be below 0")


def _matcher(matcher: Matcher, place: Place) -> Iterator[Problem]:
    """One that always or never holds is a mistake."""
    name = next(iter(matcher.model_fields_set - {"field"}))
    value: object = getattr(matcher, name)
    if told := _RULES[name](value):
        yield Problem((*place, name), told)


def _words(value: object) -> str | None:
    words = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    if words and all(isinstance(word, str) and word.strip() for word in words):
        return None
    return "an empty text is in every text: say what must be there"


def _pattern(value: object) -> str | None:
    try:
        always = re.search(str(value or ""), "") is not None
    except re.error as error:
        return f"is no regular expression: {error}"
    return "this pattern is found in an empty text, so in every text" if always else None


def _range(value: object) -> str | None:
    low, high = cast("tuple[float, float]", value or (1.0, 0.0))
    return f"between {low:g} and {high:g} there is nothing" if low > high else None


def _fact(value: object) -> str | None:
    facts = own_prompt().profile.facts
    return None if value in facts else f'the profile has no fact "{value}"{nearest(str(value), facts)}'


def _must_be_true(value: object) -> str | None:
    return None if value is True else "must be true, or left out"


_RULES: Final[Mapping[str, Callable[[object], str | None]]] = {
    "equals": lambda value: "use absent: true for an argument that is not given" if value is None else None,
    "contains": _words,
    "any_of": _words,
    "regex": _pattern,
    "between": _range,
    "absent": _must_be_true,
    "anything": _must_be_true,
    "fact": _fact,
    "session": lambda _: None,
}
