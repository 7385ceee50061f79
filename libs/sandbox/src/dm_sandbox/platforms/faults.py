"""Scripted faults: what a platform does wrong, to which operation, how many times, in a fixed order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypedDict, Unpack


class FaultKind(StrEnum):
    """The ways a platform fails. "Before" and "after" are seen from the processing of the request."""

    ERROR = "error"  # rejected before processing with the platform's error shape
    THROTTLE = "throttle"  # rejected with the platform's throttle code and usage header
    STALL = "stall"  # nothing happens for some seconds, then the connection is cut; not processed
    STALL_AFTER = "stall_after"  # processed, then silence for some seconds, then the connection is cut
    DROP_BEFORE = "drop_before"  # the connection is cut, nothing was processed
    DROP_AFTER = "drop_after"  # processed, then the connection is cut without an answer
    DELAY = "delay"  # processed and answered, late
    ERROR_AFTER = "error_after"  # processed, yet answered with an error
    NOT_JSON = "not_json"  # an HTML page where JSON belongs; not processed
    HUGE = "huge"  # a body of several MiB; not processed


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault. ``operation`` "*" meets any request; ``times`` is how many requests it still takes.

    ``seconds`` is for stalls and delays, ``wait_minutes`` for throttles (``retry_delay`` for the model's, in its own
    words), ``size`` (bytes) for huge bodies.
    ``status`` 0 and ``code`` 0 leave the platform's usual number.
    """

    kind: FaultKind
    operation: str = "*"
    times: int = 1
    status: int = 0
    code: int = 0
    subcode: int = 0
    message: str = ""
    seconds: float = 0.0
    wait_minutes: int = 0
    retry_delay: str = ""
    size: int = 8 * 1024 * 1024
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class FaultDetails(TypedDict, total=False):
    """The fields of ``Fault`` a script may set."""

    status: int
    code: int
    subcode: int
    message: str
    seconds: float
    wait_minutes: int
    retry_delay: str
    size: int
    headers: Mapping[str, str]


class Faults:
    """The faults still to come, met first in, first out; then the standing ones, which are met until taken away."""

    def __init__(self) -> None:
        self.standing: dict[str, Fault] = {}
        self._queue: list[Fault] = []

    def add(self, kind: FaultKind | str, operation: str = "*", times: int = 1, **details: Unpack[FaultDetails]) -> None:
        """Script a fault; ``details`` are the other fields of ``Fault``."""
        self._queue.append(Fault(FaultKind(kind), operation, times, **details))

    def take(self, operation: str) -> Fault | None:
        """The next fault for a request of this operation, used up by one."""
        for index, fault in enumerate(self._queue):
            if fault.operation in ("*", operation):
                if fault.times <= 1:
                    del self._queue[index]
                else:
                    self._queue[index] = replace(fault, times=fault.times - 1)
                return fault
        return next((each for each in self.standing.values() if each.operation in ("*", operation)), None)

    def clear(self) -> None:
        """Forget what has not been met, and what stands."""
        self._queue.clear()
        self.standing.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        return tuple(self._queue)
