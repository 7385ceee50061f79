"""The webhook's bytes once more, without the store: signature, parsing and sorting only, for campaigns of millions.

``parse_item`` turns any exception into a quarantined item, so that one item can't block the others. That is right in
production and would hide a defect here (the DM in the item is not answered), so no item may end in that net.
"""

import zlib
from typing import Final

from dm_core.messages import EventKind, message_id
from dm_core.webhook.batches import Batches
from dm_core.webhook.payload import NotJson, parse
from dm_core.webhook.quarantine import MAX_QUARANTINED
from dm_core.webhook.signature import matching_secret
from dm_sandbox.fuzzing.campaign import Broken
from dm_sandbox.fuzzing.seeds import NOW
from dm_sandbox.fuzzing.webhook import SECRETS, WebhookTarget, body_of, forged, good_dm, sign

_ALL: Final = frozenset[str]()
_NET: Final = "parsing failed"


class ParsingTarget(WebhookTarget):
    """Same inputs, same promises, as far as they are kept before the store; and no exception in a parser."""

    name = "webhook_parse"

    async def check(self, data: bytes) -> str:
        """The signature is judged rightly; a whole body is sorted; every good DM is in its batch."""
        body, survivors = body_of(data)
        mark = zlib.crc32(data)
        if matching_secret(forged(body, mark), body, SECRETS) is not None:
            raise Broken("a request that was not signed was taken")
        if matching_secret(sign(body, SECRETS[mark % 2]), body, SECRETS) != mark % 2:
            raise Broken("a signed request was refused")
        try:
            batches = Batches.of(parse(body, NOW), _ALL)
        except NotJson:
            if survivors:
                raise Broken("JSON was taken for none") from None
            return "not JSON"
        if saved := next((item.reason for item in batches.unknown.values() if item.reason.startswith(_NET)), ""):
            raise Broken(f"an item was saved by the net only: {saved}")
        for number in range(survivors):
            thread_id, mid, _ = good_dm(number)
            batch = batches.threads.get(thread_id)
            event = batch and batch.inbound.get(message_id(EventKind.MESSAGE, mid))
            if event is None or event.content.text != f"good {number}":
                raise Broken("a good DM beside a hostile item was lost or changed")
        if len(batches.unknown) > MAX_QUARANTINED or any(len(item.raw) > 200_000 for item in batches.unknown.values()):
            raise Broken("more than the bounded part of it goes to quarantine")
        return "sorted" if survivors else "sorted, raw"
