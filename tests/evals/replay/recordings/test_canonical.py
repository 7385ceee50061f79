"""One form of a request, whatever the client's version writes."""

import base64
import hashlib
from collections.abc import Callable

import pytest

from dm_evals.replay.digests import Prompt, own_prompt, take_request
from dm_sandbox.platforms.server import as_list

REQUEST: dict[str, object] = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"id": "a", "name": "t", "args": {"Key_A": 1}}, "thoughtSignature": "AA=="}],
        },
        {"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "t", "response": {"output": {"x": ""}}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "be kind"}]},
    "tools": [{"functionDeclarations": [{"name": "t", "parametersJsonSchema": {"type": "object", "x_y": 1}}]}],
    "generationConfig": {"maxOutputTokens": 8, "thinkingConfig": {"thinking_level": "LOW"}},
}
OTHER_SPELLING: dict[str, object] = {
    "generation_config": {"thinking_config": {"thinkingLevel": "LOW"}, "max_output_tokens": 8, "stop_sequences": []},
    "tools": [{"function_declarations": [{"parameters_json_schema": {"x_y": 1, "type": "object"}, "name": "t"}]}],
    "system_instruction": {"role": None, "parts": [{"text": "be kind"}]},
    "contents": [
        {"parts": [{"text": "hi", "thought_signature": "BB=="}], "role": "user"},
        {"role": "model", "parts": [{"function_call": {"id": "b", "args": {"Key_A": 1}, "name": "t"}}]},
        {"role": "user", "parts": [{"function_response": {"id": "b", "name": "t", "response": {"output": {"x": ""}}}}]},
    ],
}


def test_spelling_order_of_keys_ids_and_signatures_do_not_count() -> None:
    one, other = take_request("m", REQUEST), take_request("m", OTHER_SPELLING)

    assert other.changed_from(one) == ()
    assert one.contents == other.contents


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinking_level": "LOW"}}}, "config"),
        ({"safetySettings": [{"category": "X", "threshold": "OFF"}]}, "config"),
        ({"systemInstruction": {"parts": [{"text": "be rude"}]}}, "system"),
        ({"tools": [{"functionDeclarations": [{"name": "t"}]}]}, "tools"),
    ],
)
def test_a_changed_part_is_named_and_no_other(change: dict[str, object], part: str) -> None:
    before, after = take_request("m", REQUEST), take_request("m", {**REQUEST, **change})

    assert after.changed_from(before) == (part,)


@pytest.mark.parametrize(
    "arguments", [{"key_a": 1}, {"Key_A": 2}, {"Key_A": 1, "b": None}], ids=["casing", "value", "empty"]
)
def test_what_a_tool_is_given_is_data_and_compared_as_it_is(arguments: dict[str, object]) -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "t", "args": arguments}}]}
    contents = as_list(REQUEST["contents"])

    after = take_request("m", {**REQUEST, "contents": [contents[0], call, contents[2]]})

    assert after.changed_from(take_request("m", REQUEST)) == ("contents[1]",)


def _system(text: str) -> dict[str, object]:
    return {"systemInstruction": {"parts": [{"text": text}]}}


_OWN = own_prompt()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_OWN.profile.persona, ""),
        (_OWN.profile.knowledge, _OWN.profile.knowledge * 2),
        (f"- {_OWN.profile.links[0]}\n", ""),
        (_OWN.canary, ""),
        (_OWN.profile.time_zone.key, "UTC"),
    ],
    ids=["no_persona", "knowledge_twice", "a_link_less", "no_canary", "another_zone"],
)
def test_a_system_text_that_is_not_the_repositorys_is_another_system(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the code that makes it, and that the evals use, makes it so."""
    text = _OWN.text
    before = take_request("m", _system(text))
    assert old in text
    monkeypatch.setattr(Prompt, "text", property(lambda _: text.replace(old, new)))

    assert take_request("m", _system(own_prompt().text)).changed_from(before) == ("system",)


def test_template_and_profile_are_told_apart(other_prompt: Callable[..., Prompt]) -> None:
    def taken(prompt: Prompt):
        return take_request("m", {"systemInstruction": {"parts": [{"text": prompt.text}]}}, prompt)

    own = taken(own_prompt())
    template = taken(other_prompt(template=own_prompt().template + "\nOne rule more.\n"))
    knowledge = taken(other_prompt(knowledge="Nets cost £6."))
    persona = taken(other_prompt(persona="Be brief."))

    assert template.changed_from(own) == ("system",)
    assert persona.changed_from(own) == ("persona",)
    assert knowledge.changed_from(own, {"membership.student"}) == ("knowledge",)
    assert knowledge.changed_from(own) == ()


def test_of_the_knowledge_only_what_is_said_of_the_named_facts_counts(
    other_prompt: Callable[..., Prompt], own_knowledge: str
) -> None:
    def changed(old: str, new: str) -> list[str]:
        assert old in own_knowledge
        now = other_prompt(knowledge=own_knowledge.replace(old, new))
        digests, before = (prompt.digests("m", "", "") for prompt in (now, own_prompt()))
        return digests.changed_from(before, {"membership.student"})

    assert changed("Student or under 21", "Student or under 25") == ["knowledge"]
    assert changed("second child of a family", "second child") == []
    assert changed("Dogs on a lead are welcome.", "No dogs.") == []


def _with_file(
    data: bytes, encode: Callable[[bytes], bytes] = base64.b64encode, key: str = "inlineData"
) -> dict[str, object]:
    inline = {"mimeType" if key == "inlineData" else "mime_type": "image/png", "data": encode(data).decode()}
    return {**REQUEST, "contents": [{"role": "user", "parts": [{"text": "look"}, {key: inline}]}]}


def test_a_file_is_its_digest_whatever_alphabet_it_is_written_in() -> None:
    data = bytes(range(256)) * 400
    one = take_request("m", _with_file(data))
    other = take_request("m", _with_file(data, base64.urlsafe_b64encode, "inline_data"))

    assert other.changed_from(one) == ()
    assert one.contents[0]["text"] == f"look\n[file] image/png 102400 bytes sha256:{hashlib.sha256(data).hexdigest()}"


def test_another_file_makes_the_recording_stale() -> None:
    one, other = take_request("m", _with_file(b"one")), take_request("m", _with_file(b"two"))

    assert other.changed_from(one) == ("contents[0]",)
