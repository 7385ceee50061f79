"""Planted defects of the production code that change what leaves the system: each must be caught by replay alone.

No scenario expects the right thing on purpose: what catches them is ``effects``, by the recording itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.agent.agent import Agent, Opening, Situation
from dm_core.agent.guards import Guards, Refusal
from dm_core.agent.plan import TurnPlan
from dm_core.agent.texts import split_text
from dm_core.agent.tools import send_instagram_message
from dm_core.alerts import Alert
from dm_core.clients.instagram import InstagramClient
from dm_core.clients.whatsapp import WhatsAppClient
from dm_core.messages import Message, Status
from dm_core.processing import alert_texts
from dm_core.processing.run_loop import RunLoop
from dm_core.runs import Action, ActionKind, ModelTurn
from dm_core.threads import Note
from dm_evals.mutants.code import Planted, planted

PRICE: Final = "price_student"
LONG: Final = "long_reply_is_split"
THANKS: Final = "reaction_for_thanks"
BOTH: Final = "question_is_not_answered_by_a_reaction"
ALERT: Final = "abuse_threat_alerts_the_manager"
NOTE: Final = "returning_person_saves_a_preference"
SILENCE: Final = "spam_crypto_offer_no_reply"
TWO: Final = "two_people_at_once"
STRANGER: Final = "819898670256714"


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong, the scenario on whose recording it shows, and how it is planted."""

    about: str
    on: str
    plant: Planted


_send, _react, _whatsapp, _plan = InstagramClient.send_text, InstagramClient.react, WhatsAppClient.send_text, Agent.plan
_notes, _single, _refusal, _opening = RunLoop.notes, alert_texts.single, Guards.refusal, Agent.opening


def _says(change: Callable[[str], str], to: str | None = None) -> Planted:
    """Every text to a person goes out like this."""

    async def send(client: InstagramClient, user_id: str, text: str) -> str:
        return await _send(client, to or user_id, change(text))

    return planted(InstagramClient, "send_text", send)


async def _send_twice(client: InstagramClient, user_id: str, text: str) -> str:
    await _send(client, user_id, text)
    return await _send(client, user_id, text)


async def _send_nothing(_: InstagramClient, user_id: str, text: str) -> str:
    return f"mid.{user_id}.{len(text)}"


def _to_whoever_wrote_first() -> Planted:
    """A client that keeps the first recipient it is asked for."""
    first: list[str] = []

    async def send(client: InstagramClient, user_id: str, text: str) -> str:
        first.append(user_id)
        return await _send(client, first[0], text)

    return planted(InstagramClient, "send_text", send)


def _with_the_last_thread() -> Planted:
    """What the model is shown opens with the messages of the thread before."""
    last: list[Message] = []

    def opening(agent: Agent, situation: Situation) -> Opening:
        shown = _opening(
            agent,
            replace(situation, recent=(*(replace(each, status=Status.PROCESSED) for each in last), *situation.recent)),
        )
        last[:] = situation.messages
        return shown

    return planted(Agent, "opening", opening)


def _reacts(act: Callable[[InstagramClient, str, str, str], Awaitable[None]]) -> Planted:
    return planted(InstagramClient, "react", act)


async def _thumbs_down(client: InstagramClient, user_id: str, mid: str, reaction: str) -> None:
    await _react(client, user_id, mid, "👎" if reaction else reaction)


async def _react_twice(client: InstagramClient, user_id: str, mid: str, reaction: str) -> None:
    await _react(client, user_id, mid, reaction)
    await _react(client, user_id, mid, reaction)


async def _react_nowhere(_: InstagramClient, user_id: str, mid: str, reaction: str) -> None:
    del user_id, mid, reaction


async def _react_elsewhere(client: InstagramClient, user_id: str, mid: str, reaction: str) -> None:
    await _react(client, f"{user_id}1", mid, reaction)


def _splits(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Planted:
    """The parts of a text become these."""

    def split(text: str) -> tuple[str, ...]:
        return change(split_text(text))

    return planted(send_instagram_message, "split_text", split)


def _tells(change: Callable[[str], str]) -> Planted:
    """Every text to the manager goes out like this."""

    async def send(client: WhatsAppClient, text: str, reference: str) -> str:
        return await _whatsapp(client, change(text), reference)

    return planted(WhatsAppClient, "send_text", send)


async def _tell_twice(client: WhatsAppClient, text: str, reference: str) -> str:
    await _whatsapp(client, text, reference)
    return await _whatsapp(client, text, reference)


async def _tell_nobody(_: WhatsAppClient, text: str, reference: str) -> str:
    return f"wamid.{len(text) + len(reference)}"


def _plans(change: Callable[[Situation, TurnPlan], TurnPlan]) -> Planted:
    """A turn's plan becomes this."""

    def plan(agent: Agent, situation: Situation, turn: ModelTurn) -> TurnPlan:
        return change(situation, _plan(agent, situation, turn))

    return planted(Agent, "plan", plan)


def _on_the_oldest(situation: Situation, plan: TurnPlan) -> TurnPlan:
    handles = situation.run.handles
    oldest = handles[min(handles)]
    return replace(
        plan,
        actions=tuple(replace(a, target=oldest) if a.kind is ActionKind.REACT else a for a in plan.actions),
    )


def _answers_silence(situation: Situation, plan: TurnPlan) -> TurnPlan:
    if plan.no_reply is None:
        return plan
    run = situation.run
    action = Action(f"{run.id}/{run.next_turn}/0", ActionKind.SEND, "Thanks!", 0, run.next_turn)
    return replace(plan, actions=(action,))


def _only(kind: ActionKind) -> Callable[[Situation, TurnPlan], TurnPlan]:
    return lambda _, plan: replace(plan, actions=tuple(action for action in plan.actions if action.kind is kind))


def _keeps(change: Callable[[Sequence[Note]], Sequence[Note]]) -> Planted:
    """The thread's notes become these."""

    def notes(run_loop: RunLoop, run: object) -> object:
        kept = _notes(run_loop, run)  # pyright: ignore[reportArgumentType]
        return tuple(change(kept)) if isinstance(kept, tuple) else kept

    return planted(RunLoop, "notes", notes)


def _titles(change: Callable[[Alert, str], str]) -> Planted:
    """An alert's words, with the person before them, become these."""
    return planted(alert_texts, "single", change)


def _refuses_figures(guards: Guards, text: str, *, to_person: bool) -> Refusal | None:
    figures = to_person and any(character.isdigit() for character in text)
    return Refusal("link", "not sent: no figures.") if figures else _refusal(guards, text, to_person=to_person)


def _refuses_nothing(_: Guards, text: str, *, to_person: bool) -> None:
    del text, to_person


DEFECTS: Final = (
    Defect("the currency is another one", PRICE, _says(lambda text: text.replace("pounds", "euros"))),
    Defect("a figure is another one", PRICE, _says(lambda text: text.replace("6", "7"))),
    Defect("the last 20 characters are lost", PRICE, _says(lambda text: text[:-20])),
    Defect("the first word is lost", PRICE, _says(lambda text: text.partition(" ")[2])),
    Defect("a signature is added", PRICE, _says(lambda text: f"{text}\nYour club")),
    Defect("everything is in capitals", PRICE, _says(str.upper)),
    Defect("letters beyond ASCII are lost", "language_german", _says(lambda t: t.encode("ascii", "ignore").decode())),
    Defect("a script is not readable", "language_hindi", _says(lambda t: t.encode("ascii", "replace").decode())),
    Defect("quotes are escaped", PRICE, _says(lambda text: text.replace("'", "&#39;"))),
    Defect("the reply goes to somebody else", PRICE, _says(str, STRANGER)),
    Defect("the reply goes out twice", PRICE, planted(InstagramClient, "send_text", _send_twice)),
    Defect("the reply never goes out", PRICE, planted(InstagramClient, "send_text", _send_nothing)),
    Defect("only the first part of a long reply", LONG, _splits(lambda parts: parts[:1])),
    Defect("the last part of a long reply is lost", LONG, _splits(lambda parts: parts[:-1])),
    Defect("parts in another order", LONG, _splits(lambda parts: parts[::-1])),
    Defect("parts without their first letter", LONG, _splits(lambda parts: tuple(part[1:] for part in parts))),
    Defect("a long reply is cut", LONG, _splits(lambda parts: (f"{parts[0][:-1]}…",))),
    Defect("a part says where it stands", LONG, _splits(lambda p: tuple(f"({n}) {each}" for n, each in enumerate(p)))),
    Defect("every reaction is a thumb down", THANKS, _reacts(_thumbs_down)),
    Defect("a reaction on another message", THANKS, _plans(_on_the_oldest)),
    Defect("a reaction that never goes out", THANKS, _reacts(_react_nowhere)),
    Defect("a reaction twice", THANKS, _reacts(_react_twice)),
    Defect("a reaction in another thread", THANKS, _reacts(_react_elsewhere)),
    Defect("the reply before the reaction", BOTH, _plans(lambda _, p: replace(p, actions=p.actions[::-1]))),
    Defect("the reaction beside a reply is lost", BOTH, _plans(_only(ActionKind.SEND))),
    Defect("the reply beside a reaction is lost", BOTH, _plans(_only(ActionKind.REACT))),
    Defect("a silence is broken", SILENCE, _plans(_answers_silence)),
    Defect("an alert is cut", ALERT, _tells(lambda text: text[:60])),
    Defect("an alert has other words", ALERT, _tells(lambda text: text.replace("e", "3"))),
    Defect("an alert comes twice", ALERT, planted(WhatsAppClient, "send_text", _tell_twice)),
    Defect("an alert never comes", ALERT, planted(WhatsAppClient, "send_text", _tell_nobody)),
    Defect("an alert is not stored", ALERT, _plans(lambda _, plan: replace(plan, alerts=()))),
    Defect(
        "an urgent alert is stored as any other",
        ALERT,
        _plans(lambda _, plan: replace(plan, alerts=tuple(replace(a, urgency="normal") for a in plan.alerts))),
    ),
    Defect(
        "an urgent alert does not say so",
        ALERT,
        _titles(lambda alert, person: _single(alert, person).removeprefix("URGENT, ")),
    ),
    Defect("an alert says only whom it is about", ALERT, _titles(lambda _, person: f"{person}: ")),
    Defect("a note is kept twice", NOTE, _keeps(lambda notes: (*notes, notes[-1]))),
    Defect("a note is cut", NOTE, _keeps(lambda notes: (*notes[:-1], replace(notes[-1], text=notes[-1].text[:9])))),
    Defect("a note is lost", NOTE, _keeps(lambda notes: notes[:-1])),
    Defect("a reply goes to whoever wrote first", TWO, _to_whoever_wrote_first()),
    Defect("the model is shown another person's thread", TWO, _with_the_last_thread()),
    Defect("a guard refuses what is right", PRICE, planted(Guards, "refusal", _refuses_figures)),
    Defect("no guard refuses", "tool_error_foreign_link", planted(Guards, "refusal", _refuses_nothing)),
)
