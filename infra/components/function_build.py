"""Where the functions' sources and images are kept, and the identity that builds one from the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry, projects, serviceaccount, storage

KEPT_IMAGES = 5
"""Newest images of each function that stay: what a rollback of the platform can go back to."""


@dataclass(frozen=True, slots=True)
class FunctionBuildArgs:
    project: str
    region: str
    prefix: str
    labels: Mapping[str, str]


class FunctionBuild(pulumi.ComponentResource):
    """Owns the source bucket, the image repository with its cleanup, and the build identity with three rights on them.

    ``ready`` is what a function must wait for: a build that starts before its rights fails. Deliberately does not own
    the source objects (each function names its own by digest), and does not use the project's default build identity.
    """

    def __init__(self, name: str, args: FunctionBuildArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:FunctionBuild", name, None, opts)
        self._args = args
        self._inside = pulumi.ResourceOptions(parent=self)
        self.bucket = self._make_bucket()
        self.repository = self._make_repository()
        self.account = serviceaccount.Account(
            "build",
            project=args.project,
            account_id=f"{args.prefix}-build",
            display_name="Builds the functions",
            opts=self._inside,
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
            opts=self._inside,
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
            opts=self._inside,
        )

    def _make_rights(self) -> Sequence[pulumi.Resource]:
        args, member = self._args, self.account.member
        return [
            projects.IAMMember(
                "build-logs", project=args.project, role="roles/logging.logWriter", member=member, opts=self._inside
            ),
            artifactregistry.RepositoryIamMember(
                "build-images",
                project=args.project,
                location=args.region,
                repository=self.repository.name,
                role="roles/artifactregistry.writer",
                member=member,
                opts=self._inside,
            ),
            storage.BucketIAMMember(
                "build-source",
                bucket=self.bucket.name,
                role="roles/storage.objectViewer",
                member=member,
                opts=self._inside,
            ),
        ]
