"""The scripted model behind the Gemini simulator: a patient club secretary with no imagination.

It reads what the prompt shows, never more: the newest DMs, the knowledge in the system instruction, the tools'
results. Which tool is called when is written in the tools' own files (``Example``); the rest here. It understands few
wishes, and says so for the others; what it does with them is what a good model would do.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from dm_core.agent.tools.declare import Example, Kind
from dm_core.agent.tools.registry import SEND, TOOLS
from dm_sandbox.platforms.answers import call
from dm_sandbox.platforms.model_request import ModelRequest, Part, ShownDm, json_objects
from dm_sandbox.platforms.scripted_words import (
    ENGLISH,
    TOPICS,
    Language,
    language_of,
    sessions_answer,
    small_talk,
    topic_answer,
)
from dm_sandbox.platforms.server import as_list, as_object

NOTIFY, NO_REPLY, DATES = "send_manager_notification", "no_reply", "get_net_session_dates"
NEW = re.compile(r"<new_messages>(.*?)</new_messages>", re.DOTALL)
GREETING = re.compile(
    r"\b(hi|hiya|hello|hey|good (morning|evening|afternoon)|hei|hallo|servus|moin"
    r"|guten (tag|morgen|abend)|hola|buen[oa]s)\b",
    re.IGNORECASE,
)

MAX_REPLY_BYTES, MAX_ARGUMENT_CHARS = 900, 600


def answer_as_the_club(request: ModelRequest) -> list[Part]:
    """The next model turn for this request."""
    dms = newest_dms(request.user_texts)
    words = " ".join(dm.text for dm in dms)
    done = request.results(request.current_turn)
    if SEND in done or NOTIFY in done:
        return [call(NO_REPLY, reason="everything that could be done has been done")]
    known = request.results(request.contents)
    fitting = _fitting(words, request.tools)
    look_ups = [name for name in fitting if TOOLS[name].kind is Kind.DATA and name not in known]
    if look_ups and not _is_urgent(fitting):
        return [_called(name, fitting[name], dms) for name in look_ups]
    alone = [name for name, example in fitting.items() if example.alone]
    if alone:
        return _alone(alone[0], fitting[alone[0]], dms)
    acts = {name: example for name, example in fitting.items() if TOOLS[name].kind is not Kind.DATA}
    return _answer(dms, words, acts, request)


def _fitting(words: str, declared: Collection[str]) -> dict[str, Example]:
    """The tools of the request that the words ask for, each with its first example that they fit."""
    found: dict[str, Example] = {}
    for name in (name for name in TOOLS if name in declared):
        fits = (example for example in TOOLS[name].examples if re.search(example.when, words, re.IGNORECASE))
        example = next(fits, None)
        if example is not None:
            found[name] = example
    return found


def _is_urgent(fitting: Mapping[str, Example]) -> bool:
    return NOTIFY in fitting and fitting[NOTIFY].arguments.get("urgency") == "urgent"


def _called(name: str, example: Example, dms: Sequence[ShownDm]) -> Part:
    """The call of an example, with what it says about the newest DM filled in."""
    newest = dms[-1] if dms else ShownDm("", "")
    filled = {
        key: value.replace("{words}", newest.text).replace("{handle}", newest.handle)[:MAX_ARGUMENT_CHARS]
        if isinstance(value, str)
        else value
        for key, value in example.arguments.items()
    }
    return call(name, **filled)


def _alone(name: str, example: Example, dms: Sequence[ShownDm]) -> list[Part]:
    """Thanks, or nothing but an emoji: a heart rather than words, where there is a message to put it on."""
    if "{handle}" in example.arguments.values() and not (dms and dms[-1].handle):
        return [call(NO_REPLY, reason="thanks need no answer")]
    return [_called(name, example, dms)]


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


def _answer(
    dms: Sequence[ShownDm],
    words: str,
    acts: Mapping[str, Example],
    request: ModelRequest,
) -> list[Part]:
    """One message for all of it, beside the calls that the words ask for."""
    language, known = language_of(words), request.results(request.contents)
    files = [file.mime_type for file in request.files]
    greeting = language.hello if GREETING.search(words) else ""
    if NOTIFY not in acts and re.search(language.yes, words, re.IGNORECASE) and _offered(request, language):
        notice = "They asked something I don't know, and would like you to answer: see the conversation."
        return [call(NOTIFY, text=notice, urgency="normal"), call(SEND, text=language.passed_on)]
    said = [
        *_results(known, language),
        *(() if NOTIFY in acts else (_from_knowledge(words, request.system, language),)),
    ]
    if NOTIFY in acts:
        said.append(language.passed_on)
    said = [answer for answer in (*said, *(e.says({}) for name, e in acts.items() if name != NOTIFY)) if answer]
    if files and not said:
        said.append(f"I can see or hear what you sent ({', '.join(files)}). What would you like to know about it?")
    if not said:
        said.append(
            small_talk(words, language) or (language.welcome if greeting and "?" not in words else language.offer)
        )
    text = " ".join((greeting, *said) if greeting else said)
    return [*(_called(name, example, dms) for name, example in acts.items()), call(SEND, text=_cut(text))]


def _offered(request: ModelRequest, language: Language) -> bool:
    """The offer to ask the manager was made before; the history that is shown holds it."""
    return any(language.offer[-30:] in text for text in request.user_texts)


def _results(known: Mapping[str, Mapping[str, object]], language: Language) -> list[str]:
    """What the tools answered: as their own files say it, or in the person's language."""
    said: list[str] = []
    for name, answer in known.items():
        examples = TOOLS[name].examples if name in TOOLS else ()
        if examples and TOOLS[name].kind is Kind.DATA:
            output = as_object(answer.get("output", answer))
            in_english = language is ENGLISH or name != DATES
            said.append(examples[0].says(output) if in_english else sessions_answer(output, language))
    return said


def _from_knowledge(words: str, system: str, language: Language) -> str:
    """What answers the first topic asked for: the language's sentence, or the paragraph of the system instruction."""
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", system)]
    for topic, (asked, answered) in TOPICS.items():
        if not re.search(rf"\b({asked})\b", words, re.IGNORECASE):
            continue
        if own := topic_answer(topic, system, language):
            return own
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
