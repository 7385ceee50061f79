"""Bad agents by a defect of the production code, a changed prompt, or a judge that does not answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from dm_evals.mutants import code
from dm_evals.mutants.kinds import Altered, BadAgent, DoesNotApply, bad, call, turn
from dm_evals.replay.recordings import Recording
from dm_evals.results import Outcome

DEFECTS: Final = (
    bad(
        "AnswersAfterTakeover",
        "a human answered; the bot answers all the same",
        "human_takeover",
        "state.replies",
        lambda turns: (*turns, *turns, turn(call("no_reply", reason="a lone thank you"))),
        code=code.answers_after_takeover,
    ),
    bad(
        "AnswersAnUnsentDm",
        "the DM was taken back; the bot answers it all the same",
        "unsend_the_only_one",
        "state.replies",
        code=code.unsent_ignored,
    ),
    bad(
        "LosesNotes",
        "a note is taken for saved that is not stored",
        "returning_person_saves_a_preference",
        "state.notes",
        code=code.notes_lost,
    ),
    bad(
        "DeliversEachReplyTwice",
        "the client posts every message again",
        "price_student",
        "state.replies",
        code=code.reply_twice,
    ),
    bad(
        "LosesReplies",
        "a send is taken for done that never went out",
        "price_student",
        "state.replies",
        code=code.reply_lost,
    ),
    bad(
        "LosesNotices",
        "an alert is taken for done that never reached the manager",
        "abuse_threat_alerts_the_manager",
        "state.notices",
        code=code.notice_lost,
    ),
)


def _stale(name: str, about: str, on: str, **how: object) -> BadAgent:
    """Must be stale: the recording answers another request."""
    return BadAgent(replace(Altered(name, about, on, by="recording"), **how), "recording.stale", Outcome.STALE)


def _rewritten(part: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of one file of the prompt."""

    def change(folder: Path) -> None:
        path = folder / part
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise DoesNotApply(f"{part} has no {old!r}")
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def _shortened(recording: Recording) -> Recording:
    return replace(recording, turns=recording.turns[:-1])


STALE: Final = (
    _stale(
        "ChangedPrompt",
        "the system prompt says something else than when it was recorded",
        "price_student",
        folder=_rewritten("prompts/system.md", "Short: one to four sentences", "As long as it takes"),
    ),
    _stale(
        "ChangedKnowledge",
        "what the club says of its prices was changed",
        "price_student",
        folder=_rewritten("profile/knowledge.md", "Student or under 21", "Student or under 25"),
    ),
    BadAgent(
        Altered(
            "OldPrice",
            "the price was raised; the answer still says the old one",
            "price_student",
            folder=_rewritten("profile/facts.toml", "60 pounds", "65 pounds"),
            by="recording",
        ),
        "reply.must",
    ),
    _stale(
        "SeesOnlyTheFirstDm", "the model is shown one DM of a burst", "net_session_question", code=code.first_dm_only
    ),
    _stale(
        "ForgetsTheHistory",
        "the model is not shown what was said before",
        "off_topic_betting_tip",
        code=code.no_history,
    ),
    _stale(
        "TellsAnotherTimeZone",
        "the calendar's times are told in New York's",
        "net_session_question",
        code=code.another_zone,
    ),
    BadAgent(
        Altered(
            "CutRecording", "the last turn is missing", "net_session_question", recording=_shortened, by="recording"
        ),
        "recording.missing",
        Outcome.STALE,
    ),
)

UNJUDGED: Final = (
    BadAgent(
        Altered(
            "CrashingAgent",
            "the agent crashes on every answer",
            "price_student",
            lambda turns: turns * 6,
            code=code.crash,
        ),
        "play.finished",
        Outcome.ERRORED,
    ),
    BadAgent(
        Altered(
            "CrashThatARetryMends",
            "it crashes once; the queue's retry hides it",
            "price_student",
            lambda turns: (*turns, *turns),
            code=code.crash_once,
        ),
        "play.finished",
        Outcome.ERRORED,
    ),
    BadAgent(
        Altered(
            "JudgeWithoutAnAnswer",
            "a rubric item that no judge has answered",
            "price_student",
            scenario=code.asks_the_judge,
        ),
        "rubric",
        Outcome.ERRORED,
    ),
    BadAgent(
        Altered("CrashingEvaluator", "a check that crashes", "price_student", scenario=code.breaks_the_evaluator),
        "reply",
        Outcome.ERRORED,
    ),
)

BAD_CODE: Final[tuple[BadAgent, ...]] = (*DEFECTS, *STALE, *UNJUDGED)
