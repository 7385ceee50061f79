"""The program that ``pulumi up`` runs: reads the stack's configuration, declares everything, exports the outputs."""

import pulumi
from pulumi.runtime import config as pulumi_config

from bundling import BundlingError
from configuration import Configuration, ConfigurationError
from declaration import declare
from reading import NAMESPACE


def stack_values() -> dict[str, str]:
    """Every key of this program that the stack has, without the namespace: also those that nobody would ask for."""
    given = pulumi_config.get_config_env() | pulumi_config.CONFIG.get()
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): str(value) for key, value in given.items() if key.startswith(prefix)}


try:
    configuration = Configuration.read(stack_values(), pulumi.Config("gcp").get("project") or "", pulumi.get_stack())
    outputs = declare(configuration)
except (ConfigurationError, BundlingError) as error:
    raise pulumi.RunError(str(error)) from None
for name, value in outputs.items():
    pulumi.export(name, value)
