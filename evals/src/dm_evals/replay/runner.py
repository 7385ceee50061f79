"""Runs trials and loses none: what was planned is what is reported, whatever breaks on the way.

A trial that raises is ``errored`` with the reason, one that can't be played at all as well; neither stops the others.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, Literal, Self

from dm_evals.observation import Observation
from dm_evals.replay.digests import Prompt, load_prompt, own_prompt
from dm_evals.replay.logs import captured, defects
from dm_evals.replay.offline import offline
from dm_evals.replay.recordings import Recordings
from dm_evals.replay.replay_server import ModelServer, ReplayServer
from dm_evals.replay.scheduler import CantBePlayed, Scheduler
from dm_evals.replay.transcript import observe
from dm_evals.replay.trial_environment import PROCESSOR_FOLDER, SharedRuntime, TrialEnvironment
from dm_evals.replay.world import set_up
from dm_evals.results import Outcome, Report, TrialResult
from dm_evals.scenarios.scenario import Scenario
from dm_evals.user import RecordedUser, UserModel
from dm_sandbox.environment import SANDBOX_MODEL_KEY

CONCURRENCY: Final = 2
"""Trials at a time: they share one event loop, so more gain nothing."""
USERS: Final = Path(__file__).parents[3] / "users"
"""What simulated users said, by scenario and trial."""
LONGEST_SECONDS: Final = 20.0
"""Longest real time of one trial; a usual one takes a tenth of a second."""
LIVE_SECONDS: Final = 3600.0
"""Longest real time of a trial against a real model: its calls may wait for their turn, each for minutes."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One planned trial. ``problem`` is why it can't be played at all."""

    scenario: Scenario
    number: int
    problem: str = ""

    @property
    def name(self) -> str:
        return f"{self.scenario.name} t{self.number}"


Playing = Callable[[Trial], Awaitable[Observation]]
Judging = Callable[[Scenario, Observation], TrialResult]
"""``judge_trial`` with its judge bound. It may wait, so it is called in a thread."""
OnResult = Callable[[TrialResult], None]
OnEnd = Callable[[TrialResult], Awaitable[None]]
"""Before the next trial takes the place of the one that ended."""


async def run(
    scenarios: Sequence[Scenario],
    recordings: Recordings,
    judging: Judging,
    *,
    allow_stale: bool = False,
    problems: Sequence[str] = (),
    concurrency: int = CONCURRENCY,
    on_result: OnResult | None = None,
    folder: Path | None = None,
    users: Path = USERS,
) -> Report:
    """Replay every recorded trial of these scenarios. ``problems``: what kept others from being loaded.

    ``folder`` holds the processor's prompt and profile (None: the repository's), ``users`` what simulated users said.
    """
    started, begun = datetime.now(UTC), monotonic()
    prompt = load_prompt(folder) if folder is not None else None
    async with RuntimePool(concurrency, folder) as runtimes:

        async def playing(trial: Trial) -> Observation:
            recording = recordings.find(trial.scenario.name, trial.number)
            server = ReplayServer(recording, allow_stale=allow_stale, prompt=prompt, facts=trial.scenario.facts)
            return await runtimes.play(trial.scenario, trial.number, server, RecordedUser(users))

        plan = planned(scenarios, recordings)
        results = await run_trials(plan, playing, judging, concurrency, on_result, by_position=allow_stale)
    made = report("replay", started, monotonic() - begun, results, (*problems, *recordings.problems))
    return replace(made, notes=_notes(plan, recordings, prompt or own_prompt()))


def _notes(plan: Sequence[Trial], recordings: Recordings, prompt: Prompt) -> tuple[str, ...]:
    """What changed in the knowledge, and no recording depends on."""
    made = [recordings.find(trial.scenario.name, trial.number) for trial in plan]
    older = sum(each is not None and each.kept is not None and each.kept.prompt.prose != prompt.prose for each in made)
    told = f"the knowledge or a fact changed since {older} recordings were made; what their expectations name is judged"
    return (f"{told} by the facts of now. Once looked at: make evals-refresh PARTS=knowledge",) if older else ()


def planned(scenarios: Sequence[Scenario], recordings: Recordings) -> tuple[Trial, ...]:
    """A trial for each recording; a scenario without one is planned too, with the reason it can't be played."""
    plan: list[Trial] = []
    for scenario in scenarios:
        trials = recordings.trials(scenario.name)
        plan += [Trial(scenario, number) for number in trials]
        if scenario.name in recordings.broken:
            plan.append(Trial(scenario, 0 if trials else 1, "a recording of it is broken (see the problems)"))
        elif not trials:
            missing = f"there is no recording: evals/recordings/{scenario.name}/t1.jsonl is missing"
            plan.append(Trial(scenario, 1, missing))
    return tuple(plan)


def report(
    mode: Literal["replay", "live"],
    started: datetime,
    seconds: float,
    results: Sequence[TrialResult],
    problems: Sequence[str] = (),
) -> Report:
    """The report of these results, with the shares of where the model turns came from."""
    calls = [call for result in results for call in result.observation.model_calls]
    return Report(
        mode=mode,
        started_at=started.isoformat(timespec="seconds"),
        seconds=seconds,
        results=tuple(results),
        model=", ".join(sorted({call.model for call in calls})),
        prompt_hash=own_prompt().hash,
        problems=tuple(problems),
        origins=dict(Counter(str(call.origin) for call in calls)),
    )


async def run_trials(
    trials: Sequence[Trial],
    playing: Playing,
    judging: Judging,
    concurrency: int = CONCURRENCY,
    on_result: OnResult | None = None,
    *,
    by_position: bool = False,
    on_end: OnEnd | None = None,
) -> tuple[TrialResult, ...]:
    """Play and judge each; one result for each, in their order. Never raises for what a trial or its judging does."""
    places = asyncio.Semaphore(concurrency)

    async def one(trial: Trial) -> TrialResult:
        async with places:
            result = await _tried(trial, playing, judging, by_position)
            if on_end is not None:
                await on_end(result)
        if on_result is not None:
            on_result(result)
        return result

    return tuple(await asyncio.gather(*map(one, trials)))


async def _tried(trial: Trial, playing: Playing, judging: Judging, by_position: bool) -> TrialResult:
    """Played and judged, or errored with the reason. What was answered by position is never a pass: it says what it
    would have been."""
    if trial.problem:
        return errored(trial, trial.problem)
    what = "played"
    try:
        observation = await playing(trial)
        what = "judged"
        if not (by_position and observation.stale):
            return await asyncio.to_thread(judging, trial.scenario, observation)
        result = await asyncio.to_thread(judging, trial.scenario, replace(observation, stale=()))
    except Exception as error:  # whatever an environment, a hook or a judge does: the others go on
        return errored(trial, f"could not be {what}: {type(error).__name__}: {error}")
    changed = "; ".join(f"turn {stale.turn}: {', '.join(stale.changed)}" for stale in observation.stale)
    was = f"{result.outcome}{f' ({result.reason})' if result.reason else ''}"
    reason = f"answered by position, although the request changed ({changed}); judged like that: {was}"
    return replace(result, outcome=Outcome.STALE, observation=observation, reason=reason)


def errored(trial: Trial, reason: str) -> TrialResult:
    """A trial that could not be judged."""
    name, tags, counts = trial.scenario.name, trial.scenario.tags, trial.scenario.reviewed
    return TrialResult(name, trial.number, tags, Outcome.ERRORED, (), Observation(name, trial.number), reason, counts)


@dataclass(slots=True)
class RuntimePool:
    """As many runtimes as trials are played at a time; a runtime plays one after the other. ``async with`` opens them.

    ``folder`` holds the processor's prompt and profile, ``model`` is the model's name (None: the repository's, and
    production's), ``api_key`` the model server's. ``live``: an answer, and a trial, may take minutes.
    """

    number: int = CONCURRENCY
    folder: Path | None = None
    model: str | None = None
    live: bool = False
    api_key: str = SANDBOX_MODEL_KEY
    _free: asyncio.Queue[SharedRuntime] = field(default_factory=asyncio.Queue[SharedRuntime])
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        folder = self.folder or PROCESSOR_FOLDER
        for _ in range(self.number):
            runtime = SharedRuntime(model=self.model, api_key=self.api_key, folder=folder, live=self.live)
            self._free.put_nowait(await self._open.enter_async_context(runtime))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[SharedRuntime]:
        runtime = await self._free.get()
        try:
            yield runtime
        finally:
            self._free.put_nowait(runtime)

    async def play(
        self, scenario: Scenario, trial: int, server: ModelServer, user: UserModel | None = None
    ) -> Observation:
        """Play it against this model server; the observation with what the server knows."""
        seconds = LIVE_SECONDS if self.live else LONGEST_SECONDS
        async with self.one() as runtime, server:
            observation = await run_trial(scenario, trial, server.base_url, runtime, seconds=seconds, user=user)
        ended = server.ended is not None  # by the server: then that is all that is said
        return replace(
            observation,
            model_calls=tuple(server.calls),
            stale=tuple(server.stale),
            missing_turns=tuple(server.missing),
            unused_turns=() if ended else server.unused,
            crash=None if ended else observation.crash,
        )


def in_one_runtime[T](work: Callable[[RuntimePool], Awaitable[T]]) -> T:
    """What is made with one runtime, while nothing but this machine is reached."""

    async def made() -> T:
        async with RuntimePool(1) as runtimes:
            return await work(runtimes)

    with offline():
        return asyncio.run(made())


async def run_trial(
    scenario: Scenario,
    trial: int,
    model_url: str,
    runtime: SharedRuntime,
    *,
    seconds: float = LONGEST_SECONDS,
    user: UserModel | None = None,
) -> Observation:
    """Play one trial through the real thing to its end, at most ``seconds`` of real time.

    ``model_url`` is any server in Gemini's REST shape. Events of ``during: n`` are delivered by the gateway in front of
    it, so the model server needs no hook. A ``runtime`` plays one trial at a time; several runtimes play side by side.
    ``user`` writes on where the scenario has a simulated one. Never raises for what a trial does: ``crash`` says it.
    """
    started, observation, crash = monotonic(), Observation(scenario.name, trial), None
    with captured() as lines:
        try:
            async with TrialEnvironment(runtime, scenario) as environment:
                scheduler = Scheduler(environment, user, trial)
                environment.begin_model(model_url, scheduler.on_turn)
                seeded = await set_up(environment)
                crash = await _to_the_end(scheduler, seconds)
                observation = await observe(environment, scheduler, seeded)
        except Exception as error:
            crash = crash or _described(error)
    crash = "; ".join(filter(None, (crash, *defects(lines)))) or None
    return replace(observation, trial=trial, crash=crash, seconds=monotonic() - started)


async def _to_the_end(scheduler: Scheduler, seconds: float) -> str | None:
    """Play; why it could not be played to its end. What was seen up to there is worth showing."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await scheduler.play()
    except Exception as error:
        return f"took longer than {seconds:g} s of real time" if limit.expired() else _described(error)
    return None


def _described(error: Exception) -> str:
    return str(error) if isinstance(error, CantBePlayed) else f"{type(error).__name__}: {error}"
