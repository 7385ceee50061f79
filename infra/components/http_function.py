"""A Cloud Run function: its source by digest, its service, and who may call it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import cloudfunctionsv2, cloudrunv2, secretmanager, storage

from bundling import Bundle
from components.failed_deployments import failed_deployment
from components.function_build import FunctionBuild
from components.function_identity import FunctionIdentity
from components.settling import Settling, below, formerly
from configuration import FunctionPlan, Runtime

RETRIED: Final = "DM_AGENT_RETRIED_AFTER"
"""A variable of the build alone, which reads it nowhere: another value is another build."""


@dataclass(frozen=True, slots=True)
class PinnedSecret:
    """A secret as a variable: the container, and the number of one version of it, never ``latest``."""

    container: secretmanager.Secret
    version: str


@dataclass(frozen=True, slots=True)
class HttpFunctionArgs:
    """``invokers``: members that may call it, by a name for each. ``after``: what a deployment of it needs besides the
    build's and its own identity's rights. ``settling`` waits for those rights to spread, ``calls`` is told of
    invokers."""

    project: str
    project_number: pulumi.Input[str]
    region: str
    plan: FunctionPlan
    runtime: Runtime
    source: Bundle
    build: FunctionBuild
    identity: FunctionIdentity
    environment: Mapping[str, pulumi.Input[str]]
    secrets: Mapping[str, PinnedSecret]
    invokers: Mapping[str, pulumi.Input[str]]
    labels: Mapping[str, str]
    settling: Settling
    calls: Settling
    after: Sequence[pulumi.Resource]


class HttpFunction(pulumi.ComponentResource):
    """Owns the source object, the function, and the right to call it.

    The object is named by the source's digest, so a new source is a new object and nothing else changes the function.
    Callers are members of the Cloud Run service below the function: the function's own IAM refuses that role. When the
    function is replaced so are they, because they would be lost with the old service.

    What a failed deployment left behind is mended by the next ``up`` (``failed_deployments``).

    Deliberately owns neither its identity nor any right of it.
    """

    def __init__(self, name: str, args: HttpFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:HttpFunction", name, None, opts)
        self._name, self._args = name, args
        self._failed = failed_deployment(args.project, args.region, args.plan.name)
        self.object = self._make_object()
        self.function = self._make_function()
        self.invokers = [
            self._make_invoker(place, key, member) for place, (key, member) in enumerate(args.invokers.items(), 1)
        ]
        self.url = service_url(self.function.name, args.project_number, args.region)
        self.register_outputs({"url": self.url})

    def _make_object(self) -> storage.BucketObject:
        source = self._args.source
        return storage.BucketObject(
            f"{self._name}-source",
            bucket=self._args.build.bucket.name,
            name=f"{self._name}/{source.digest}.zip",
            source=pulumi.FileAsset(str(source.path)),
            content_type="application/zip",
            opts=below(self),
        )

    def _make_function(self) -> cloudfunctionsv2.Function:
        args = self._args
        needs = [*args.after, *args.build.ready, *args.identity.rights]
        return cloudfunctionsv2.Function(
            self._name,
            project=args.project,
            location=args.region,
            name=args.plan.name,
            description=self._description(),
            build_config=self._build_config(),
            service_config=self._service_config(),
            labels=args.labels,
            deletion_policy="DELETE",
            opts=pulumi.ResourceOptions.merge(
                below(self, needs, args.settling.settled),
                self._mending(),
            ),
        )

    def _description(self) -> str:
        again = f", made again after {self._failed.since}" if self._failed and not self._failed.serving else ""
        return f"dm-agent's {self._name}{again}"

    def _mending(self) -> pulumi.ResourceOptions:
        """A failed create is made again by its description, a failed update built again by a variable of its build;
        both stay in the state as they are while all is well."""
        if self._failed is None:
            return pulumi.ResourceOptions(
                delete_before_replace=True,
                ignore_changes=["description", f"buildConfig.environmentVariables.{RETRIED}"],
            )
        replacing = None if self._failed.serving else ["description"]
        return pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=replacing)

    def _build_config(self) -> cloudfunctionsv2.FunctionBuildConfigArgs:
        """The installer is named so that a change of the platform's default can't change what is installed."""
        args = self._args
        installer = "pip" if args.runtime == "python313" else "uv"
        retried = {RETRIED: self._failed.since} if self._failed else {}
        stored = cloudfunctionsv2.FunctionBuildConfigSourceStorageSourceArgs(
            bucket=args.build.bucket.name, object=self.object.name
        )
        return cloudfunctionsv2.FunctionBuildConfigArgs(
            runtime=args.runtime,
            entry_point=self._name,
            service_account=args.build.account.name,
            docker_repository=args.build.repository.id,
            environment_variables={"GOOGLE_PYTHON_PACKAGE_MANAGER": installer, **retried},
            source=cloudfunctionsv2.FunctionBuildConfigSourceArgs(storage_source=stored),
            automatic_update_policy=cloudfunctionsv2.FunctionBuildConfigAutomaticUpdatePolicyArgs(),
        )

    def _service_config(self) -> cloudfunctionsv2.FunctionServiceConfigArgs:
        args, plan = self._args, self._args.plan
        return cloudfunctionsv2.FunctionServiceConfigArgs(
            available_cpu=str(plan.cpu),
            available_memory=f"{plan.memory}Mi",
            timeout_seconds=plan.timeout,
            max_instance_request_concurrency=plan.concurrency,
            min_instance_count=plan.min_instances,
            max_instance_count=plan.max_instances,
            ingress_settings=plan.ingress,
            all_traffic_on_latest_revision=True,
            service_account_email=args.identity.account.email,
            environment_variables=args.environment,
            secret_environment_variables=[
                cloudfunctionsv2.FunctionServiceConfigSecretEnvironmentVariableArgs(
                    key=variable,
                    project_id=args.project,
                    secret=pinned.container.secret_id,
                    version=pinned.version,
                )
                for variable, pinned in args.secrets.items()
            ],
        )

    def _make_invoker(self, place: int, key: str, member: pulumi.Input[str]) -> cloudrunv2.ServiceIamMember:
        options = pulumi.ResourceOptions.merge(
            below(self, hooks=self._args.calls.spreading), pulumi.ResourceOptions(replace_with=[self.function])
        )
        return cloudrunv2.ServiceIamMember(
            f"{self._name}-called-by-{key}",
            project=self._args.project,
            location=self._args.region,
            name=self.function.name,
            role="roles/run.invoker",
            member=member,
            opts=formerly(f"{self._name}-called-by-member-{place}", options) if key == member else options,
        )


def service_url(name: pulumi.Input[str], project_number: pulumi.Input[str], region: str) -> pulumi.Output[str]:
    """The address that a function of this name has, known before it exists: so the processor can be told its own.

    ``https://NAME-PROJECTNUMBER.REGION.run.app``; its host label must stay below 64 characters
    (https://cloud.google.com/run/docs/triggering/https-request, "Deterministic URL").
    """
    return pulumi.Output.format("https://{0}-{1}.{2}.run.app", name, project_number, region)
