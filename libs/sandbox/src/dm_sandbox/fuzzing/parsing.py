"""The webhook's bytes once more, without the store: signature, parsing and sorting only, for campaigns of millions."""

import zlib
from typing import Final

from dm_core.messages import EventKind, message_id
from dm_core.webhook.batches import MAX_QUARANTINED, Batches
from dm_core.webhook.payload import NotJson, parse
from dm_core.webhook.signature import matching_secret
from dm_sandbox.fuzzing.engine import Broken
from dm_sandbox.fuzzing.seeds import NOW
from dm_sandbox.fuzzing.webhook import SECRETS, WebhookTarget, body_of, forged, good_dm, sign

_ALL: Final = frozenset[str]()


class ParsingTarget(WebhookTarget):
    """Same inputs, same promises, as far as they are kept before the store."""

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
        for number in range(survivors):
            thread_id, mid, _ = good_dm(number)
            batch = batches.threads.get(thread_id)
            event = batch and batch.inbound.get(message_id(EventKind.MESSAGE, mid))
            if event is None or event.content.text != f"good {number}":
                raise Broken("a good DM beside a hostile item was lost or changed")
        if len(batches.unknown) > MAX_QUARANTINED or any(len(item.raw) > 200_000 for item in batches.unknown.values()):
            raise Broken("more than the bounded part of it goes to quarantine")
        return "sorted" if survivors else "sorted, raw"
