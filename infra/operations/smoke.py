"""``smoke``: is what was just deployed alive, does it store a DM, does anything stand still? Leaves one expired DM.

What it sends stands in ``probe``. The app secret is read to sign with and shown to nobody.
"""

import time
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from configuration import Configuration
from operations.deploying import outputs
from operations.running import Refused, ask
from operations.stacks import read_values
from operations.standstill import standing_still
from probe import probe, signature
from variables import secret_id

SECRET: Final = "INSTAGRAM_APP_SECRET"  # noqa: S105 (a variable's name)
TRIES: Final = 6
PAUSE_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 30.0
"""For one request: a cold start, and several seconds more."""

type Answer = tuple[int, str]


def main(stack: str) -> int:
    """1 if something did not answer as it must or stands still, with what to do; 0 if all is well as far as it may be
    asked from here."""
    configuration = read_values(stack).configuration()
    wrong = _webhook(stack, configuration)
    still = tuple(standing_still(configuration))
    for line in (*wrong, *still):
        print(f"PROBLEM {line}", flush=True)
    if wrong:
        print(f"to go back: git checkout THE-LAST-GOOD-COMMIT && make up STACK={stack}  (docs/deploy.md#rollback)")
    return 1 if wrong or still else 0


def _webhook(stack: str, configuration: Configuration) -> list[str]:
    """What is wrong with it."""
    if not configuration.public:
        print("the webhook is not public, so it can't be asked from here: send it a DM instead")
        return []
    url = _webhook_url(stack)
    wrong = _wrong(url, configuration.probed_account, _secret(configuration))
    if not wrong:
        print(f"{url} is alive: /health answers, an unsigned DM is refused, a signed one is stored (as expired)")
    return wrong


def _wrong(url: str, account_id: str, secret: str) -> list[str]:
    health = _patient(Request(f"{url}/health"))
    if health[0] != 200:
        return [f"GET /health answers {_said(health)}"]
    body = probe(account_id, time.time())
    found: list[str] = []
    unsigned = _ask(Request(url, body, {"Content-Type": "application/json"}))
    if unsigned[0] != 401:
        found.append(f"an unsigned DM is answered with {_said(unsigned)}, not 401")
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature(body, secret)}
    signed = _patient(Request(url, body, headers))
    if signed != (200, "EVENT_RECEIVED"):
        found.append(f"a signed DM is answered with {_said(signed)}, not 200 EVENT_RECEIVED")
    return found


def _patient(request: Request) -> Answer:
    """Tried again while the service is not there yet: a new revision and a new right need a moment."""
    for left in reversed(range(TRIES)):
        answer = _ask(request)
        if answer[0] == 200 or not left:
            return answer
        time.sleep(PAUSE_SECONDS)
    raise AssertionError("the last try has returned")


def _ask(request: Request) -> Answer:
    """Status and text; status 0 where there was no answer."""
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return response.status, response.read(1_000).decode(errors="replace")
    except HTTPError as refused:
        return refused.code, refused.read(1_000).decode(errors="replace")
    except (URLError, OSError) as error:
        return 0, str(error)


def _said(answer: Answer) -> str:
    return f"{answer[0]} {answer[1][:100]!r}" if answer[0] else f"nothing ({answer[1][:100]})"


def _webhook_url(stack: str) -> str:
    url = str(outputs(stack).get("webhookUrl", ""))
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused(f"stack {stack} has no webhookUrl: nothing is deployed. Run: make up STACK={stack}")
    return url.rstrip("/")


def _secret(configuration: Configuration) -> str:
    """The first of the values in the pinned version."""
    name, version = secret_id(configuration.prefix, SECRET), configuration.secret_versions[SECRET]
    command = ["gcloud", "secrets", "versions", "access", version, f"--secret={name}"]
    answer = ask([*command, f"--project={configuration.project}"])
    value = answer.out.split(",")[0].strip()
    if not answer.good or not value:
        why = answer.reason if not answer.good else "it is empty"
        raise Refused(
            f"version {version} of {name} can't be read ({why}). Run: make doctor STACK={configuration.stack}"
        )
    return value
