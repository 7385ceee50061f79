"""Several Instagram accounts behind one address, as on graph.instagram.com: the token says whose request it is."""

from dm_core.clock import Clock, system_clock
from dm_sandbox.platforms.faults import Fault
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.server import Call, Platform, Reply, bearer


class InstagramAccounts(Platform):
    """The accounts, none of which is started itself. To each the node of another is one that does not exist.

    Errors and throttles scripted for an account meet that account's requests only.
    """

    name = "instagram"

    def __init__(self, port: int = 0, clock: Clock = system_clock) -> None:
        super().__init__(port, clock)
        self.accounts: list[Instagram] = []

    def operation(self, call: Call) -> str:
        return self._account(call).operation(call)

    async def process(self, operation: str, call: Call) -> Reply:
        account = self._account(call)
        fault = account.faults.take(operation)
        return await account.process(operation, call) if fault is None else account.error(fault)

    def error(self, fault: Fault) -> Reply:
        return self.accounts[0].error(fault)

    def _account(self, call: Call) -> Instagram:
        """The token's account; any refuses a token that nobody has."""
        return next((account for account in self.accounts if bearer(call) in account.tokens), self.accounts[0])
