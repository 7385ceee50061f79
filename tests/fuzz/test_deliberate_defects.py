"""Each property of the campaigns can be seen to fail: a defect is put in, and a short campaign finds it."""

import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from dm_core.agent import gemini_turns, results
from dm_core.agent.plan import PlannedTurn, TurnPlan
from dm_core.agent.results import tool_turn
from dm_core.clients import graph_errors, http, instagram
from dm_core.clients.http_response import Response
from dm_core.errors import Owner
from dm_core.processing import app as processor_routes
from dm_core.runs import Action, ModelTurn, ToolResult, ToolTurn
from dm_core.settings.reader import Reader
from dm_core.settings.table import Setting
from dm_core.webhook import app as webhook_routes
from dm_core.webhook import batches, payload, signature
from dm_core.webhook.events import Event, Unknown
from dm_core.webhook.items import Context, parse_item
from dm_sandbox.fuzzing.campaign import Campaign
from dm_sandbox.fuzzing.targets import TARGETS

Defect = Callable[[pytest.MonkeyPatch], None]


def _prefix_of_a_signature(patch: pytest.MonkeyPatch) -> None:
    def lenient(header: str | None, body: bytes, secrets: Sequence[str]) -> int | None:
        given = (header or "").strip().removeprefix("sha256=")
        macs = [hmac.digest(secret.encode(), body, "sha256").hex() for secret in secrets]
        return next((index for index, mac in enumerate(macs) if given and mac.startswith(given)), None)

    patch.setattr(webhook_routes, "matching_secret", lenient)


def _poison_that_raises(patch: pytest.MonkeyPatch) -> None:
    def raising(value: object, context: Context) -> Event:
        event = parse_item(value, context)
        if isinstance(event, Unknown):
            raise ValueError(event.reason)
        return event

    patch.setattr(payload, "parse_item", raising)


def _poison_that_ends_the_batch(patch: pytest.MonkeyPatch) -> None:
    real = batches.Batches.of

    def cut(events: Iterable[Event], account_ids: frozenset[str]) -> batches.Batches:
        def until_poison() -> Iterator[Event]:
            for event in events:
                yield event
                if isinstance(event, Unknown):
                    return

        return real(until_poison(), account_ids)

    patch.setattr(batches.Batches, "of", cut)


def _raw_items_kept_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("dm_core.webhook.items.MAX_RAW_CHARS", 10**9)
    patch.setattr("dm_core.webhook.content.MAX_TEXT_CHARS", 10**9)
    patch.setattr("dm_core.webhook.content.MAX_TITLE_CHARS", 10**9)


def _thread_names_taken_loosely(patch: pytest.MonkeyPatch) -> None:
    real = processor_routes._id  # pyright: ignore[reportPrivateUsage]
    loose = re.compile(rb"\\n|[ /]")
    patch.setattr(processor_routes, "_id", lambda body, *rest: real(loose.sub(b"", body), *rest))  # pyright: ignore


def _no_limit_of_sends(patch: pytest.MonkeyPatch) -> None:
    def none(_self: PlannedTurn) -> int:
        return 0

    patch.setattr(PlannedTurn, "sends_used", none)


def _written_calls_sent(patch: pytest.MonkeyPatch) -> None:
    def never(_text: str) -> bool:
        return False

    patch.setattr("dm_core.agent.agent.is_written_call", never)
    patch.setattr("dm_core.agent.reading.is_written_call", never)


def _the_same_sent_again(patch: pytest.MonkeyPatch) -> None:
    def every(_turn: PlannedTurn, parts: tuple[str, ...]) -> list[tuple[int, str]]:
        return list(enumerate(parts))

    patch.setattr("dm_core.agent.tools.send_instagram_message.not_sent_yet", every)


def _empty_parts_kept(patch: pytest.MonkeyPatch) -> None:
    real = gemini_turns._sent_back  # pyright: ignore[reportPrivateUsage]

    def keeping(turn: ModelTurn) -> Mapping[str, object] | None:
        content = real(turn)
        return content and {**content, "parts": [cast("object", {}), *cast("list[object]", content["parts"])]}

    patch.setattr(gemini_turns, "_sent_back", keeping)


def _a_call_left_without_answer(patch: pytest.MonkeyPatch) -> None:
    def shorter(turn: ModelTurn, plan: TurnPlan, data: dict[int, ToolResult], actions: Sequence[Action]) -> ToolTurn:
        return ToolTurn(
            tool_turn(turn, plan, data, actions).results[:-1] or tool_turn(turn, plan, data, actions).results
        )

    patch.setattr(results, "tool_turn", shorter)


def _any_success_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(instagram, "_judge_send", instagram._judge_reaction)  # pyright: ignore[reportPrivateUsage]


def _unknown_codes_read_as_refusals(patch: pytest.MonkeyPatch) -> None:
    """Meta answers some messages that it delivers with a 4xx and a code that no page lists."""
    real = graph_errors._by_status  # pyright: ignore[reportPrivateUsage]

    def sure(reply: Response, error: object, code: int | None) -> tuple[Owner | None, str]:
        owner, text = real(reply, error, code)
        return (Owner.REQUEST if owner is Owner.UNKNOWN and 400 <= reply.status < 500 else owner), text

    patch.setattr(graph_errors, "_by_status", sure)


def _sends_repeated_when_in_doubt(patch: pytest.MonkeyPatch) -> None:
    """Every call counts as a read: unknown outcomes are tried again."""
    real = http._failure  # pyright: ignore[reportPrivateUsage]
    patch.setattr(http, "_failure", lambda call, _, error: real(call, http._Progress(), error))  # pyright: ignore


def _short_macs_taken(patch: pytest.MonkeyPatch) -> None:
    def lenient(given: bytes, signed: bytes, secrets: Sequence[str]) -> int | None:
        macs = [hmac.digest(secret.encode(), signed, "sha256") for secret in secrets]
        return next((index for index, mac in enumerate(macs) if given and mac.startswith(given)), None)

    patch.setattr(signature, "_matching", lenient)


def _refusals_that_quote(patch: pytest.MonkeyPatch) -> None:
    real = Reader.problem

    def quoting(self: Reader, setting: Setting[Any], what: str) -> None:
        real(self, setting, f"{what}, not {self._text(setting)}")  # pyright: ignore[reportPrivateUsage]

    patch.setattr(Reader, "problem", quoting)


DEFECTS: dict[str, tuple[Defect, str, int, str]] = {
    "a prefix of a signature is accepted": (_prefix_of_a_signature, "webhook", 200, "not signed was taken"),
    "a poison item raises": (_poison_that_raises, "webhook", 500, "answered 500"),
    "a poison item ends its batch": (_poison_that_ends_the_batch, "webhook_parse", 500, "lost or changed"),
    "nothing is cut to size": (_raw_items_kept_whole, "webhook", 400, "unbounded size"),
    "thread names are taken loosely": (_thread_names_taken_loosely, "processor", 100, "thread"),
    "sends are not counted": (_no_limit_of_sends, "model", 30, "sends of one run"),
    "a call written out is sent": (_written_calls_sent, "model", 40, "call written out was sent"),
    "the same text is sent again": (_the_same_sent_again, "model", 40, "sent twice"),
    "an empty part goes back": (_empty_parts_kept, "model", 60, "part without data"),
    "a call gets no answer": (_a_call_left_without_answer, "model", 60, "not answered once"),
    "any success is believed": (_any_success_believed, "platform", 300, "without an id"),
    "an unknown code counts as not sent": (_unknown_codes_read_as_refusals, "platform", 60, "nothing said so"),
    "a send in doubt is repeated": (_sends_repeated_when_in_doubt, "platform", 300, "had been written"),
    "a short mac is accepted": (_short_macs_taken, "signed_request", 200, "forged request was answered 200"),
    "a refusal quotes a value": (_refusals_that_quote, "settings", 400, "quotes the value"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_defect_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    inject, target_name, runs, words = DEFECTS[name]
    inject(monkeypatch)

    with Campaign(TARGETS[target_name](), seed=1) as campaign:
        report = campaign.run(runs, until_found=words)

    assert any(words in what for what in report.findings), report.told()
    print(report.told()[:200])
