"""Where the functions' sources and images are kept, and the identity that builds one from the other.

The platform copies an uploaded source into a bucket of its own, ``gcf-v2-sources-PROJECTNUMBER-REGION``, and the build
reads it there (https://cloud.google.com/functions/docs/building, "Build process overview").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry, projects, serviceaccount, storage

from components.project_apis import ProjectApis
from components.settling import Settling, below

KEPT_IMAGES = 5
"""Newest images of each function that stay: what a rollback of the platform can go back to."""


@dataclass(frozen=True, slots=True)
class FunctionBuildArgs:
    """``settling``: what waits for the build's rights to spread, told of each."""

    project: str
    project_number: pulumi.Input[str]
    region: str
    apis: ProjectApis
    settling: Settling
    prefix: str
    labels: Mapping[str, str]


class FunctionBuild(pulumi.ComponentResource):
    """Owns the source bucket, the image repository with its cleanup, and the build identity with its three rights.

    ``ready`` is what a function must wait for: a build that starts before its rights fails. Deliberately does not own
    the source objects (each function names its own by digest), and does not use the project's default build identity.
    """

    def __init__(self, name: str, args: FunctionBuildArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:FunctionBuild", name, None, opts)
        self._args = args
        self.bucket = self._make_bucket()
        self.repository = self._make_repository()
        self.account = serviceaccount.Account(
            "build",
            project=args.project,
            account_id=f"{args.prefix}-build",
            display_name="Builds the functions",
            opts=args.apis.options(self, "iam"),
        )
        self.ready: Sequence[pulumi.Resource] = self._make_rights()
        self.register_outputs({"bucket": self.bucket.name})

    def _make_bucket(self) -> storage.Bucket:
        args = self._args
        return storage.Bucket(
            "source",
            project=args.project,
            name=f"{args.project}-{args.prefix}-source",
            location=args.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            labels=args.labels,
            force_destroy=False,
            opts=args.apis.options(self, "storage"),
        )

    def _make_repository(self) -> artifactregistry.Repository:
        args = self._args
        keep = artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(keep_count=KEPT_IMAGES)
        old = artifactregistry.RepositoryCleanupPolicyConditionArgs(older_than="2592000s", tag_state="ANY")
        return artifactregistry.Repository(
            "images",
            project=args.project,
            location=args.region,
            repository_id=f"{args.prefix}-functions",
            format="DOCKER",
            description="Images of the functions, built by the platform",
            cleanup_policy_dry_run=False,
            cleanup_policies=[
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="keep-newest", action="KEEP", most_recent_versions=keep
                ),
                artifactregistry.RepositoryCleanupPolicyArgs(id="drop-old", action="DELETE", condition=old),
            ],
            labels=args.labels,
            opts=args.apis.options(self, "artifactregistry"),
        )

    def _make_rights(self) -> Sequence[pulumi.Resource]:
        args, member = self._args, self.account.member
        manager = [args.apis.enabled["cloudresourcemanager"]]
        return [
            projects.IAMMember(
                "build-logs",
                project=args.project,
                role="roles/logging.logWriter",
                member=member,
                opts=below(self, manager, args.settling.spreading),
            ),
            artifactregistry.RepositoryIamMember(
                "build-images",
                project=args.project,
                location=args.region,
                repository=self.repository.name,
                role="roles/artifactregistry.writer",
                member=member,
                opts=below(self, hooks=args.settling.spreading),
            ),
            projects.IAMMember(
                "build-source",
                project=args.project,
                role="roles/storage.objectViewer",
                member=member,
                condition=projects.IAMMemberConditionArgs(
                    title="only-the-platforms-copies", expression=self._platforms_copies()
                ),
                opts=below(self, manager, args.settling.spreading),
            ),
        ]

    def _platforms_copies(self) -> pulumi.Output[str]:
        """The bucket and everything in it. It is Google's and made by the first build, so it can't carry the right
        itself; a bucket's name alone would also match the start of another region's (europe-west1, europe-west10)."""
        bucket = pulumi.Output.format(
            "projects/_/buckets/gcf-v2-sources-{0}-{1}", self._args.project_number, self._args.region
        )
        return bucket.apply(lambda name: f'resource.name == "{name}" || resource.name.startsWith("{name}/")')
