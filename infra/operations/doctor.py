"""``doctor``: what a deployment needs from this machine, one clear line each."""

from collections.abc import Iterator, Sequence

from configuration import ConfigurationError
from operations import checks, policies
from operations.checks import Check, Context, Finding
from operations.rights import rights
from operations.running import Refused
from operations.stacks import read_values

MACHINE: tuple[Check, ...] = (checks.tool("uv"), checks.tool("pulumi"), checks.tool("gcloud"))
STACK: tuple[Check, ...] = (checks.backend, checks.stack_exists, checks.passphrase, checks.stack_configuration)
ACCOUNT: tuple[Check, ...] = (checks.login, checks.default_credentials)
PROJECT: tuple[Check, ...] = (
    checks.project,
    checks.billing,
    checks.apis,
    rights,
    policies.public_members,
    policies.restrictions,
    checks.region,
    checks.database,
    checks.secret_versions,
    checks.budget,
)


STACKS_OWN: tuple[Check, ...] = (checks.secret_containers,)
"""What ``deploy`` makes by itself."""


def examine(stack: str) -> Iterator[Finding]:
    """Every finding, as it is made. What can't be asked because of an earlier finding is left out, and said."""
    context = Context(stack)
    tools = {finding.name: finding for finding in (check(context) for check in MACHINE)}
    yield from tools.values()
    if tools["pulumi"].good:
        yield from _until_bad(STACK, context)
        context = _known(stack)
    if not tools["gcloud"].good:
        return
    account = [check(context) for check in ACCOUNT]
    yield from account
    if account[0].good and context.project:
        yield from _until_bad(PROJECT[:1], context, _answerable(context, account[1]))


def _answerable(context: Context, credentials: Finding) -> list[Check]:
    """What can be asked of a project, with the credentials and the configuration that there are."""
    without = {rights} if not credentials.good else set[Check]()
    if context.configuration is None:
        without |= {checks.region, checks.database, checks.secret_versions}
    return [check for check in (*PROJECT[1:], *STACKS_OWN) if check not in without]


def _until_bad(first: Sequence[Check], context: Context, then: Sequence[Check] = ()) -> Iterator[Finding]:
    """Each next check rests on the ones before it; those of ``then`` rest on ``first`` only."""
    for check in first:
        finding = check(context)
        yield finding
        if not finding.good:
            return
    yield from (check(context) for check in then)


def _known(stack: str) -> Context:
    try:
        values = read_values(stack)
    except Refused:
        return Context(stack)
    try:
        return Context(stack, values, values.configuration(before_secrets=True))
    except ConfigurationError:
        return Context(stack, values)


def ready(stack: str) -> None:
    """What `preview`, `up` and `down` need before Pulumi is started. Raises Refused with the first that is missing."""
    for check in (*MACHINE[:2], *STACK):
        finding = check(Context(stack))
        if not finding.good:
            raise Refused(f"{finding.name}: {finding.said}. Run: {finding.run}")


def main(stack: str) -> int:
    """Print the report; 1 if anything is missing."""
    bad = 0
    for finding in examine(stack):
        print(f"{'OK      ' if finding.good else 'PROBLEM '}{finding.name}: {finding.said}", flush=True)
        if finding.run is not None:
            bad += 1
            print(f"    run: {finding.run}", flush=True)
    print(f"{bad} to fix; then run `make doctor STACK={stack}` again" if bad else f"ready: make preview STACK={stack}")
    return 1 if bad else 0
