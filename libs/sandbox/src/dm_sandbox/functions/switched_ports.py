"""Ports that fail, or kill their instance, when the studio says so; else the adapter's own behaviour."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from dm_core.bootstrap.processor import Ports
from dm_core.errors import QueueUnavailable, StoreUnavailable
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.store.port import UNSET, Store, ThreadChange
from dm_sandbox.functions.control import Control

type Call = Callable[..., Awaitable[object]]


class Switchable:
    """Passes every call on to a port, unless ``refuse`` raises first; ``after`` sees what was done."""

    def __init__(self, port: object, refuse: Callable[[], None], after: Callable[[str, object], None]) -> None:
        self._port, self._refuse, self._after = port, refuse, after

    def __getattr__(self, name: str) -> Call:
        method = cast("Call", getattr(self._port, name))

        async def call(*arguments: object, **named: object) -> object:
            if name != "close":
                self._refuse()
            answer = await method(*arguments, **named)
            self._after(name, arguments[0] if arguments else None)
            return answer

        return call


def switched_store(store: Store, control: Control) -> Store:
    """The store, down when it is switched off; its checkpoints are where an instance is killed."""

    def refuse() -> None:
        if control.now.store_down:
            raise StoreUnavailable("switched off in the studio")

    def after(method: str, change: object) -> None:
        if method == "commit" and isinstance(change, ThreadChange) and _is_checkpoint(change):
            control.die_if_ordered()

    return cast("Store", Switchable(store, refuse, after))


def switched_queue[Q: (WakeUpQueue, AlertQueue)](queue: Q, control: Control) -> Q:
    """A queue, down when it is switched off."""

    def refuse() -> None:
        if control.now.queue_down:
            raise QueueUnavailable("switched off in the studio")

    return cast("Q", Switchable(queue, refuse, lambda _method, _argument: None))


def switched(ports: Ports, control: Control) -> Ports:
    """The processor's store and queues behind the switchboard."""
    return replace(
        ports,
        store=switched_store(ports.store, control),
        queue=switched_queue(ports.queue, control),
        alert_queue=switched_queue(ports.alert_queue, control),
    )


def _is_checkpoint(change: ThreadChange) -> bool:
    """It says what is about to go out."""
    run = None if change.run is UNSET else change.run
    return run is not None and any(action.in_doubt for action in run.actions)
