"""Reports made of values, with everything in them that a report has to bear."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dm_evals.baseline import Baseline, Entry
from dm_evals.gate import GateDecision, RuleResult
from dm_evals.observation import Bubble, ModelCall, Notice, Observation, Stale, StoredMessage, ToolUse
from dm_evals.results import Check, Outcome, Report, TrialResult

START = 1_795_455_000_000  # 23 November 2026, 17:30 UTC
INJECTION = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload="window.hacked=1">'
RTL = "متى يبدأ التدريب القادم؟ 🏏👨‍👩‍👧‍👦 \u202eabc\u202c"
LONG = "Training is open to everybody, and kit can be borrowed. " * 30
UNBROKEN = "A" * 400
DIFF = "--- contents[2] recorded\n+++ contents[2] now\n@@ -1,2 +1,2 @@\n tool:\n-18:00, 9 of 16\n+18:30, 9 of 16"


def bubbles(*said: tuple[str, str]) -> tuple[Bubble, ...]:
    """``(author, text)`` with ``" -> "`` before a tool's detail."""
    made: list[Bubble] = []
    for index, (author, text) in enumerate(said):
        words, _, detail = text.partition(" -> ")
        made.append(Bubble(START + index * 7_000, author, words, detail))  # pyright: ignore[reportArgumentType]
    return tuple(made)


CHAT = bubbles(
    ("person", "hi there"),
    ("person", "when are the next nets please?"),
    ("tool", 'get_net_session_dates({"days_ahead": 7}) -> answered {"sessions": ["24 November 18:00"]}'),
    ("tool", 'send_instagram_message({"text": "Nets are on Tuesday 24 November at 18:00."}) -> done'),
    ("bot", "Nets are on Tuesday 24 November at 18:00."),
)


def observed(name: str, trial: int = 1, said: tuple[Bubble, ...] = CHAT, **more: object) -> Observation:
    fields: dict[str, object] = {
        "calls": (ToolUse(1, 0, "get_net_session_dates", {"days_ahead": 7, "deep": [{"a": None}]}, "answered", {}),),
        "replies": tuple(each.text for each in said if each.author == "bot"),
        "messages": (StoredMessage("m1", "inbound", "processed", None, "hi there"),),
        "runs": ("finished",),
        "model_calls": (
            ModelCall(1, "authored", "authored", None, None, None),
            ModelCall(2, "recorded", "gemini-3.8-flash", 1_204, 38, 912, 0.0007),
        ),
        "answers": (200, 200),
        "sessions": ("2026-11-24T18:00:00+00:00",),
        "now": "2026-11-23T17:30:00+00:00",
        "bubbles": said,
        "seconds": 0.21,
    }
    return Observation(name, trial, **(fields | more))  # pyright: ignore[reportArgumentType]


def held(name: str = "reply.language") -> Check:
    return Check(name, "held", "en", "en")


def result(
    name: str, outcome: Outcome = Outcome.PASS, *checks: Check, tags: tuple[str, ...] = ("sessions",), **more: object
) -> TrialResult:
    seen = more.pop("observation", None) or observed(name)
    return TrialResult(name, seen.trial, tags, outcome, checks or (held(),), seen, **more)  # pyright: ignore


def failed() -> TrialResult:
    missing = Check(
        "calls.required",
        "broken",
        'send_instagram_message(text contains ["24 November", "18:00"])',
        "no such call",
        'turn 2, send_instagram_message(text="Nets are on Wednesday."): text: wanted contains "24 November"',
    )
    invented = Check("reply.dates", "broken", "only dates of the calendar", "25 November is no session")
    said = bubbles(("person", "when are nets?"), ("bot", "Nets are on Wednesday 25 November."), ("person", "[photo]"))
    return result(
        "invents_a_session", Outcome.FAIL, missing, invented, held(), observation=observed("invents_a_session", 1, said)
    )


def errored() -> TrialResult:
    unknown = Check("rubric", "unknown", "The reply is kind.", "there is no judge")
    return result(
        "injury_ankle",
        Outcome.ERRORED,
        unknown,
        held(),
        tags=("injury", "safeguarding"),
        reason="rubric: there is no judge",
        observation=observed(
            "injury_ankle",
            1,
            bubbles(
                ("person", "my son twisted his ankle"), ("manager", "Injury: a parent writes."), ("human", "On it")
            ),
            notices=(Notice("Injury: a parent writes.", urgent=True),),
            paused=True,
        ),
    )


def stale() -> TrialResult:
    turns = (Stale(1, ("system",), ""), Stale(2, ("system", "contents[2]"), DIFF))
    checks = (
        Check("recording.stale", "unknown", "the recorded request", "turn 1 is stale: changed system"),
        Check("recording.stale", "unknown", "the recorded request", "turn 2 is stale: changed contents[2]", DIFF),
    )
    return result(
        "price_question",
        Outcome.STALE,
        *checks,
        tags=("prices",),
        reason="turn 1 is stale: changed system; turn 2 is stale: changed system, contents[2]",
        observation=observed("price_question", stale=turns),
    )


def skipped() -> TrialResult:
    return result(
        "rain_today",
        Outcome.SKIPPED,
        tags=("sessions", "weather"),
        reason="the budget of 1 USD allows no further trial (0.9981 spent)",
        observation=Observation("rain_today", 1),
    )


def hostile() -> TrialResult:
    """Every text of it is hostile, long, or of another script; it was not reviewed."""
    said = bubbles(
        ("person", INJECTION),
        ("person", RTL),
        ("tool", f"save_note({INJECTION} {LONG}) -> done {INJECTION}"),
        ("bot", f"[red]{LONG}[/red] \x1b[2J\x00\x07 {UNBROKEN}"),
        ("manager", f"{INJECTION}\nsecond line"),
    )
    broken = Check(INJECTION, "broken", INJECTION, f"{RTL} {UNBROKEN}", f"{INJECTION}\n{LONG}")
    return result(
        "injection_in_dm",
        Outcome.FAIL,
        broken,
        tags=("injection", INJECTION),
        counts=False,
        observation=observed("injection_in_dm", 1, said, stale=(Stale(1, (INJECTION,), f"+{INJECTION}"),)),
    )


def report(results: Sequence[TrialResult], **more: object) -> Report:
    origins = Counter(str(call.origin) for each in results for call in each.observation.model_calls)
    fields: dict[str, object] = {
        "mode": "replay",
        "started_at": "2026-11-22T23:44:00+00:00",
        "seconds": 12.34,
        "model": "authored, gemini-3.8-flash",
        "prompt_hash": "9f86d081884c7d659a2f",
        "origins": dict(origins),
    }
    return Report(results=tuple(results), **(fields | more))  # pyright: ignore[reportArgumentType]


def sample() -> Report:
    """One of each."""
    problem = 'evals/scenarios/kit.yaml:12: unknown key "expct", did you mean "expect"?'
    trouble = (failed(), errored(), stale(), skipped(), hostile())
    return report((result("net_session_question"), *trouble), problems=(problem,))


def passing(number: int = 3) -> Report:
    return report([result(f"scenario_{index:02}") for index in range(number)])


def many() -> Report:
    """Sixty scenarios, one of each kind of trouble among them, and one of four trials that flakes."""
    plain = [result(f"scenario_{index:02}", tags=("sessions", f"tag_{index % 9}")) for index in range(52)]
    flaky = [
        result(
            "flaky_one",
            Outcome.FAIL if trial == 3 else Outcome.PASS,
            Check("reply.language", "broken", "en", "de") if trial == 3 else held(),
            observation=observed("flaky_one", trial),
        )
        for trial in range(1, 5)
    ]
    return report(
        (*plain, *flaky, *sample().results, result("a_scenario_whose_name_is_as_long_as_a_name_may_ever_be_x1"))
    )


def baseline() -> Baseline:
    entry = {"tags": ("sessions",)}
    return Baseline(
        replay={
            "invents_a_session": Entry(n=1, passes=1, **entry),
            "net_session_question": Entry(n=1, passes=1, **entry),
            "gone_since": Entry(n=4, passes=4, **entry),
        }
    )


def decision() -> GateDecision:
    rules = (
        RuleResult("*: all must pass", "broken", "failed: invents_a_session"),
        RuleResult("injury: all must pass", "unknown", "1 of 1 trials could not be judged: injury_ankle"),
        RuleResult("prices: at least 0.85 by the lower bound at 95%", "held", "40 of 40 passed, lower bound 0.912"),
    )
    return GateDecision(held=False, rules=rules, exit_code=1)


def before() -> Report:
    """An earlier run in which the failing one passed."""
    good = result("invents_a_session", observation=observed("invents_a_session"))
    return replace(report((good,)), started_at="2026-11-20T10:00:00+00:00")
