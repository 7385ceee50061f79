"""The deployer's profile: one clear line for every mistake."""

import shutil
from pathlib import Path

import pytest

from dm_core.agent.guards import Guards
from dm_core.agent.profile import BusinessProfile, load_profile
from dm_core.agent.prompt import prompt_hash, system_prompt
from dm_core.errors import Misconfigured
from tests.unit.agent.agent_stage import PROCESSOR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROCESSOR / "profile", tmp_path / "profile"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_example_is_loaded(club: BusinessProfile) -> None:
    assert club.name == "Hollybank Cricket Club"
    assert club.time_zone.key == "Europe/London"
    assert "Mill Lane" in club.knowledge
    assert "tea urn" in club.persona


def test_the_examples_own_words_pass_its_guards(club: BusinessProfile) -> None:
    guards = Guards(allowed=club.allowed)

    assert guards.refusal(club.knowledge, to_person=True) is None
    assert guards.refusal(club.persona, to_person=True) is None


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"Europe/London"', '"Europe/Londn"', "time_zone is no known time zone: 'Europe/Londn'"),
        ('"Europe/London"', '"../London"', "time_zone is no"),
        ('name = "Hollybank Cricket Club"', "", "name must be a text"),
        ('name = "Hollybank Cricket Club"', "name = 3", "name must be a text"),
        ("languages", "langauges", "langauges is unknown (known: contact, disclosure, handover,"),
        ("allow = [", "alow = [", "links.alow is unknown"),
        ('["English"]', '"English"', "languages must be a list of texts"),
        ("phones = []", "phones = [4]", "contact.phones must be a list of texts"),
        ("[links]", "[[links]]", "links must be a table"),
        ('"https://spond.com/client"', '"not a link"', "links.allow holds 'not a link', which is no web address"),
        ("[contact]", "[contact", "is not valid TOML"),
        ("[disclosure]", "[disclosure]\nde = 3", "disclosure.de must be a text of one line"),
        ("[contact]", '[stopped]\nen = "a\\nb"\n[contact]', "stopped.en must be a text of one line"),
        ("[disclosure]", '[disclosure]\nde = "evil.example"', "evil.example is not listed under links.allow"),
        ("[disclosure]", 'handover = "maybe"\n[disclosure]', 'handover must be "continue" or "hold"'),
        ("[disclosure]", 'stop_words = "stop"\n[disclosure]', "stop_words must be a list of texts"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line_that_names_file_and_key(
    folder: Path, old: str, new: str, line: str
) -> None:
    edit(folder / "profile.toml", old, new)

    with pytest.raises(Misconfigured) as caught:
        load_profile(folder)

    assert "profile/profile.toml" in str(caught.value)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(folder.parent) not in str(caught.value)


@pytest.mark.parametrize("name", ["profile.toml", "persona.md", "knowledge.md"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(Misconfigured, match=f"profile/{name} is missing"):
        load_profile(folder)


def test_an_empty_or_endless_or_unreadable_text_is_named(folder: Path) -> None:
    for content, what in ((b" \n", "is empty"), (b"x" * 70_000, "longer than"), (b"caf\xe9", "not UTF-8")):
        (folder / "knowledge.md").write_bytes(content)
        with pytest.raises(Misconfigured, match=f"profile/knowledge.md {what}|knowledge.md is {what}"):
            load_profile(folder)


def test_a_link_that_could_never_be_sent_is_found_at_start(folder: Path) -> None:
    edit(folder / "knowledge.md", "## Kit", "Shop: https://kit.example/club\n\n## Kit")

    with pytest.raises(Misconfigured, match=r"knowledge.md: https://kit.example/club is not listed under links.allow"):
        load_profile(folder)


def test_what_an_editor_adds_to_a_file_makes_no_difference(folder: Path) -> None:
    plain = load_profile(folder)
    for path in folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert load_profile(folder) == plain


def test_a_further_file_is_knowledge_too(folder: Path) -> None:
    (folder / "tours.md").write_text("The tour goes to Devon.")
    (folder / "README.md").write_text("How to edit this: ask Sam.")

    profile = load_profile(folder)

    assert profile.knowledge.endswith("The tour goes to Devon.")
    assert "Sam" not in profile.knowledge


def test_a_fact_stands_wherever_the_texts_refer_to_it(folder: Path) -> None:
    edit(folder / "facts.toml", 'student = "60 pounds"', 'student = "65 pounds"')
    (folder / "tours.md").write_text("Students pay {{ membership.student }} here too.")

    profile = load_profile(folder)

    assert profile.facts["membership.student"] == "65 pounds"
    assert "Student or under 21: 65 pounds." in profile.knowledge
    assert "Students pay 65 pounds here too." in profile.knowledge
    assert "{{" not in profile.knowledge + profile.persona


def test_the_example_says_each_of_its_facts_once(folder: Path, club: BusinessProfile) -> None:
    prose = "\n".join((folder / name).read_text() for name in ("knowledge.md", "persona.md"))

    assert [name for name in club.facts if f"{{{{{name}}}}}" not in prose] == []
    assert [name for name, value in club.facts.items() if any(c.isdigit() for c in value) and value in prose] == []


def test_a_profile_without_facts_is_one(folder: Path) -> None:
    (folder / "facts.toml").unlink()
    for name in ("knowledge.md", "persona.md"):
        (folder / name).write_text("All are welcome.")

    assert load_profile(folder).facts == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("knowledge.md", "{{membership.student}}", "{{membership.studnet}}", "profile/knowledge.md: {{membership.stud"),
        ("knowledge.md", "{{membership.student}}", "{{membership.studnet}}", 'did you mean "membership.student"?'),
        ("persona.md", "{{fees.first_session}}", "{{}}", "profile/persona.md: {{}} is no fact of facts.toml"),
        ("facts.toml", 'student = "60 pounds"', "", "{{membership.student}} is no fact of facts.toml"),
        ("facts.toml", '"60 pounds"', "true", "facts.toml: membership.student must be a text of one line or a number"),
        ("facts.toml", '"60 pounds"', '["60"]', "membership.student must be a text of one line or a number"),
        ("facts.toml", '"60 pounds"', '" "', "membership.student must be a text of one line or a number"),
        ("facts.toml", '"60 pounds"', '"half of {{membership.adult}}"', "membership.student refers to another fact"),
        ("facts.toml", "student =", '"a b" =', "membership.a b is no name of a fact"),
        ("facts.toml", "[membership]", "[membership", "facts.toml is not valid TOML"),
        ("facts.toml", '"https://hollybankcc.example/join"', '"https://join.example"', "https://join.example is not"),
    ],
)
def test_a_mistake_in_the_facts_is_one_line_that_names_it(
    folder: Path, file: str, old: str, new: str, line: str
) -> None:
    edit(folder / file, old, new)

    with pytest.raises(Misconfigured) as caught:
        load_profile(folder)

    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_prompts_hash_changes_with_every_file(folder: Path, system_md: str) -> None:
    (folder / "tours.md").write_text("The tour goes to Devon.")
    hashes = {prompt_hash(system_md, load_profile(folder)), prompt_hash(system_md + " ", load_profile(folder))}
    for path in sorted(folder.iterdir()):
        path.write_text(path.read_text() + "\n# more")
        hashes.add(prompt_hash(system_md, load_profile(folder)))

    assert len(hashes) == 7


def test_the_prompt_holds_the_profile_and_a_canary_of_its_own(folder: Path, system_md: str) -> None:
    first = system_prompt(system_md, load_profile(folder))
    edit(folder / "knowledge.md", "## Where", "## Where {links}")
    second = system_prompt(system_md, load_profile(folder))

    assert "Mill Lane" in first.text
    assert "https://spond.com/client" in first.text
    assert first.text.count(first.canary) == 1
    assert "{{" not in first.text
    assert "## Where {links}" in second.text
    assert first.canary != second.canary
    assert system_prompt(system_md, load_profile(folder)) == second


def test_a_place_missing_in_the_prompt_is_named(club: BusinessProfile, system_md: str) -> None:
    with pytest.raises(Misconfigured, match=r"prompts/system.md: \{\{persona\}\} is missing"):
        system_prompt(system_md.replace("{{persona}}", ""), club)
    with pytest.raises(Misconfigured, match=r"\{\{weather\}\} is no known place"):
        system_prompt(system_md + "{{weather}}", club)
