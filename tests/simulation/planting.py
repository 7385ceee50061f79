"""How a deliberate defect gets into the product for a while, and out again."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

Patch = Callable[[object, str, Callable[[Any], Any]], None]
"""``patch(owner, name, make)`` replaces an attribute of an owner by ``make(original)``."""

Defect = Callable[[Patch], None]
"""Replaces something by means of a patch."""


def always(value: object) -> Callable[..., object]:
    """A function of anything that answers the same."""

    def answer(*_: object, **__: object) -> object:
        return value

    return answer


@contextmanager
def planted_defect(defect: Defect) -> Generator[None]:
    """The product with this defect, inside the block."""
    with ExitStack() as undo:

        def patch(owner: object, attribute: str, make: Callable[[Any], Any]) -> None:
            descriptor, original = cast("object", vars(owner)[attribute]), getattr(owner, attribute)
            setattr(owner, attribute, make(original))
            undo.callback(setattr, owner, attribute, descriptor)

        defect(patch)
        yield
