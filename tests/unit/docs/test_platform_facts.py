"""Each fact that is taken for granted about a platform says how sure it is and where it is from."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.repository import ROOT, name, prose

PLATFORMS = sorted((ROOT / "docs" / "platforms").glob("*.md"))
CERTAINTY = re.compile(r"(documented|reported|measured|read|assumed)\b")
UNSOURCED = re.compile(r"assumed|nowhere|no public thread")


def facts(page: Path) -> Iterator[tuple[str, str, str]]:
    """Rows of the tables headed "fact, how sure, source"."""
    inside = False
    for line in prose(page):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        inside = bool(cells) and (inside or cells == ["fact", "how sure", "source"])
        if inside and len(cells) == 3 and cells[0] != "fact" and not re.fullmatch(r"-+", cells[0]):
            yield cells[0], cells[1], cells[2]


@pytest.mark.parametrize("page", PLATFORMS, ids=name)
def test_every_fact_says_how_sure_it_is(page: Path) -> None:
    assert [fact for fact, sure, _ in facts(page) if not CERTAINTY.match(sure)] == []


@pytest.mark.parametrize("page", PLATFORMS, ids=name)
def test_every_fact_names_its_source_or_that_there_is_none(page: Path) -> None:
    assert [fact for fact, sure, source in facts(page) if not source and not UNSOURCED.search(sure)] == []


@pytest.mark.parametrize("page", PLATFORMS, ids=name)
def test_a_documented_fact_has_a_page(page: Path) -> None:
    shown = re.compile(r"https://|/docs?/|/documentation/|\*[A-Z]|`docs/|the (?:same|echo|page)")

    assert [fact for fact, sure, source in facts(page) if "documented" in sure and not shown.search(source)] == []


def test_the_tables_are_read() -> None:
    assert sum(1 for page in PLATFORMS for _ in facts(page)) > 60
