"""What the code and the pages cite exists: pages, headings, files, names. Nothing outside the repository is cited."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.unit.docs import repository
from tests.unit.docs.repository import ROOT, anchors, code_spans, exists, files, name, pages, slug, text, tops

CITED = re.compile(r"(?<![\w./-])docs/[\w./-]*\w(?:#[\w-]+)?")
LINKED = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
ELSEWHERE = re.compile(
    r"(?<![\w-])(?:design|style)\.md|\bfacts[/]\w|\(style[:]|facts of this project"
    r"|\b(?:design|contract|facts),? sections? \d",
    re.IGNORECASE,
)
TOPS = ("tests", "libs", "infra", "evals", "functions", "benchmarks")
NAMED = re.compile(rf"(?<![\w./{{}}$-])(?:{'|'.join(TOPS)})/[\w./-]+\.(?:py|md|toml|ya?ml|jsonl?)\b")
EXAMPLES = (
    "price_trial_session",
    "evals/scenarios/kit.yaml",
    "tests/test_it.py",
    "benchmarks/results.json",
    "evals/history.jsonl",
    "evals/rulings/SCENARIO.jsonl",
    "evals/users/SCENARIO/t1.jsonl",
)
"""Files that a page tells its reader to make, that a test makes up, or that a command writes."""
CODE = ("libs/", "functions/", "infra/", "evals/src/", "benchmarks/", ".github/", "Makefile", "pyproject.toml")
WRITTEN = "docs/settings.md"
"""A page that is written from the code, which names it as a whole."""
SUFFIXES = [".py", ".md", ".toml", ".yml", ".yaml", ".json", ".jsonl", ".j2", ".js", ".css", ".html", ".txt", ".go"]


def read() -> Iterator[tuple[Path, str]]:
    """The files people wrote: recordings and lock files hold the words of others."""
    written = (path for path in files() if path.suffix in SUFFIXES or path.name in ("Makefile", "run"))
    here = Path(__file__).parent
    recorded = ("evals/recordings/", "evals/judge", "uv.lock")
    return ((path, text(path)) for path in written if path.parent != here and not name(path).startswith(recorded))


def missing(page: Path, anchor: str) -> str:
    """What is wrong with a reference, in a few words; empty if nothing is."""
    if not page.exists():
        return "no such file"
    return f"no heading #{anchor}" if anchor and anchor not in anchors(page) else ""


def test_every_page_and_heading_that_is_cited_exists() -> None:
    broken: list[str] = []
    for path, words in read():
        for citation in CITED.findall(words):
            page, _, anchor = citation.partition("#")
            if wrong := missing(ROOT / page, anchor):
                broken.append(f"{name(path)}: {citation}: {wrong}")

    assert not broken, "\n".join(broken)


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken: list[str] = []
    for path in (path for path in files() if path.suffix == ".md"):
        for target in LINKED.findall("\n".join(repository.prose(path))):
            file, _, anchor = target.partition("#")
            if wrong := missing((path.parent / file).resolve() if file else path, anchor):
                broken.append(f"{name(path)}: {target}: {wrong}")

    assert not broken, "\n".join(broken)


def test_the_code_cites_a_heading_and_not_a_whole_page() -> None:
    vague = [
        f"{name(path)}: {citation}"
        for path, words in read()
        if name(path).startswith(CODE) and path.suffix != ".md"
        for citation in CITED.findall(words)
        if citation.endswith(".md") and citation != WRITTEN and "adr/" not in citation
    ]

    assert not vague, "say which heading:\n" + "\n".join(vague)


def test_every_file_that_is_named_by_its_path_exists() -> None:
    named = {path: set(NAMED.findall(words)) - set(EXAMPLES) for path, words in read() if path.suffix != ".md"}

    assert [f"{name(path)}: {file}" for path, files in named.items() for file in files if not exists(file)] == []


@pytest.mark.parametrize("shape", ["({}.md section 9)", "see {}.md", "({}: errors.py)", "the {}, section 4", "{}/x.md"])
def test_a_citation_of_a_page_outside_the_repository_is_seen(shape: str) -> None:
    assert any(ELSEWHERE.search(shape.format(page)) for page in ("design", "style", "facts"))


@pytest.mark.parametrize("words", ["0004-secrets.md", "list-style: 1", "evals.md#live-runs", "facts: dict"])
def test_a_citation_of_a_page_inside_is_not_taken_for_one(words: str) -> None:
    assert not ELSEWHERE.search(words)


def test_nothing_outside_the_repository_is_cited_as_if_it_were_inside() -> None:
    found = [f"{name(path)}: {match[0]}" for path, words in read() for match in ELSEWHERE.finditer(words)]

    assert not found, "\n".join(found)


def spelled_out(path: str) -> Iterator[str]:
    """``a/{b,c}.py`` as ``a/b.py`` and ``a/c.py``."""
    parts = re.split(r"\{([^}]*)\}", path)
    choices = (part.split(",") if index % 2 else [part] for index, part in enumerate(parts))
    return ("".join(chosen) for chosen in product(*choices))


def is_a_path(span: str) -> bool:
    """A file or a folder of this repository, rather than an address, a setting, a collection or a command."""
    if not re.fullmatch(r"[\w.*{},/-]+", span) or span.startswith(("/", ".state/", "-")):
        return False
    return span.endswith((".py", ".md", ".toml", ".css")) or ("/" in span and span.split("/")[0] in tops())


def gone(page: Path) -> list[str]:
    """The files a page names that are not there, by their paths as written."""
    named = {path for span in code_spans(page) if is_a_path(span) for path in spelled_out(span)}
    return sorted(path for path in named if not exists(path) and not any(example in path for example in EXAMPLES))


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "CHANGELOG.md"], ids=name)
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    assert gone(page) == []


def test_the_architecture_page_names_only_what_the_code_has() -> None:
    code = "\n".join(text(path) for path in files() if path.suffix in (".py", ".toml") and "docs" not in path.parts)
    words = set(re.findall(r"\w+", code))
    named = [span for span in code_spans(ROOT / "docs" / "architecture.md") if re.fullmatch(r"[\w.]+(\(\))?", span)]

    assert [span for span in named if not is_a_path(span) and not words.issuperset(re.findall(r"\w+", span))] == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("P3 Everything ends, and an outage is not an end", "p3-everything-ends-and-an-outage-is-not-an-end"),
        ("10. Day to day", "10-day-to-day"),
        ("What `make dev` starts", "what-make-dev-starts"),
        ("A [link](x.md) & *more*", "a-link--more"),
        ("Über `snake_case` __here__", "über-snake_case-here"),
    ],
)
def test_a_heading_becomes_the_fragment_that_github_makes_of_it(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


def test_a_repeated_heading_is_numbered(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Codes\n\n## Codes\n\n```\n# not a heading\n```\n## Codes\n", "utf-8")

    assert anchors(page) == {"codes", "codes-1", "codes-2"}
