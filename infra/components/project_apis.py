"""The Google Cloud services that the deployment calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects

from components.settling import Settling, below

BASE: Final = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "cloudtasks",
    "firestore",
    "iam",
    "logging",
    "monitoring",
    "run",
    "secretmanager",
    "storage",
)
"""Needed by every deployment; ``.googleapis.com`` is left out."""


@dataclass(frozen=True, slots=True)
class ProjectApisArgs:
    """``vertex``: the model is asked on Vertex AI. ``budget``: there is a budget to watch. ``settle_seconds``: how long
    a service that was just enabled is given before anything is made in it."""

    project: str
    vertex: bool
    budget: bool
    settle_seconds: float


class ProjectApis(pulumi.ComponentResource):
    """Owns the enablement of each service. Whatever is made in a service asks for ``options`` with its name.

    Deliberately leaves them enabled on destroy: other things in the project may use them.
    """

    def __init__(self, name: str, args: ProjectApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:ProjectApis", name, None, opts)
        wanted = (*BASE, *(("aiplatform",) if args.vertex else ()), *(("billingbudgets",) if args.budget else ()))
        self._settling = Settling("services", args.settle_seconds, "services that were just enabled")
        self.enabled: Mapping[str, projects.Service] = {
            api: projects.Service(
                api,
                project=args.project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=below(self, hooks=self._settling.spreading),
            )
            for api in wanted
        }
        self.register_outputs({})

    def options(self, parent: pulumi.Resource, *names: str) -> pulumi.ResourceOptions:
        """For a resource that is made in these services: after them, once they have spread."""
        return below(parent, [self.enabled[name] for name in names], self._settling.settled)
