"""Waiting until what was just made has spread through Google Cloud, and only then.

A right or a service takes effect about a minute after Google has confirmed it: the provider's own example of a
function sleeps 60 s between the build's rights and the function, and half of its tests failed before it did
(hashicorp/terraform-provider-google#20571).

    right made ──────── spread for `seconds` ────────▶ function made
    right made long ago, in another `up` ────────────▶ function made at once
"""

import asyncio
import time
from collections.abc import Sequence

import pulumi
from pulumi import ResourceHook, ResourceHookArgs, ResourceHookBinding


class Settling:
    """Two bindings of hooks: ``spreading`` for what takes effect late, ``settled`` for what can't do without it.

    Hooks run in the program and only for what an ``up`` really makes: neither a preview nor an ``up`` that grants
    nothing waits. It is no resource: nothing of it is in the state.
    """

    def __init__(self, name: str, seconds: float, what: str) -> None:
        """``what`` is waited for, as the person who waits is told."""
        self._seconds, self._what = seconds, what
        self._last: float | None = None
        self._told = False
        made = [ResourceHook(f"{name}-made", self._note)] if seconds else []
        wait = [ResourceHook(f"{name}-settled", self._wait)] if seconds else []
        self.spreading = ResourceHookBinding(after_create=list(made))
        self.settled = ResourceHookBinding(before_create=list(wait), before_update=list(wait))

    def _note(self, _: ResourceHookArgs) -> None:
        self._last = time.monotonic()

    async def _wait(self, _: ResourceHookArgs) -> None:
        """Anew if something more was made meanwhile."""
        while self._last is not None and (left := self._last + self._seconds - time.monotonic()) > 0:
            if not self._told:
                self._told = True
                pulumi.log.info(f"waiting {left:.0f} seconds for {self._what} to spread through Google Cloud")
            await asyncio.sleep(left)


def below(
    parent: pulumi.Resource, needs: Sequence[pulumi.Resource] = (), hooks: ResourceHookBinding | None = None
) -> pulumi.ResourceOptions:
    """Options for a resource inside a component: what is made before it, and the hooks it takes part in."""
    return pulumi.ResourceOptions(parent=parent, depends_on=list(needs) or None, hooks=hooks)


def formerly(name: str, options: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """These options for a resource that had another name. Without it the same right would be made anew, which changes
    nothing at Google, and then taken away under its old name (https://github.com/pulumi/pulumi-gcp/issues/2463)."""
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(aliases=[pulumi.Alias(name=name)]))
