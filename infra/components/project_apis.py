"""The Google Cloud services that the deployment calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects

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
    """``vertex``: the model is asked on Vertex AI. ``budget``: there is a budget to watch."""

    project: str
    vertex: bool
    budget: bool


class ProjectApis(pulumi.ComponentResource):
    """Owns the enablement of each service. Everything else depends on ``enabled``.

    Deliberately leaves them enabled on destroy: other things in the project may use them. It does not wait after
    enabling either: a service that is not there yet fails one create, and the next ``up`` goes on from there.
    """

    def __init__(self, name: str, args: ProjectApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:ProjectApis", name, None, opts)
        wanted = (*BASE, *(("aiplatform",) if args.vertex else ()), *(("billingbudgets",) if args.budget else ()))
        self.enabled: Sequence[projects.Service] = [
            projects.Service(
                api,
                project=args.project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in wanted
        ]
        self.register_outputs({})
