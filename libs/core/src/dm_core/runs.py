"""A run as a value: one claim of a thread's pending messages, its model turns and its actions.

A conversation with the model is a sequence of turns: ours (``UserTurn``, ``ToolTurn``) and the model's
(``ModelTurn``). Model turns keep what the model returned, byte for byte, so that a resumed run continues
where it stopped and never pays for the same answer twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dm_core.alerts import AskedAlert, Urgency
from dm_core.media import Media, MediaLook
from dm_core.usage import Spent


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What we show the model: history and DMs as marked data, or a nudge.

    ``mids``: the messages whose files it shows too. ``attached`` follows the text: those files, and lines that
    say whose they are. It is made for each request, and never stored.
    """

    text: str
    mids: tuple[str, ...] = ()
    attached: tuple[str | Media, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model asked for. ``id`` is the model's own, echoed back; None when it gave none."""

    name: str
    arguments: Mapping[str, object]
    id: str | None = None


class Finish(StrEnum):
    """How a model turn ended, reduced to what the run must do about it."""

    COMPLETE = "complete"  # text, calls or both can be used
    BLOCKED = "blocked"  # prompt or answer withheld by a safety filter
    MALFORMED = "malformed"  # an unusable function call
    TRUNCATED = "truncated"  # cut by a token limit
    EMPTY = "empty"  # nothing in it


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model turn, as billed; None where the model did not say. Pictures, sound and video are among the
    ``input_tokens``."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    thought_tokens: int | None = None
    image_tokens: int | None = None
    audio_tokens: int | None = None
    video_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ModelTurn:
    """One answer of the model. ``content`` is the content as returned (JSON), thought signatures included."""

    content: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: Finish = Finish.COMPLETE
    usage: Usage = Usage()
    model_version: str = ""
    detail: str = ""
    latency_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to one call, in the order of the calls. Exactly one of ``output`` and ``error`` is meaningful."""

    name: str
    id: str | None = None
    output: Mapping[str, object] = field(default_factory=dict[str, object])
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ToolTurn:
    """Our answers to one model turn's calls."""

    results: tuple[ToolResult, ...]


Turn = UserTurn | ModelTurn | ToolTurn


class ActionKind(StrEnum):
    """What the outside sees."""

    SEND = "send"
    REACT = "react"
    NOTIFY = "notify"  # only in documents of revisions before alerts had documents of their own: never performed
    UNKNOWN = "unknown"  # a kind of a newer revision: never performed


class ActionState(StrEnum):
    """How far an action is. Only ``PLANNED`` with ``started_at`` set is in doubt after a crash."""

    PLANNED = "planned"  # stored by a checkpoint; certain not to have gone out while started_at is unset
    DONE = "done"  # the platform gave an id
    REFUSED = "refused"  # the platform, or a guard, said no
    UNCERTAIN = "uncertain"  # looked up and not found: it may have gone out
    DROPPED = "dropped"  # given up before it started (takeover, window, earlier failure)


@dataclass(frozen=True, slots=True)
class Action:
    """One effect, under a key that is stable over retries (``runId/turn/index``, with ``.part`` when split).

    ``call_index`` is the position of the tool call in its turn. ``target`` is the
    platform's id of the message a reaction belongs to. ``looked_at``: when a look-up that worked first did not find
    a send in doubt. ``resent``: it was in doubt, and is sent once more. Times in ms since 1970.
    """

    key: str
    kind: ActionKind
    text: str
    call_index: int
    turn: int
    target: str | None = None
    urgency: Urgency = "normal"
    state: ActionState = ActionState.PLANNED
    started_at: int | None = None
    ended_at: int | None = None
    platform_id: str | None = None
    error: str | None = None
    looked_at: int | None = None
    resent: bool = False

    @property
    def is_open(self) -> bool:
        return self.state is ActionState.PLANNED

    @property
    def in_doubt(self) -> bool:
        """It may have gone out, and nobody recorded the result."""
        return self.state is ActionState.PLANNED and self.started_at is not None

    @property
    def went_out(self) -> bool:
        """It went out, or may have."""
        return self.state in (ActionState.DONE, ActionState.UNCERTAIN) or self.in_doubt


@dataclass(frozen=True, slots=True)
class Asked:
    """What the model's newest answer rests on: ``revision`` of the thread that its turns show, and ``at``, when the
    answer arrived (ms since 1970; 0 while there is none)."""

    revision: int
    at: int = 0


class DraftState(StrEnum):
    """What the manager made of a draft."""

    WAITING = "waiting"  # nobody has decided; nothing of it goes out
    SEND = "send"  # it goes out as the model wrote it
    EDIT = "edit"  # the manager's own words go out instead
    DROP = "drop"  # nothing goes out


@dataclass(frozen=True, slots=True)
class Draft:
    """The actions of one turn, which wait for the manager's word. ``alert_id``: what shows it to the manager.

    ``by`` and ``at`` (ms since 1970): who decided, and when; ``item_id``: by which message.
    """

    turn: int
    alert_id: str
    state: DraftState = DraftState.WAITING
    by: str = ""
    at: int | None = None
    item_id: str = ""

    @property
    def is_released(self) -> bool:
        return self.state in (DraftState.SEND, DraftState.EDIT)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a thread. ``handles`` maps the short ids shown to the model (``m1``) to platform ids.

    ``shown`` is a digest of the DMs as the turns show them: it tells an edit or an unsend from a new DM. ``restarts``
    counts how often new DMs made the run start over, ``repairs`` how often a refused send went back to the model.
    ``alerts`` are stored by the commit that first stores them here. ``dropped_turns`` counts model turns that are no
    longer among ``turns``, so that no key is used twice; ``fresh_from`` is the first turn that knew of the newest DMs.
    ``withdrawn``: a message that the model was shown was unsent, so the archive keeps no words of it.
    ``spent`` holds every model call of the run, also those whose turns were thrown away; ``model_calls`` only those
    since it last started over, which is what the limit of turns is about. ``script``: the ending of a run that asks no
    model, because what it says and how it ends was decided by rules. ``draft``: the turn that waits, or waited, for the
    manager's word. ``looks``: which files the model was shown, and which not.

    The first user turn lives only as long as the run: the archive keeps message ids instead, so that an unsent or
    erased message does not survive in it.
    """

    id: str
    task_name: str
    started_at: int
    message_ids: tuple[str, ...]
    prompt_hash: str
    handles: Mapping[str, str] = field(default_factory=dict[str, str])
    turns: tuple[Turn, ...] = ()
    actions: tuple[Action, ...] = ()
    alerts: tuple[AskedAlert, ...] = ()
    guards: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked: Asked | None = None
    shown: str = ""
    restarts: int = 0
    repairs: int = 0
    dropped_turns: int = 0
    fresh_from: int = 0
    withdrawn: bool = False
    ending: str | None = None
    error: str | None = None
    model_calls: int = 0
    spent: Spent = field(default_factory=Spent)
    timings: Mapping[str, int] = field(default_factory=dict[str, int])
    script: str | None = None
    draft: Draft | None = None
    looks: tuple[MediaLook, ...] = ()

    @property
    def newest_draft(self) -> Draft | None:
        """The draft that the newest turn's actions are; None: they are none."""
        return self.draft if self.draft is not None and self.draft.turn == self.next_turn - 1 else None

    @property
    def waits_for_manager(self) -> bool:
        """Its newest turn is a draft that nobody has decided."""
        return self.newest_draft is not None and self.newest_draft.state is DraftState.WAITING

    @property
    def acted(self) -> bool:
        """Something went out, or may have; an alert that was asked for counts."""
        return bool(self.alerts) or any(action.went_out for action in self.actions)

    @property
    def replied(self) -> bool:
        """A reply to the newest of its DMs surely went out; an earlier one answers none that the run took in later."""
        sends = (a for a in self.actions if a.kind is ActionKind.SEND and a.state is ActionState.DONE)
        return any(action.turn >= self.fresh_from for action in sends)

    @property
    def model_turns(self) -> tuple[ModelTurn, ...]:
        return tuple(turn for turn in self.turns if isinstance(turn, ModelTurn))

    @property
    def next_turn(self) -> int:
        """The number of the model turn that comes next, counted over the whole run."""
        return self.dropped_turns + len(self.model_turns)

    def with_action(self, action: Action) -> "Run":
        """The run with the action of the same key replaced."""
        return replace(self, actions=tuple(action if a.key == action.key else a for a in self.actions))


def upgraded(run: Run) -> Run:
    """A run that another revision stored, as this one goes on with it.

    A notice of old becomes an alert unless it went out, or may have; an action of an unknown kind is given up.
    """
    old = tuple(action for action in run.actions if action.kind is ActionKind.NOTIFY and action.is_open)
    alerts = (AskedAlert(action.key, action.text, urgency=action.urgency) for action in old)
    known = (ActionKind.SEND, ActionKind.REACT)
    actions = (
        action if action.kind in known or not action.is_open else replace(action, state=ActionState.DROPPED)
        for action in run.actions
    )
    return replace(run, actions=tuple(actions), alerts=(*run.alerts, *alerts))
