"""A digest for each part of a request, so that a stale recording names what changed and nothing else.

    model      the name in the address, as it is (readable, and as short as a digest)
    config     everything of the body that is none of the other parts
    system     the system text as it was sent, without persona, knowledge and canary: ``prompts/system.md``, the tools'
               words, and what ``profile.toml`` puts into its places
    persona    ``profile/persona.md``, without the values of its facts
    tools      the declarations
    knowledge  by the name of a fact: the paragraphs of the knowledge that refer to it, without its value
    prose      all of the knowledge, with all facts
    contents   one digest for each content, in order

A recording depends on all of them, but of the knowledge only on the paragraphs that its scenario's facts name. A fact's
value makes nothing stale: a recording that says the old one fails. ``prose`` makes nothing stale either.

On the wire the system text holds all of it together. It is taken apart by knowing the files: what they say of persona
and knowledge must stand in it whole and once, and what is left is the ``system`` digest. Where they don't (code lost a
paragraph or said it twice, or another folder was used), that is the whole text: then the prompt is another one.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Final

from dm_core.agent.profile import FACT_REFERENCE, FACTS_FILE, PERSONA_FILE, BusinessProfile, load_profile
from dm_core.agent.prompt import prompt_hash, system_prompt
from dm_evals.replay.canonical import Content, canonical, canonical_json, plain_key, readable
from dm_sandbox.platforms.server import as_list, as_object

PROCESSOR: Final = Path(__file__).parents[4] / "functions" / "processor"
"""The folder of the real prompt and the real profile."""
PARTS: Final = ("model", "config", "system", "persona", "tools", "knowledge", "contents")
"""Names of the parts, as ``refresh --parts`` takes them."""
CANARY: Final = "{{canary}}"
"""Stands for the prompt's canary in what is recorded: it changes with every word of the prompt."""
_LENGTH: Final = 16
_PARAGRAPHS: Final = re.compile(r"\n\s*\n|\n(?=[-*] )")
"""Between two paragraphs of the knowledge; each item of a list is one."""
_TEXT_PART: Final = re.compile(r"contents\[(\d+)\]")
_WHERE: Final[Mapping[str, str]] = {
    "system": "prompts/system.md, profile/profile.toml, the tools' words (dm_core/agent/tools), or what fills them in",
    "persona": "functions/processor/profile/persona.md",
    "knowledge": "functions/processor/profile/, in the paragraphs of the facts that this scenario names",
    "tools": "the declarations in dm_core/agent/tools/",
    "config": "the request's settings in dm_core/agent/gemini.py",
    "signatures": "dm_core/agent/gemini_turns.py: a thought signature, or the id of a call, goes back as another one",
}


def digest(value: object) -> str:
    """The first 64 bits of sha256 over the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


@dataclass(frozen=True)
class Prompt:
    """What a system text is made of. ``text`` is the finished one."""

    template: str
    profile: BusinessProfile

    @property
    def text(self) -> str:
        return system_prompt(self.template, self.profile).text

    def _files(self, *, persona: bool) -> str:
        """As the files have it: the persona, or the knowledge."""
        files = self.profile.files
        return "\n\n".join(text for name, text in files if name.endswith(".md") and (name == PERSONA_FILE) is persona)

    @cached_property
    def _paragraphs(self) -> tuple[str, ...]:
        """Of persona and knowledge as the files have them, with the facts filled in and single spaces."""
        facts = self.profile.facts
        filled = [
            FACT_REFERENCE.sub(lambda found: facts[found.group(1)], self._files(persona=persona))
            for persona in (True, False)
        ]
        return tuple(" ".join(paragraph.split()) for text in filled for paragraph in _PARAGRAPHS.split(text))

    def frame(self, said: str) -> str:
        """A system text without persona, knowledge and canary; whole where a paragraph of the files is not in it, or
        where the two don't stand there once."""
        plain = " ".join(said.split())
        places = {"{{persona}}": self.profile.persona, "{{knowledge}}": self.profile.knowledge}
        if any(paragraph not in plain for paragraph in self._paragraphs) or any(
            said.count(words) != 1 for words in places.values() if words
        ):
            return said
        for place, words in places.items():
            said = said.replace(words, place) if words else said
        return said.replace(self.canary, CANARY)

    @property
    def canary(self) -> str:
        """The marker in the finished text that must never leave."""
        return system_prompt(self.template, self.profile).canary

    @property
    def hash(self) -> str:
        return prompt_hash(self.template, self.profile)

    @property
    def paragraphs(self) -> dict[str, str]:
        """By fact: the digest of the paragraphs that refer to it, as they are written."""
        found: dict[str, list[str]] = {name: [] for name in self.profile.facts}
        for paragraph in _PARAGRAPHS.split(self._files(persona=False)):
            for fact in dict.fromkeys(FACT_REFERENCE.findall(paragraph)):
                found[fact].append(" ".join(paragraph.split()))
        return {fact: digest(paragraphs) for fact, paragraphs in found.items() if paragraphs}

    @property
    def prose(self) -> str:
        """Of all the knowledge, with all facts."""
        return digest([self.profile.knowledge, dict(self.profile.files).get(FACTS_FILE, "")])

    def digests(self, model: str, config: str, tools: str, said: str | None = None) -> "Digests":
        """Of a request with this system text; of one with this prompt's own, where none is given."""
        return Digests(
            model=model,
            config=config,
            system=digest(self.frame(self.text if said is None else said)),
            persona=digest(self._files(persona=True)),
            tools=tools,
            prose=self.prose,
            knowledge=self.paragraphs,
        )


def load_prompt(folder: Path = PROCESSOR) -> Prompt:
    """The prompt of a processor's folder. Raises Misconfigured or OSError."""
    return Prompt((folder / "prompts" / "system.md").read_text(encoding="utf-8"), load_profile(folder / "profile"))


@cache
def own_prompt() -> Prompt:
    """The repository's prompt, read once a process."""
    return load_prompt()


@dataclass(frozen=True, slots=True)
class Digests:
    """The parts of a request that are the prompt's: the same for every turn of a trial."""

    model: str
    config: str
    system: str
    persona: str
    tools: str
    prose: str
    knowledge: Mapping[str, str]

    def changed_from(self, recorded: "Digests", facts: Collection[str]) -> list[str]:
        """The parts that differ; of the knowledge, what is said of these facts."""
        names = ("model", "config", "system", "persona", "tools")
        changed = [name for name in names if getattr(self, name) != getattr(recorded, name)]
        if any(self.knowledge.get(fact) != recorded.knowledge.get(fact) for fact in facts):
            changed.append("knowledge")
        return changed


@dataclass(frozen=True, slots=True)
class TakenRequest:
    """A request as it is compared: its digests, and its contents for people."""

    digests: Digests
    contents: tuple[Content, ...]
    content_digests: tuple[str, ...]

    def changed_from(self, recorded: "TakenRequest", facts: Collection[str] = ()) -> tuple[str, ...]:
        """The parts that differ: ``system``, ``contents[2]`` …; ``facts`` are those the scenario names."""
        pairs = enumerate(zip_longest(self.content_digests, recorded.content_digests))
        contents = [f"contents[{index}]" for index, (mine, theirs) in pairs if mine != theirs]
        return (*self.digests.changed_from(recorded.digests, facts), *contents)


def take_request(model: str, body: Mapping[str, object], prompt: Prompt | None = None) -> TakenRequest:
    """The request of a model's turn. ``prompt``: what its system text should be made of (the repository's)."""
    parts = {plain_key(key): value for key, value in body.items()}
    said = canonical(parts.pop("contents", []))
    system = _text(canonical(parts.pop("systeminstruction", None)))
    tools = canonical(parts.pop("tools", None))
    made_of = prompt or own_prompt()
    contents = list(map(as_object, as_list(without_canary(said, made_of))))
    digests = made_of.digests(model, digest(canonical(parts)), digest(tools), system)
    return TakenRequest(digests, tuple(map(readable, contents)), tuple(map(digest, contents)))


def without_canary(value: object, prompt: Prompt) -> object:
    """JSON as it is recorded, the same whatever the prompt."""
    return _replaced(value, prompt.canary, CANARY)


def with_canary(value: object, prompt: Prompt) -> object:
    """JSON as the model would have said it under this prompt."""
    return _replaced(value, CANARY, prompt.canary)


def _replaced(value: object, old: str, new: str) -> object:
    text = json.dumps(value)
    return json.loads(text.replace(old, new)) if old in text else value


def _text(system: object) -> str:
    """The system instruction's text, parts joined; anything else of it is taken as it is written."""
    parts = as_list(as_object(system).get("parts"))
    texts = [as_object(part).get("text") for part in parts]
    if all(isinstance(text, str) for text in texts):
        return "\n".join(str(text) for text in texts)
    return canonical_json(system)


def explain(changed: Sequence[str], recorded: TakenRequest, now: TakenRequest) -> str:
    """What changed, to read: a line for each part, and a diff for each content."""
    lines: list[str] = []
    for part in changed:
        match = _TEXT_PART.fullmatch(part)
        if match:
            lines += _content_diff(int(match.group(1)), recorded.contents, now.contents)
        elif part == "model":
            lines.append(f"model: recorded {recorded.digests.model}, now {now.digests.model}")
        else:
            lines.append(f"{part}: look at the changes in {_WHERE[part]}")
    return "\n".join(lines)


def _content_diff(index: int, recorded: Sequence[Content], now: Sequence[Content]) -> list[str]:
    old, new = (
        [f"{content['role']}:", *content["text"].split("\n")] if content else []
        for content in (next(iter(each[index : index + 1]), None) for each in (recorded, now))
    )
    if old == new:
        return [f"contents[{index}]: the same text, in other parts"]
    names = (f"contents[{index}] recorded", f"contents[{index}] now")
    return [line.rstrip("\n") for line in difflib.unified_diff(old, new, *names, n=1, lineterm="")]
