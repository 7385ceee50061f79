"""The repository's recordings and rulings as a Gemini over HTTP: a perfect agent, and a judge who knows it.

Answers are found by what was said so far, so trials may be played in any order, at once, and again. In front of them
stand a real limiter and the faults of a bad day.
"""

import hashlib
import json
import random
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from time import monotonic
from typing import Literal

from dm_evals.cli.main import EVALS
from dm_evals.judge.recorded import RecordedRuling, read_rulings
from dm_evals.replay.digests import own_prompt, take_request, with_canary
from dm_evals.replay.recordings import load_recordings
from dm_evals.scenarios.loading import load
from dm_evals.scenarios.scenario import Scenario
from dm_sandbox.platforms.answers import text, turn
from dm_sandbox.platforms.faults import Fault
from dm_sandbox.platforms.model_request import ModelRequest
from dm_sandbox.platforms.server import Call, Platform, Reply, as_object

KEY = "a-real-looking-key"
MODELS = ("gemini-3.8-flash", "gemini-3.7-flash")
_A_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
Trouble = Literal["503", "hang", "html", "cut"]
Told = tuple[str, list[object], Mapping[str, str]]
"""How a limiter says so many seconds: words, details and headers of its error."""


@dataclass(slots=True)
class Limiter:
    """So many requests in a window of seconds; who comes too early is told when to come again.

    ``strict``: the window begins with the first request that is refused, so that one is, however slow the machine.
    """

    requests: int
    seconds: float
    strict: bool = False
    _taken: deque[float] = field(default_factory=deque[float])
    _closed_at: float | None = None

    def wait(self) -> float:
        """Seconds to wait; 0: the request is taken."""
        now = monotonic()
        if self.strict and len(self._taken) == self.requests:
            self._closed_at = now if self._closed_at is None else self._closed_at
            if (left := self._closed_at + self.seconds - now) > 0:
                return left
            self._closed_at = None
            self._taken.clear()
        while not self.strict and self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        if len(self._taken) < self.requests:
            self._taken.append(now)
            return 0.0
        return self._taken[0] + self.seconds - now


class ServedBack(Platform):
    """``troubles``: the share of requests, by kind, that go wrong. ``counts`` of what was answered how."""

    name = "gemini"

    def __init__(self, limiter: Limiter | None = None, troubles: Mapping[Trouble, float] | None = None) -> None:
        super().__init__()
        self.limiter, self.troubles = limiter, dict(troubles or {})
        self.counts: Counter[str] = Counter()
        self.output_tokens = 100
        self.nonsense_judge = False
        self.dies_after: int | None = None
        """Answers, before there is nothing but ``dies_with``."""
        self.dies_with = 503
        self.day_ends_after: int | None = None
        """Answers, before the quota of the day is used up."""
        self.tells: Callable[[float], Told] = retry_info
        self.worse: frozenset[str] = frozenset()
        """Models that answer everything with the same words."""
        self._chance = random.Random(5)

    def operation(self, call: Call) -> str:
        found = re.fullmatch(r"/v1beta/models/([^/:]+):generateContent", call.path)
        return found.group(1) if found and call.method == "POST" else "unknown"

    async def process(self, operation: str, call: Call) -> Reply:
        if call.headers.get("x-goog-api-key") != KEY:
            return self._refusal(400, "API key not valid. Please pass a valid API key.")
        if operation not in MODELS:
            return self._refusal(404, f"models/{operation} is not found for API version v1beta.")
        if self.day_ends_after is not None and self.counts["answered"] >= self.day_ends_after:
            return self._refusal(429, "You exceeded your current quota.", [{"violations": [{"quotaId": _A_DAY}]}])
        if self.dies_after is not None and self.counts["answered"] >= self.dies_after:
            return self._refusal(self.dies_with, "The model is overloaded, or the key is gone.")
        if self.limiter is not None and (wait := self.limiter.wait()) > 0:
            words, details, headers = self.tells(wait)
            return replace(self._refusal(429, f"You exceeded your current quota.{words}", details), headers=headers)
        if (trouble := await self._trouble()) is not None:
            return trouble
        body = self._body(operation, call)
        self.counts["answered"] += 1
        usage = {"promptTokenCount": 3_000, "candidatesTokenCount": self.output_tokens, "totalTokenCount": 3_100}
        return Reply({**body, "usageMetadata": usage, "modelVersion": operation})

    def error(self, fault: Fault) -> Reply:
        return self._refusal(fault.status or 503, fault.message or "The model is overloaded.")

    async def _trouble(self) -> Reply | None:
        dice = self._chance.random()
        for kind, share in self.troubles.items():
            dice -= share
            if dice < 0:
                self.counts[kind] += 1
                if kind == "503":
                    return self._refusal(503, "The model is overloaded. Please try again later.")
                if kind == "hang":
                    await self.pause(30)
                return Reply("<html>502</html>" if kind == "html" else '{"candidates": [{"content"', 200)
        return None

    def _body(self, model: str, call: Call) -> Mapping[str, object]:
        request = ModelRequest.parse(call.body)
        if "json" in str(as_object(call.fields.get("generationConfig")).get("responseMimeType")):
            asked = "\n".join(request.user_texts)
            return turn(text(self._judged(asked) if "<statements>" in asked else self._written_on(asked)))
        if not request.tools:
            return turn(text("Yes."))
        if model in self.worse:
            return turn(text("I don't know."))
        known = recorded_answers().get(take_request(model, call.fields).content_digests)
        if known is None:
            return turn(text("I have no idea what this is about."))
        return as_object(with_canary(known, own_prompt()))

    def _judged(self, asked: str) -> str:
        """A vote on each statement as it was ruled, with a quote of the evidence."""
        if self.nonsense_judge:
            return "certainly, I would say so"
        evidence, _, listed = asked.partition("<statements>")
        votes: list[dict[str, object]] = []
        for number, statement in re.findall(r"^(\d+)\. (.+)$", listed, re.MULTILINE):
            ruled = [each for each in recorded_rulings() if statement in each.statements and each.quote in evidence]
            quote = next((each.quote for each in ruled if each.quote), evidence.splitlines()[1])
            holds = "no" not in ruled[0].votes if ruled else True
            votes.append({"number": int(number), "quote": quote, "reason": "as it was ruled", "holds": holds})
        return json.dumps(votes)

    def _written_on(self, asked: str) -> str:
        """What the simulated user said at this point."""
        thread = asked.partition("<conversation>\n")[2].partition("\n</conversation>")[0]
        return json.dumps(recorded_users()[hashlib.sha256(thread.encode()).hexdigest()[:16]])

    def _refusal(self, status: int, message: str, details: list[object] | None = None) -> Reply:
        self.counts[f"HTTP {status}"] += 1
        return Reply({"error": {"code": status, "message": message, "details": details or []}}, status)


def retry_info(wait: float) -> Told:
    return "", [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait:.3f}s"}], {}


@cache
def every_scenario() -> tuple[Scenario, ...]:
    loaded = load([EVALS / "scenarios"])
    assert loaded.problems == ()
    return loaded.scenarios


@cache
def recorded_answers() -> Mapping[tuple[str, ...], Mapping[str, object]]:
    """By the digests of what was said so far."""
    kept = load_recordings(EVALS / "recordings", {each.name for each in every_scenario()}).by_address.values()
    found: dict[tuple[str, ...], Mapping[str, object]] = {}
    for recording in sorted(kept, key=lambda each: -len(each.turns)):  # where two begin alike, the one that goes on
        for each in recording.turns:
            found.setdefault(each.request.content_digests, each.response)
    return found


@cache
def recorded_rulings() -> tuple[RecordedRuling, ...]:
    return tuple(each for path in sorted((EVALS / "rulings").glob("*.jsonl")) for each in read_rulings(path))


@cache
def recorded_users() -> Mapping[str, Mapping[str, object]]:
    """By the digest of what was said before."""
    lines = [line for path in (EVALS / "users").glob("*/*.jsonl") for line in path.read_text().splitlines()]
    read = [as_object(json.loads(line)) for line in lines]
    return {
        str(each["thread"]): {"text": "", **{k: each[k] for k in ("why", "stop", "text") if k in each}} for each in read
    }
