"""The DM that a deployment is tried with: signed like Meta's, too old to be answered, and left out of every statistic.

It is older than the 24 hours in which a DM may be answered, so the webhook stores it as expired: no wake-up is made, no
model is asked, nobody is told. Its sender is nobody's account.
"""

import hashlib
import hmac
import json
from typing import Final

PERSON: Final = "1000000000000000"
AGE_SECONDS: Final = 48 * 3_600


def logged_thread(account_id: str) -> str:
    """How the functions' log names the thread of the probe: a hash, as of every thread."""
    return hashlib.sha256(f"{account_id}_{PERSON}".encode()).hexdigest()[:12]


def probe(account_id: str, now: float) -> bytes:
    """The body of the request; ``now`` in seconds since 1970. A repeat within a second is the same DM."""
    sent = int(now - AGE_SECONDS) * 1000
    message = {"mid": f"deployment-probe-{sent}", "text": "deployment probe"}
    item = {
        "sender": {"id": PERSON},
        "recipient": {"id": account_id},
        "timestamp": sent,
        "message": message,
    }
    entry = {"id": account_id, "time": int(now * 1000), "messaging": [item]}
    return json.dumps({"object": "instagram", "entry": [entry]}).encode()


def signature(body: bytes, secret: str) -> str:
    """The header ``X-Hub-Signature-256``."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
