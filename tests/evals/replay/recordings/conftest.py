"""What the tests of recordings share."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.agent.profile import FACT_REFERENCE
from dm_evals.replay.digests import Prompt, own_prompt
from dm_evals.replay.recordings import Recording, note_digests
from dm_evals.scenarios.scenario import Scenario
from tests.evals.replay.recordings.recorded_trials import Asking, recorded


@pytest.fixture
def asking() -> Asking:
    return Asking()


@pytest.fixture
async def recording() -> Recording:
    return await recorded()


@pytest.fixture
def record() -> Callable[..., Awaitable[Recording]]:
    """``record(trial, asking)``."""
    return recorded


@pytest.fixture
def scenario() -> Scenario:
    return Scenario.model_validate(
        {
            "name": "say_hi",
            "tags": ["sessions"],
            "about": "Somebody asks about nets.",
            "now": "2026-11-24T18:05:00+00:00",
            "events": [{"text": "Hi, are there nets this week?"}],
            "expect": {"state": {"replies": 1}},
        }
    )


@pytest.fixture
def changed_line(recording: Recording, tmp_path: Path) -> Callable[..., Path]:
    """A file of the recording in which a line's keys were changed (``None`` takes one out), or a raw line put in."""

    def write(number: int = 1, raw: str | None = None, **changes: object) -> Path:
        note_digests(tmp_path, (recording,))
        lines = [turn.line() for turn in recording.turns]
        fields = {**json.loads(lines[number - 1]), **changes}
        lines[number - 1] = raw if raw is not None else json.dumps({k: v for k, v in fields.items() if v != "GONE"})
        path = tmp_path / "say_hi" / "t1.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def own_knowledge() -> str:
    """The repository's knowledge.md as it is written."""
    return dict(own_prompt().profile.files)["knowledge.md"]


@pytest.fixture
def other_prompt() -> Callable[..., Prompt]:
    """The repository's prompt with another template or another profile file."""

    def make(*, template: str | None = None, knowledge: str | None = None, persona: str | None = None) -> Prompt:
        own = own_prompt()
        profile = own.profile
        if knowledge is not None:
            files = tuple((n, knowledge if n == "knowledge.md" else text) for n, text in profile.files)
            filled = FACT_REFERENCE.sub(lambda found: profile.facts[found.group(1)], knowledge)
            profile = replace(profile, knowledge=filled, files=files)
        if persona is not None:
            files = tuple((n, persona if n == "persona.md" else text) for n, text in profile.files)
            profile = replace(profile, persona=persona, files=files)
        return Prompt(template if template is not None else own.template, profile)

    return make
