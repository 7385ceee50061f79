"""The pack: its own objects, and the program that the engine starts, asked over gRPC as the engine asks it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policy.pack import policies, stack_of
from policy.rules import DATABASE, FUNCTION, RULES
from tests.infra.policy.policy_samples import GOOD, INVOKER, resource

ROOT = Path(__file__).parents[3]
OPTIONS = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])


def reported(kind: str, properties: dict[str, object], stack: str, config: dict[str, object]) -> list[str]:
    """What the pack's own policies report of one resource."""
    urn = f"urn:pulumi:{stack}::dm-agent::{kind}::it"
    args = ResourceValidationArgs(kind, properties, urn, "it", OPTIONS, None, config)
    found: list[str] = []
    for policy in policies():
        assert isinstance(policy, ResourceValidationPolicy)
        validate = cast("Callable[[ResourceValidationArgs, ReportViolation], None]", cast("Any", policy).validate)
        validate(args, lambda message, _urn: found.append(message))
    return found


def test_every_rule_is_a_mandatory_policy() -> None:
    assert [(policy.name, policy.enforcement_level) for policy in policies()] == [
        (rule.name, EnforcementLevel.MANDATORY) for rule in RULES
    ]


def test_the_packs_policies_report_a_bad_resource_and_accept_a_good_one() -> None:
    assert reported(INVOKER, {**GOOD[INVOKER]}, "prod", {}) == []
    assert reported(INVOKER, {**GOOD[INVOKER], "name": "dm-processor"}, "prod", {}) == [
        "it grants roles/run.invoker to allUsers: only the webhook is open to the public."
    ]


def test_the_stack_of_the_urn_decides_what_production_is() -> None:
    open_to_deletion: dict[str, object] = {**GOOD[DATABASE], "deletionPolicy": "DELETE"}

    assert reported(DATABASE, open_to_deletion, "dev", {}) == []
    assert reported(DATABASE, open_to_deletion, "prod", {}) != []
    assert stack_of("urn:pulumi:prod::dm-agent::a:b:C::it") == "prod"


def test_the_packs_configuration_replaces_regions_and_labels() -> None:
    config: dict[str, object] = {"regions": ["us-central1"], "labels": ["cost-centre"]}

    found = reported(FUNCTION, {**GOOD[FUNCTION]}, "prod", config)

    assert len(found) == 2
    assert any("europe-west2" in sentence for sentence in found)
    assert any("cost-centre" in sentence for sentence in found)


class Found(Protocol):
    """One diagnostic of an answer."""

    policyName: str  # noqa: N815 (the wire's name)
    enforcementLevel: int  # noqa: N815 (the wire's name)


class Pack:
    """The engine's side of a running pack."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = cast("Any", analyzer_pb2_grpc.AnalyzerStub(channel))

    def policies(self) -> set[str]:
        return {policy.name for policy in self._stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=30).policies}

    def analyze(self, kind: str, properties: dict[str, object]) -> list[Found]:
        values = json_format.ParseDict(cast("Any", properties), struct_pb2.Struct())
        urn = f"urn:pulumi:prod::dm-agent::{kind}::it"
        request = cast("Any", analyzer_pb2).AnalyzeRequest(type=kind, properties=values, urn=urn, name="it")
        return list(self._stub.Analyze(request, timeout=30).diagnostics)


MANDATORY = cast("int", cast("Any", analyzer_pb2).MANDATORY)
ADVISORY = cast("int", cast("Any", analyzer_pb2).ADVISORY)


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    """The pack as a program of its own, started the way the engine starts it."""
    command = [sys.executable, str(ROOT / "infra" / "policy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT / "infra" / "policy") as program:  # noqa: S603
        assert program.stdout is not None
        try:
            port = int(program.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Pack(channel)
        finally:
            program.kill()


def test_the_engine_finds_every_policy_in_the_program(pack: Pack) -> None:
    assert pack.policies() == {rule.name for rule in RULES}


def test_the_engine_is_told_of_a_violation(pack: Pack) -> None:
    bad = resource(FUNCTION, {"buildConfig/runtime": "nodejs22"})

    found = pack.analyze(FUNCTION, {**bad.properties})

    assert [(each.policyName, each.enforcementLevel) for each in found] == [("runtime", MANDATORY)]


def test_a_value_that_is_unknown_in_a_preview_refuses_nothing(pack: Pack) -> None:
    unknown_text = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

    found = pack.analyze(INVOKER, {**GOOD[INVOKER], "name": unknown_text})

    assert all(each.enforcementLevel == ADVISORY for each in found)
