"""What a campaign steered by branches checks beyond the other one: that no parser has to be saved by its net.

``parse_item`` turns any exception into a quarantined item, so that one item can't block the others. That is right in
production and hides a defect from a campaign: the DM in the item is not answered.
"""

from dm_core.webhook.batches import Batches
from dm_core.webhook.payload import NotJson, parse
from dm_sandbox.fuzzing.engine import Broken
from dm_sandbox.fuzzing.parsing import ParsingTarget
from dm_sandbox.fuzzing.seeds import NOW
from dm_sandbox.fuzzing.webhook import body_of

_NET = "parsing failed"


class NetlessParsingTarget(ParsingTarget):
    """The webhook's bytes without the store; no item may end in the net."""

    async def check(self, data: bytes) -> str:
        """As the parsing target, and no quarantined item has an exception as its reason."""
        word = await super().check(data)
        try:
            batches = Batches.of(parse(body_of(data)[0], NOW), frozenset())
        except NotJson:
            return word
        for item in batches.unknown.values():
            if item.reason.startswith(_NET):
                raise Broken(f"an item was saved by the net only: {item.reason}")
        return word
