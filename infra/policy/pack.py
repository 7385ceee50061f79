"""The rules as objects of the policy SDK. Importing this starts nothing; ``__main__.py`` does."""

from collections.abc import Callable
from datetime import UTC, datetime

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policy.resource import LABELS, PLACES, Limits, Resource, sequence_of
from policy.rules import RULES, Rule

NAME = "dm-agent"
_STRINGS: dict[str, object] = {"type": "array", "items": {"type": "string"}}
CONFIGURABLE = frozenset({"regions", "labels"})


def policies() -> list[Policy]:
    """One policy a rule, all mandatory. ``regions`` and ``labels`` take a list of their own name as configuration."""
    return [
        ResourceValidationPolicy(
            name=rule.name,
            description=rule.description,
            validate=_validation(rule),
            enforcement_level=EnforcementLevel.MANDATORY,
            config_schema=_schema(rule),
        )
        for rule in RULES
    ]


def _schema(rule: Rule) -> PolicyConfigSchema | None:
    return PolicyConfigSchema({rule.name: _STRINGS}) if rule.name in CONFIGURABLE else None


def _validation(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(args.resource_type, args.name, args.props, stack_of(args.urn))
        for found in rule.check(resource, limits_of(args)):
            report(f"{args.name} {found}.", None)

    return validate


def limits_of(args: ResourceValidationArgs) -> Limits:
    """The pack's configuration over the defaults."""
    config = args.get_config()
    allowed = frozenset(map(str, sequence_of(config.get("regions"))))
    wanted = frozenset(map(str, sequence_of(config.get("labels"))))
    return Limits(today=datetime.now(UTC).date(), regions=allowed or PLACES, labels=wanted or LABELS)


def stack_of(urn: str) -> str:
    """``urn:pulumi:STACK::PROJECT::…`` names the stack."""
    return urn.split("::", 1)[0].rsplit(":", 1)[-1]
