"""A Cloud Tasks emulator over gRPC."""

from dm_sandbox.cloud_tasks.emulator import CloudTasksEmulator
from dm_sandbox.cloud_tasks.records import Counters, OnEvent, QueueConfig, QueueEvent

__all__ = ["CloudTasksEmulator", "Counters", "OnEvent", "QueueConfig", "QueueEvent"]
