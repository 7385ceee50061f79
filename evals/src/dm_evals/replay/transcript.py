"""What one trial did, read where it happened: the platforms' records, the store, the archived runs, the model's turns.

A model turn that no run kept is ``discarded``: something came before its actions were planned, or its attempt failed.
Which turns those are is found from the end: what a run keeps is always the last answer to its question.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.agent.texts import same_form
from dm_core.agent.tools.declare import Kind
from dm_core.agent.tools.registry import NOTIFY, REACT, TOOLS
from dm_core.alerts import DIGEST, MODEL, AskedAlert
from dm_core.messages import Direction, Message
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Run, ToolResult, ToolTurn
from dm_evals.folded import folded
from dm_evals.observation import (
    Bubble,
    Effect,
    ModelCall,
    Notice,
    Observation,
    StoredAlert,
    StoredMessage,
    ToolUse,
    as_text,
)
from dm_evals.replay.gateway import Turn
from dm_evals.replay.recordings import tokens
from dm_evals.replay.replay_server import said_in
from dm_evals.replay.scheduler import Scheduler
from dm_evals.replay.trial_environment import TrialEnvironment
from dm_evals.scenarios.clock import milliseconds
from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.platforms.model_request import parts_of
from dm_sandbox.platforms.server import as_list, as_object

URGENT: Final = "URGENT, "
"""How a notice to the manager begins when it is urgent (``processing/alert_texts.py``)."""
TELLING: Final = 8
"""Characters below which a DM or a name may stand in another thread by chance."""


async def observe(environment: TrialEnvironment, scheduler: Scheduler, seeded: frozenset[str]) -> Observation:
    """Everything but ``crash`` and ``seconds``. Messages of before the scenario are not in ``messages``."""
    scenario, person, instagram = environment.scenario, environment.person, environment.instagram
    turns, whose = environment.runtime.gateway.turns, scheduler.whose
    profile = environment.runtime.profile
    zone = profile.time_zone
    snapshot = await environment.store.open(person.thread_id)
    thread = snapshot.thread if snapshot is not None else None
    stored = await environment.store.history(person.thread_id, 10_000)
    runs = _runs(environment, person.thread_id)
    used = [
        replace(use, by=name)
        for name, who in environment.people.items()
        for use in _tool_uses([t for t in turns if whose.get(t.number) == name], _runs(environment, who.thread_id))
    ]
    calls = tuple(_with_targets(environment, stored, turns, use) for use in sorted(used, key=lambda use: use.turn))
    replies = {name: tuple(instagram.sent_to(who.user_id)) for name, who in environment.people.items()}
    said = [said_in(turn.answer) for turn in turns]
    starts = sorted(session.starts for session in scenario.world.sessions or ())
    return Observation(
        scenario=scenario.name,
        trial=0,
        calls=calls,
        replies=replies[""],
        reactions=tuple(r.reaction for r in instagram.reactions if r.reaction and r.user_id == person.user_id),
        said=tuple(scheduler.said),
        others={name: texts for name, texts in replies.items() if name},
        mixed=tuple(_mixed(environment, turns, whose, replies)),
        not_shown=tuple(dict.fromkeys(line for turn in turns for line in _not_shown(turn))),
        effects=_effects(environment),
        plain_texts=tuple(text.strip() for called, text in said if text.strip() and not called),
        disclosures=tuple(line for _, line in profile.disclosure.lines),
        notices=tuple(Notice(alert.text, alert.text.startswith(URGENT)) for alert in environment.whatsapp.alerts),
        alerts=_alerts(environment),
        messages=tuple(_stored(message, scheduler.mids) for message in stored if message.id not in seeded),
        notes=tuple(note.text for note in thread.notes) if thread else (),
        paused=thread is not None and (thread.paused_until or 0) > environment.clock(),
        handed_over=thread is not None and thread.steering.handover is not None,
        runs=tuple(run.ending or "unfinished" for run in runs),
        guards=tuple(guard for run in runs for guard in run.guards),
        model_calls=tuple(_model_call(turn) for turn in turns),
        answers=tuple(delivery.status for delivery in person.sender.deliveries),
        sessions=tuple(start.astimezone(zone).isoformat() for start in starts),
        time_zone=zone.key,
        now=scenario.now.astimezone(zone).isoformat(),
        facts={name: profile.facts[name] for name in scenario.facts if name in profile.facts},
        bubbles=_bubbles(environment, scheduler, turns, calls),
    )


def _texts(request: Mapping[str, object]) -> Iterator[str]:
    """The texts of all parts of a request."""
    for content in as_list(request.get("contents")):
        yield from (str(part.get("text", "")) for part in parts_of(as_object(content)))


def _not_shown(turn: Turn) -> Iterable[str]:
    return (text for text in _texts(turn.request) if text.startswith('{"attached_to"') and '"not_shown"' in text)


def _mixed(
    environment: TrialEnvironment, turns: list[Turn], whose: Mapping[int, str], replies: Mapping[str, tuple[str, ...]]
) -> Iterable[str]:
    """Where words or the name of one person stand in what the model was asked, or in what was sent, for another."""
    own = {name: _own_words(environment, name) for name in environment.people}
    for name in environment.people:
        foreign = {words: other for other, texts in own.items() if other != name for words in texts - own[name]}
        asked = [as_text(t.request).replace("\\", "") for t in turns if whose.get(t.number) == name]
        for words, other in foreign.items():
            for place, texts in (("asked of the model", asked), ("sent", replies[name])):
                if any(folded(words) in folded(text) for text in texts):
                    yield f"{place} for {name or 'the person'}: {words!r} of {other or 'the person'}"


def _own_words(environment: TrialEnvironment, name: str) -> frozenset[str]:
    """The DMs of one person, and their names."""
    who = environment.scenario.others[name] if name else environment.scenario.person
    said = [event.text for event in environment.scenario.events if (event.by or "") == name]
    return frozenset(text for text in (*said, who.name, who.username) if text and len(text) >= TELLING)


def _runs(environment: TrialEnvironment, thread_id: str) -> tuple[Run, ...]:
    """Every run of a thread, oldest first; the unfinished one last."""
    runs = sorted(environment.database.runs.get(thread_id, {}).values(), key=lambda run: (run.started_at, run.id))
    live = environment.database.threads.get(thread_id)
    return (*runs, live.run) if live is not None and live.run is not None else tuple(runs)


# -- tool calls ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    """A model turn that a run kept, with its number in it: those that were thrown away count."""

    run: Run
    turn: ModelTurn
    number: int
    results: tuple[ToolResult, ...]


def _tool_uses(turns: list[Turn], runs: tuple[Run, ...]) -> list[ToolUse]:
    kept = [each for run in runs for each in _kept(run)]
    asked = [alert for run in runs for alert in run.alerts if alert.cause == MODEL]
    found: list[ToolUse] = []
    for turn in reversed(turns):
        calls, _ = said_in(turn.answer)
        same = kept and [*calls] == [(call.name, dict(call.arguments)) for call in kept[-1].turn.calls]
        mine = kept.pop() if same else None
        for index, (name, arguments) in reversed(list(enumerate(calls))):
            found.append(ToolUse(turn.number, index, name, arguments, *_came_of(index, name, arguments, mine, asked)))
    return found[::-1]


def _kept(run: Run) -> Iterable[_Kept]:
    """A turn's number counts those that were thrown away before it; of these the run only knows how many there were."""
    after = 0
    for place, (turn, following) in enumerate(zip(run.turns, (*run.turns[1:], None), strict=True)):
        if isinstance(turn, ModelTurn):
            kept = sum(isinstance(earlier, ModelTurn) for earlier in run.turns[:place])
            most = kept + run.dropped_turns
            number = next((n for n in range(after, most) if _acted(run, n, turn)), most)
            yield _Kept(run, turn, number, following.results if isinstance(following, ToolTurn) else ())
            after = number + 1 if _acted(run, number, turn) else after


def _acted(run: Run, number: int, turn: ModelTurn) -> bool:
    """The run's actions of this number are those that the turn asked for."""
    texts = {index: same_form(str(call.arguments.get("text"))) for index, call in enumerate(turn.calls)}
    actions = [action for action in run.actions if action.turn == number]
    return bool(actions) and all(
        action.kind is ActionKind.REACT or same_form(action.text)[:TELLING] in texts.get(action.call_index, "")
        for action in actions
    )


def _came_of(
    index: int, name: str, arguments: Mapping[str, object], kept: _Kept | None, asked: list[AskedAlert]
) -> tuple[str, Mapping[str, object]]:
    """A call's outcome and result. ``asked``: the alerts the model asked for, which are stored even if their turn is
    thrown away; an archived run whose DM was taken back has them without their words.
    """
    text = same_form(str(arguments.get("text")))
    if name == NOTIFY and any(not alert.text or same_form(alert.text) == text for alert in asked):
        return "done", {}
    if kept is None:
        return "discarded", {}
    told = kept.results[index] if index < len(kept.results) else None
    failed = told is not None and told.error is not None
    result = {} if told is None else {"error": told.error} if failed else told.output
    actions = [each for each in kept.run.actions if each.turn == kept.number and each.call_index == index]
    if actions:
        error = next((action.error for action in actions if action.error), None)
        return _fate(actions), result or ({"error": error} if error else {})
    tool = TOOLS.get(name)
    if tool is not None and tool.kind is not Kind.ACTION:
        return "error" if failed else "answered", result
    return "refused" if failed or tool is None else "dropped", result


def _fate(actions: list[Action]) -> str:
    """One word for one call, whose text may have gone out in several parts: the worst of them."""
    states = {action.state for action in actions}
    if any(action.in_doubt for action in actions) or ActionState.UNCERTAIN in states:
        return "uncertain"
    for state in (ActionState.REFUSED, ActionState.DROPPED, ActionState.PLANNED):
        if state in states:
            return "dropped" if state is ActionState.PLANNED else state.value
    return ActionState.DONE.value


def _alerts(environment: TrialEnvironment) -> tuple[StoredAlert, ...]:
    """What was stored for the manager, oldest first; a digest is only how several of them travelled."""
    stored = (each.alert for each in environment.database.alerts.values())
    alerts = sorted((alert for alert in stored if alert.cause != DIGEST), key=lambda alert: alert.created_at)
    return tuple(
        StoredAlert(alert.text, alert.is_urgent, alert.cause, alert.state.value, alert.alarmed_at is not None)
        for alert in alerts
    )


# -- what left ----------------------------------------------------------------------------------------------


def _effects(environment: TrialEnvironment) -> tuple[Effect, ...]:
    """As the platforms took it, whoever it was for."""
    whose = {who.user_id: name or "person" for name, who in environment.people.items()}
    beside = {record.facts.get("mid"): _beside(as_object(record.body)) for record in environment.instagram.records}
    sent = [
        (m.at, Effect("send", f"{m.text}{beside.get(m.mid, '')}", whose.get(m.to_id, m.to_id)))
        for m in environment.instagram.sent
    ]
    reacted = [
        (each.at, Effect("react", each.reaction or "taken back", whose.get(each.user_id, each.user_id), each.mid))
        for each in environment.instagram.reactions
    ]
    manager = "".join(filter(str.isdigit, MANAGER_NUMBER))
    told = [Effect("alert", a.text, "manager" if a.to == manager else a.to) for a in environment.whatsapp.alerts]
    return (*(effect for _, effect in sorted((*sent, *reacted), key=lambda each: each[0])), *told)


def _beside(body: Mapping[str, object]) -> str:
    """What a message carries that is no text, and nobody asks for: buttons, a quotation, a tag; empty for none."""
    message = {name: value for name, value in as_object(body.get("message")).items() if name != "text"}
    others = {name: value for name, value in body.items() if name not in ("recipient", "message", "messaging_type")}
    found = {**others, **message}
    return f" with {as_text(found)}" if found else ""


def _with_targets(environment: TrialEnvironment, stored: Sequence[Message], turns: list[Turn], use: ToolUse) -> ToolUse:
    """A reaction with the messages its handle may mean: those with the words that the model was shown beside it."""
    if use.name != REACT:
        return use
    request = next(turn.request for turn in turns if turn.number == use.turn)
    lines = [line for text in _texts(request) for line in text.splitlines() if line.startswith('{"handle"')]
    shown = {str(fields.get("handle")): fields for fields in map(as_object, map(json.loads, lines))}
    meant = shown.get(str(use.arguments.get("message_id", "")).strip())
    if meant is None:
        return use
    mails = {m.mid: m.text for m in environment.instagram.messages if m.from_id == environment.person.user_id}
    texts = mails | {m.mid: m.content.text or "" for m in stored if m.direction is Direction.INBOUND}
    words = meant.get("text")
    fits = tuple(mid for mid, text in texts.items() if words is None or text == words)
    return replace(use, targets=fits or tuple(texts))


# -- the rest -----------------------------------------------------------------------------------------------


def _stored(message: Message, mids: Mapping[str, str]) -> StoredMessage:
    """Under the event's own id where it has one."""
    name = next((name for name, mid in mids.items() if mid == message.mid), message.id[:12])
    content = message.content
    text = content.text or content.postback or " ".join(f"[{each.type}]" for each in content.attachments)
    disposition = message.disposition.value if message.disposition is not None else None
    return StoredMessage(name, message.direction.value, message.status.value, disposition, text, message.error)


def _model_call(turn: Turn) -> ModelCall:
    used, answered = tokens(as_object(turn.answer.get("usageMetadata")))
    return ModelCall(turn.number, "live", turn.model, used, answered, turn.latency_ms)


def _bubbles(
    environment: TrialEnvironment, scheduler: Scheduler, turns: list[Turn], calls: tuple[ToolUse, ...]
) -> tuple[Bubble, ...]:
    """History, DMs, replies, notices and calls, in order of time."""
    at = {turn.number: turn.at for turn in turns}
    used = [
        Bubble(at[c.turn], "tool", f"{c.name}({as_text(c.arguments)})", f"{c.outcome} {as_text(c.result)}")
        for c in calls
    ]
    before = [
        Bubble(environment.now - milliseconds(past.ago), past.by, past.text, "before the scenario")
        for past in environment.scenario.world.history
    ]
    told = [Bubble(alert.at, "manager", alert.text) for alert in environment.whatsapp.alerts]
    reacted = [Bubble(each.at, "bot", f"[reaction] {each.reaction}") for each in environment.instagram.reactions]
    return tuple(sorted([*before, *scheduler.bubbles, *used, *told, *reacted], key=lambda bubble: bubble.at))
