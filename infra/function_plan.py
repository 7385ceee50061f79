"""How one function runs: its size, its bounds, and how both are read from a stack's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from reading import Reader
from variables import Function

Ingress = Literal["ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"]

FUNCTION_NAME: Final = r"[a-z][a-z0-9-]{4,28}[a-z0-9]"
"""Lowercase so that function and service have one name; 6 to 30 long because its service account is named the same."""
FUNCTION_NAME_MEANT: Final = "6 to 30 lowercase letters, digits and hyphens, starting with a letter"
MEMORY_MIB: Final[Mapping[int, tuple[int, int]]] = {1: (512, 4_096), 2: (512, 8_192), 4: (2_048, 16_384)}
"""Least and most memory that the platform gives an instance with so many CPUs."""


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """One function's service. ``memory`` in MiB, ``timeout`` in seconds, concurrency in requests an instance."""

    name: str
    cpu: int
    memory: int
    concurrency: int
    min_instances: int
    max_instances: int
    timeout: int
    ingress: Ingress

    @property
    def capacity(self) -> int:
        """Requests that can be under way at once."""
        return self.concurrency * self.max_instances


@dataclass(frozen=True, slots=True)
class FunctionDefaults:
    """What a function has unless its stack says otherwise; ``timeouts`` are the least and the most."""

    memory: int
    concurrency: int
    timeout: int
    timeouts: tuple[int, int]


def read_function(reader: Reader, key: Function, name: str, defaults: FunctionDefaults) -> FunctionPlan:
    cpu = int(reader.choice(f"{key}Cpu", "1", tuple(str(count) for count in MEMORY_MIB)))
    memory = reader.whole(f"{key}MemoryMib", max(defaults.memory, MEMORY_MIB[cpu][0]), 128, 32_768)
    low, high = MEMORY_MIB[cpu]
    if not low <= memory <= high and not reader.is_faulty(f"{key}Cpu"):
        reader.problem(f"{key}MemoryMib", f"does not fit {cpu} CPU: {low} to {high}", str(max(low, defaults.memory)))
    max_instances = reader.whole(f"{key}MaxInstances", 10, 1, 100)
    min_instances = reader.whole(f"{key}MinInstances", 0, 0, 100)
    if min_instances > max_instances and not reader.is_faulty(f"{key}MaxInstances"):
        reader.problem(f"{key}MinInstances", f"exceeds {key}MaxInstances", "0")
    ingress = reader.choice(
        f"{key}Ingress", "ALLOW_ALL", ("ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB")
    )
    return FunctionPlan(
        name=reader.text(f"{key}Name", name, FUNCTION_NAME, f"a function's name: {FUNCTION_NAME_MEANT}", name),
        cpu=cpu,
        memory=memory,
        concurrency=reader.whole(f"{key}Concurrency", defaults.concurrency, 1, 1_000),
        min_instances=min_instances,
        max_instances=max_instances,
        timeout=reader.whole(f"{key}Timeout", defaults.timeout, *defaults.timeouts),
        ingress=cast("Ingress", ingress),
    )
