"""The port of a deployment's accounts around one account that stands for whichever is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from dm_core.clients.port import Instagram


@dataclass(frozen=True, slots=True)
class OneAccount:
    """Keeps ``clients.port.InstagramAccounts``."""

    instagram: Instagram
    account_id: str = "178414"

    def of(self, account_id: str) -> Instagram:  # noqa: ARG002 (the port's argument)
        return self.instagram

    def each(self) -> Mapping[str, Instagram]:
        return {self.account_id: self.instagram}

    async def close(self) -> None:
        """It holds nothing."""
