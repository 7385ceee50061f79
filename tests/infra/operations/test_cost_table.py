"""The cost table of docs/deploy.md adds up: its formula, its parts and its sums are one arithmetic."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text()
AMOUNT = r"\s*([\d,.]+)\s*"


def number(text: str) -> float:
    return float(text.replace(",", ""))


def formula() -> tuple[float, float]:
    found = re.search(r"\*\*cost = ([\d.]+) \+ ([\d.]+) × DMs\*\*", PAGE)
    assert found is not None
    return float(found[1]), float(found[2])


def test_the_parts_of_a_dm_add_up_to_its_cost() -> None:
    parts = re.findall(r"^\| [A-Z][^|]*\|[^|]*\|[^|]*\| (0\.\d+) \|$", PAGE, re.MULTILINE)

    assert len(parts) == 7
    assert sum(map(float, parts)) == pytest.approx(formula()[1], abs=5e-8)


def test_each_row_follows_from_the_formula_and_adds_up() -> None:
    rows = re.findall(rf"^\|{AMOUNT}\|{AMOUNT}\|{AMOUNT}\|{AMOUNT}\|{AMOUNT}\|$", PAGE, re.MULTILINE)
    fixed, each = formula()

    assert [number(row[0]) for row in rows] == [100, 10_000, 1_000_000]
    for dms, model, cloud, whatsapp, total in (map(number, row) for row in rows):
        assert total == pytest.approx(fixed + each * dms, abs=0.006)
        assert model + cloud + whatsapp == pytest.approx(total, abs=0.006)
