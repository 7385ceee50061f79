"""Functions whose last deployment failed, which no later ``up`` would mend by itself.

The provider writes a function down as soon as Google has taken the request. If the build or the first revision then
fails, the next ``up`` finds no difference and sends nothing. What is left behind is one of two:

- a create that failed: a function without the Cloud Run service below it. The right to call it gets 404 for ever, and
  Google refuses to update it, so it has to be deleted and made again;
- an update that failed: a function in state FAILED whose service still answers with the revision before. Deleting that
  one would take the service down; it is built again.
"""

import re
from dataclasses import dataclass
from typing import Final

from pulumi_gcp import cloudfunctionsv2, cloudrunv2

MISSING: Final = re.compile(r"not found|\b404\b", re.IGNORECASE)
SERVICE_OFF: Final = re.compile(r"has not been used|is disabled|SERVICE_DISABLED")
"""What is missing and what may not be seen differ in the provider's text only."""


class Unseen(Exception):
    """Google does not say whether something is there; the text is its reason, one line."""


@dataclass(frozen=True, slots=True)
class FailedDeployment:
    """``since``: Google's time of it, which no other failure has. ``serving``: an older revision still answers."""

    since: str
    serving: bool


def failed_deployment(project: str, region: str, name: str) -> FailedDeployment | None:
    """Of the function with this name, as Google knows it now. None if it is well, does not exist, or can't be seen (its
    API is still off, or the reader has no right to)."""
    try:
        function = cloudfunctionsv2.get_function(project=project, location=region, name=name)
    except Exception:  # the SDK raises nothing narrower for an answer that is an error
        return None
    if _has_no_service(project, region, name):
        return FailedDeployment(function.update_time, serving=False)
    return FailedDeployment(function.update_time, serving=True) if function.state == "FAILED" else None


def is_deployed(project: str, region: str, name: str) -> bool:
    """Whether there is a function of this name, in whatever state. Raises Unseen."""
    try:
        cloudfunctionsv2.get_function(project=project, location=region, name=name)
    except Exception as error:  # as above
        reason = " ".join(str(error).split())
        if MISSING.search(reason) or SERVICE_OFF.search(reason):
            return False
        raise Unseen(reason) from error
    return True


def _has_no_service(project: str, region: str, name: str) -> bool:
    try:
        cloudrunv2.get_service(project=project, location=region, name=name)
    except Exception as error:  # as above
        return MISSING.search(str(error)) is not None
    return False
