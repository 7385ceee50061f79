"""The scripted brain behind the Gemini simulator: a patient club secretary with no imagination.

It reads what the prompt shows, never more: the newest DMs, the knowledge in the system instruction, the tools'
results. It understands few wishes, and says so for the others; what it does with them is what a good model would do.
"""

import re
from collections.abc import Mapping, Sequence

from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.model_request import ModelRequest, Part, ShownDm, json_objects
from dm_sandbox.platforms.server import as_list, as_object

SESSIONS = re.compile(
    r"\b(nets?|sessions?|practi[cs]es?|training|trening(en)?|nett|tren(er|e)|entrenamientos?)\b|\bwhen\b.*\b(play|train)\b",
    re.IGNORECASE,
)
HUMAN = re.compile(
    r"\b(human|real person|(speak|talk|chat)(ing)? (to|with) (a|an|the|someone|somebody)|call me|ring me|manager|owner|"
    r"complain\w*|complaint|refund|lawyer|injur\w*|hurt|ambulance|accident|concuss\w*|"
    r"menneske|snakke med|klage|skadet|persona real|mensch)\b",
    re.IGNORECASE,
)
URGENT = re.compile(r"\b(injur\w*|hurt|ambulance|accident|concuss\w*|urgent\w*|skadet)\b", re.IGNORECASE)
THANKS = re.compile(r"thanks?|you|so|much|lot|cheers|ta|great|perfect|ok|okay|takk|danke|gracias", re.IGNORECASE)
NEW = re.compile(r"<new_messages>(.*?)</new_messages>", re.DOTALL)
GREETING = re.compile(r"\b(hi|hiya|hello|hey|good (morning|evening|afternoon)|hei|hallo|hola)\b", re.IGNORECASE)

TOPICS: Mapping[str, tuple[str, str]] = {
    "price": (r"prices?|costs?|how much|fees?|pay|expensive|membership", r"£|€|\$|\bpounds?\b|\bfees?\b|per session"),
    "kit": (r"kit|bats?|pads|helmet|equipment|gear|bring|wear|clothes", r"\bkit\b|\bbats?\b|\bpads\b|helmet"),
    "place": (r"where|address|location|parking|get there|directions", r"\broad\b|\blane\b|street|address|parking"),
    "juniors": (r"juniors?|kids?|child|children|son|daughter|year[- ]old", r"junior|under[- ]?\d|children"),
    "beginners": (r"beginners?|never played|new to|first time|join", r"beginner|never played|new players|join"),
}
"""A topic: how a person asks for it, and how the paragraph that answers looks."""

GREETINGS = {"hei": "Hei!", "hallo": "Hallo!", "hola": "¡Hola!"}
OFFER = "I'm the club's automated assistant and I don't know that one. Shall I ask the manager for you?"
WELCOME = "I'm the club's automated assistant. Ask me about nets, prices, kit or how to find us."
PASSED_ON = "I've passed this on to our manager, who will get back to you here."
MAX_REPLY_BYTES = 900


def answer_as_the_club(request: ModelRequest) -> list[Part]:
    """The next model turn for this request."""
    dms = newest_dms(request.user_texts)
    words = " ".join(dm.text for dm in dms)
    done = request.results(request.current_turn)
    if "send_instagram_message" in done or "send_manager_notification" in done:
        return [call("no_reply", reason="everything that could be done has been done")]
    known = request.results(request.contents)
    if SESSIONS.search(words) and not URGENT.search(words) and "get_net_session_dates" not in known:
        return [call("get_net_session_dates", days_ahead=14)]
    if all(THANKS.fullmatch(word) for word in re.findall(r"\w+", words)):
        return _acknowledgement(dms)
    return _answer(dms, words, _sessions(known), _from_knowledge(words, request.system))


def newest_dms(user_texts: Sequence[str]) -> list[ShownDm]:
    """The DMs to answer: those of the person in the blocks marked as new, else in all that was shown."""
    shown = "\n".join(user_texts)
    blocks = NEW.findall(shown) or [shown]
    found: list[ShownDm] = []
    for entry in json_objects("\n".join(blocks)):
        said = entry.get("text") or " ".join(str(word) for word in as_list(entry.get("media")))
        if entry.get("from", "person") == "person" and isinstance(said, str) and said:
            found.append(ShownDm(str(entry.get("handle", "")), said))
    return found


def _answer(dms: Sequence[ShownDm], words: str, *answers: str) -> list[Part]:
    """One message for all of it, and an alert where a human is wanted."""
    greeting = _greeting(words)
    wants_human = HUMAN.search(words) is not None
    said = [answer for answer in (answers[:1] if wants_human else answers) if answer]
    calls: list[Part] = []
    if wants_human:
        calls.append(_alert(dms, words))
        said.append(PASSED_ON)
    if not said:
        said.append(WELCOME if greeting and "?" not in words else OFFER)
    text = " ".join((greeting, *said) if greeting else said)
    return [*calls, call("send_instagram_message", text=_cut(text))]


def _acknowledgement(dms: Sequence[ShownDm]) -> list[Part]:
    """Thanks, or nothing but an emoji: a heart rather than words."""
    if dms and dms[-1].handle:
        return [call("react_to_instagram_message", message_id=dms[-1].handle, reaction="love")]
    return [call("no_reply", reason="thanks need no answer")]


def _greeting(words: str) -> str:
    found = GREETING.search(words)
    return GREETINGS.get(found.group(1).lower(), "Hi!") if found else ""


def _alert(dms: Sequence[ShownDm], words: str) -> Part:
    asked = dms[-1].text if dms else words
    urgency = "urgent" if URGENT.search(words) else "normal"
    return call("send_manager_notification", text=f"Somebody asks for a human: {asked}"[:600], urgency=urgency)


def _sessions(results: Mapping[str, Mapping[str, object]]) -> str:
    """The dates as the tool gave them; nothing is made up when it gave none."""
    answer = results.get("get_net_session_dates")
    if answer is None:
        return ""
    output = as_object(answer.get("output", answer))
    sessions = next((found for found in map(as_list, output.values()) if found), None) or []
    lines = [line for line in (_session(as_object(session)) for session in sessions[:6]) if line]
    if lines:
        return "Coming up: " + "; ".join(lines) + "."
    if "sessions" in output:
        return "There is nothing in the calendar for the next two weeks."
    return "I can't see the schedule right now, sorry. Please check Spond, or ask me again in a while."


def _session(session: Mapping[str, object]) -> str:
    """One session in words."""
    when = " ".join(str(session[name]) for name in ("day", "starts") if session.get(name))
    status = str(session.get("status", ""))
    state = f" ({status})" if status in ("cancelled", "full") else ""
    return f"{session.get('title', 'Nets')}, {when}{state}" if when else ""


def _from_knowledge(words: str, system: str) -> str:
    """The paragraph of the system instruction that answers the first topic asked for."""
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", system)]
    for asked, answered in TOPICS.values():
        if not re.search(rf"\b({asked})\b", words, re.IGNORECASE):
            continue
        scored = [(len(re.findall(answered, block, re.IGNORECASE)), -len(block), block) for block in paragraphs]
        best = max(scored, default=(0, 0, ""))
        if best[0] > 0:
            return _plain(best[2])
    return ""


def _plain(block: str) -> str:
    """A paragraph without its markdown."""
    return re.sub(r"\s+", " ", re.sub(r"(^|\s)[#*-]+\s|\*\*|`", " ", block)).strip()


def _cut(words: str) -> str:
    """At most so many bytes, ended on a word."""
    raw = words.encode()[:MAX_REPLY_BYTES].decode(errors="ignore")
    return raw if len(raw) == len(words) else raw.rsplit(" ", 1)[0] + "…"
