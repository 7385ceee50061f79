"""Why the agent said something: the run behind a message, turn by turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dm_admin.reads import Reads
from dm_admin.views.messages import MessageView, message_view, with_switch
from dm_core.messages import Disposition, Message
from dm_core.runs import Action, ActionState, DraftState, ModelTurn, Run, ToolTurn, Turn
from dm_core.threads import Thread


@dataclass(frozen=True, slots=True)
class CallView:
    """A tool call with what it gave: its ``output``, or why it gave none. An action's outcome is in ``ActionView``."""

    name: str
    arguments: object
    output: object
    error: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    """One answer of the model: its words, its calls, how it ended and how long it took."""

    said: str
    calls: tuple[CallView, ...]
    finish: str
    detail: str
    model: str
    latency_ms: int
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class ActionView:
    """What the outside saw of a run, or was to see. ``resent``: it was in doubt, and was sent once more."""

    kind: str
    text: str
    state: str
    started_at: int | None
    ended_at: int | None
    error: str | None
    platform_id: str | None
    resent: bool


@dataclass(frozen=True, slots=True)
class DraftView:
    """What the manager made of a draft: its ``state``, and who decided when (ms since 1970).

    ``waiting`` in a run that has ended: nobody decided.
    """

    state: DraftState
    by: str
    at: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run. ``ended_at`` None: it is under way. ``guards``: what code refused whatever the model wanted.

    ``asked_alerts``: what the manager was to be told. ``restarts``: how often new DMs made it start over.
    """

    id: str
    started_at: int
    ended_at: int | None
    ending: str | None
    error: str | None
    prompt_hash: str
    message_ids: tuple[str, ...]
    steps: tuple[StepView, ...]
    actions: tuple[ActionView, ...]
    draft: DraftView | None
    asked_alerts: tuple[str, ...]
    guards: tuple[str, ...]
    notes: tuple[str, ...]
    restarts: int
    repairs: int
    withdrawn: bool
    model_calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    thought_tokens: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a message is there, or what became of it. ``dms``: those that the run answered, as far as they are kept.

    ``run`` None: there was none, or its archive has expired; ``why`` says which, or what the run came to, or what an
    open DM waits for. ``waits_until`` (ms since 1970): when what it waits for is tried again.
    """

    message: MessageView
    why: str
    dms: tuple[MessageView, ...]
    run: RunView | None
    waits_until: int | None = None


def run_view(run: Run, ended_at: int | None = None) -> RunView:
    """One run, live or archived."""
    spent = run.spent
    return RunView(
        id=run.id,
        started_at=run.started_at,
        ended_at=ended_at,
        ending=run.ending,
        error=run.error,
        prompt_hash=run.prompt_hash,
        message_ids=run.message_ids,
        steps=tuple(_steps(run.turns)),
        actions=tuple(map(_action, run.actions)),
        draft=DraftView(run.draft.state, run.draft.by, run.draft.at) if run.draft else None,
        asked_alerts=tuple(alert.text for alert in run.alerts),
        guards=run.guards,
        notes=run.notes,
        restarts=run.restarts,
        repairs=run.repairs,
        withdrawn=run.withdrawn,
        model_calls=spent.calls,
        input_tokens=spent.input_tokens,
        cached_tokens=spent.cached_tokens,
        output_tokens=spent.output_tokens,
        thought_tokens=spent.thought_tokens,
        usd=spent.usd,
    )


def _steps(turns: Sequence[Turn]) -> Iterator[StepView]:
    for number, turn in enumerate(turns, 1):
        if isinstance(turn, ModelTurn):
            following = turns[number] if number < len(turns) else None
            yield _step(turn, following if isinstance(following, ToolTurn) else None)


def _step(turn: ModelTurn, results: ToolTurn | None) -> StepView:
    given = results.results if results else ()
    calls = [
        CallView(
            call.name,
            dict(call.arguments),
            dict(given[number].output) if number < len(given) else {},
            given[number].error if number < len(given) else None,
        )
        for number, call in enumerate(turn.calls)
    ]
    return StepView(
        said=turn.text,
        calls=tuple(calls),
        finish=turn.finish,
        detail=turn.detail,
        model=turn.model_version,
        latency_ms=turn.latency_ms,
        input_tokens=turn.usage.input_tokens,
        output_tokens=turn.usage.output_tokens,
    )


def _action(action: Action) -> ActionView:
    return ActionView(
        action.kind,
        action.text,
        action.state,
        action.started_at,
        action.ended_at,
        action.error,
        action.platform_id,
        action.resent,
    )


async def explain(reads: Reads, message: Message) -> Answer:
    """The run behind a message: of a DM the one that ended it, of a reply the one that sent it."""
    view = message_view(message)
    if view.outcome == Disposition.OFF:
        view = with_switch(view, await reads.switching(message.thread_id))
    thread = await reads.store.get_thread(message.thread_id) if message.is_unprocessed else None
    why, waits_until = _waits_for(thread) if thread else ("", None)
    if not message.run_id:
        return Answer(view, why or view.because, (), None, waits_until)
    run = await _run(reads, message, thread)
    if run is None:
        return Answer(view, why or f"{view.because}; its run is not kept any more", (), None, waits_until)
    found = [await reads.store.documents.get("messages", id_, message.thread_id) for id_ in run.message_ids]
    dms = tuple(message_view(each) for each in reads.parsed([document for document in found if document]))
    return Answer(view, why or _by_run(message, run) or view.because, dms, run, waits_until)


def _by_run(message: Message, run: RunView) -> str:
    """Why a DM ended so, where its run knows better than its disposition; else empty."""
    match message.disposition, run.draft and run.draft.state:
        case Disposition.HUMAN, DraftState.DROP:
            return "the manager dropped the draft of its answer"
        case Disposition.EXPIRED, DraftState.WAITING:
            return "nobody decided the draft of its answer before Instagram's 24 hours were nearly over"
        case Disposition.EXPIRED, _ if any(map(_unreachable, run.actions)):
            return "Instagram said that its 24 hours were over"
        case _:
            return ""


def _unreachable(action: ActionView) -> bool:
    """Refused by Instagram, not by a guard of ours."""
    return action.state == ActionState.REFUSED and (action.error or "").startswith("Unreachable")


def _waits_for(thread: Thread) -> tuple[str, int | None]:
    """What an open DM of this thread waits for, and until when, where it is more than the next run."""
    if drafted(thread.run):
        return "a draft of the answer waits for the manager's word", None
    if thread.not_before is not None:
        return "a service does not answer, or refuses the account: it is tried again by itself", thread.not_before
    return "", None


def drafted(run: Run | None) -> bool:
    """Whether what a run would send waits for the manager."""
    draft = run.newest_draft if run else None
    return draft is not None and draft.state is DraftState.WAITING


async def _run(reads: Reads, message: Message, thread: Thread | None) -> RunView | None:
    """The live one, where the thread is at hand; else the archived one, else the live one all the same."""
    if (found := _live(thread, message)) is not None:
        return found
    archived = await reads.run(message.thread_id, message.run_id or "")
    if archived is not None:
        return run_view(archived.run, archived.ended_at)
    return _live(await reads.store.get_thread(message.thread_id), message)


def _live(thread: Thread | None, message: Message) -> RunView | None:
    run = thread.run if thread else None
    return run_view(run) if run is not None and run.id == message.run_id else None
