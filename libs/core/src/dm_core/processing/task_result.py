"""How a task ended, as told to Cloud Tasks, and how a run ended, as written into its messages."""

from dataclasses import dataclass
from enum import StrEnum

from dm_core.messages import Disposition, Status
from dm_core.runs import Run


class RunStatus(StrEnum):
    """The answer to one task."""

    PROCESSED = "processed"  # the thread's DMs ended
    FAILED = "failed"  # they ended as failed, the manager was told
    NOTHING_TO_DO = "nothing_to_do"  # nothing pending, no unfinished run
    BUSY = "busy"  # another task holds the lease; its finish sees what is new
    SUPERSEDED = "superseded"  # the lease was lost, or the thread erased, in mid-run; nothing more was written
    RETRY_LATER = "retry_later"  # a service cannot be used now; a later wake-up is scheduled
    IGNORED = "ignored"  # not a task we understand; a retry can't mend it
    CONFLICT = "conflict"  # Cloud Tasks must come again (409: never 429 or 503, those slow the whole queue)
    ERROR = "error"  # the run failed and will be retried (500)

    @property
    def http_status(self) -> int:
        return {RunStatus.CONFLICT: 409, RunStatus.ERROR: 500}.get(self, 200)


class Ending(StrEnum):
    """Why a run ended; decides what its messages become."""

    ANSWERED = "answered"
    NO_REPLY = "no_reply"
    HUMAN = "human"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNSENT = "unsent"
    UNCERTAIN = "uncertain"
    HANDED_OVER = "handed_over"
    FAILED = "failed"
    LIMITED = "limited"
    OFF = "off"
    STOPPED = "stopped"

    @classmethod
    def _missing_(cls, value: object) -> "Ending":  # noqa: ARG003 - whatever it is
        """A word that another revision left in a live run: what it meant nobody knows, so the manager is told."""
        return cls.FAILED

    @property
    def message_status(self) -> Status:
        return Status.FAILED if self is Ending.FAILED else Status.PROCESSED

    @property
    def disposition(self) -> Disposition | None:
        """None for an ordinary answer and for a failure (which has an error instead)."""
        if self in (Ending.ANSWERED, Ending.FAILED):
            return None
        return Disposition(self.value)


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The body of the processor's answer. ``messages``, ``actions`` and ``model_turns`` are counts."""

    status: RunStatus
    thread_id: str
    run_id: str | None = None
    messages: int = 0
    actions: int = 0
    model_turns: int = 0
    ending: Ending | None = None
    follow_up: bool = False
    duration_ms: int = 0
    error: str | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "status": self.status.value,
            "threadId": self.thread_id,
            "runId": self.run_id,
            "messages": self.messages,
            "actions": self.actions,
            "modelTurns": self.model_turns,
            "ending": self.ending.value if self.ending else None,
            "followUp": self.follow_up,
            "durationMs": self.duration_ms,
            "error": self.error,
        }


def figures(run: Run) -> dict[str, object]:
    """What a run did and cost, for logs and metrics. ``usd`` is null where a price is not known."""
    spent = run.spent
    return {
        "messages": len(run.message_ids),
        "modelCalls": spent.calls,
        "actions": [action.state.value for action in run.actions],
        "alerts": len(run.alerts),
        "restarts": run.restarts,
        "guards": list(run.guards),
        "modelMs": sum(turn.latency_ms for turn in run.model_turns),
        "inputTokens": spent.input_tokens,
        "cachedTokens": spent.cached_tokens,
        "outputTokens": spent.output_tokens + spent.thought_tokens,
        "usd": spent.usd,
        "promptHash": run.prompt_hash,
    }
