"""What can be fuzzed, by name."""

from collections.abc import Callable, Mapping
from typing import Final

from dm_sandbox.fuzzing.callbacks import SignedRequestTarget
from dm_sandbox.fuzzing.campaign import Target
from dm_sandbox.fuzzing.environment import SettingsTarget
from dm_sandbox.fuzzing.model import ModelTarget
from dm_sandbox.fuzzing.parsing import ParsingTarget
from dm_sandbox.fuzzing.platform import PlatformTarget
from dm_sandbox.fuzzing.processor import ProcessorTarget
from dm_sandbox.fuzzing.webhook import WebhookTarget

TARGETS: Final[Mapping[str, Callable[[], Target]]] = {
    "webhook": WebhookTarget,
    "webhook_parse": ParsingTarget,
    "processor": ProcessorTarget,
    "model": ModelTarget,
    "platform": PlatformTarget,
    "signed_request": SignedRequestTarget,
    "settings": SettingsTarget,
}
"""Every target by its name."""
