"""Secret Manager containers, one for each secret variable."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager

from components.project_apis import ProjectApis
from variables import secret_id


@dataclass(frozen=True, slots=True)
class SecretsArgs:
    """``variables``: the environment variables that are secrets, for example ``INSTAGRAM_APP_SECRET``.
    ``protected``: as the data is."""

    project: str
    prefix: str
    apis: ProjectApis
    variables: tuple[str, ...]
    labels: Mapping[str, str]
    protected: bool


class Secrets(pulumi.ComponentResource):
    """Owns the containers. ``containers`` has them by variable.

    In a protected stack Pulumi deletes none, whatever is renamed: a container goes with every value in it, and the
    token that the processor has renewed is nowhere else.

    Deliberately does not own any value: a value that the program knew would be in Pulumi's state
    (docs/adr/0004-secrets.md). Values are added out of band (``make secrets``), a stack pins their numbers. Nor does it
    own access: the function that reads a secret brings that.
    """

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:Secrets", name, None, opts)
        self.containers: Mapping[str, secretmanager.Secret] = {
            variable: secretmanager.Secret(
                secret_id(args.prefix, variable),
                project=args.project,
                secret_id=secret_id(args.prefix, variable),
                replication=secretmanager.SecretReplicationArgs(auto=secretmanager.SecretReplicationAutoArgs()),
                labels=args.labels,
                deletion_policy="DELETE",
                opts=pulumi.ResourceOptions.merge(
                    args.apis.options(self, "secretmanager"), pulumi.ResourceOptions(protect=args.protected)
                ),
            )
            for variable in args.variables
        }
        self.register_outputs({})
