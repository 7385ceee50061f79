"""The cost table of docs/deploy.md is what `make costs` writes, from prices with a date and counts of this tree."""

import re
from dataclasses import replace
from datetime import date

import pytest

from costs import prices
from costs.__main__ import BEGIN, END, PAGE, main, written
from costs.measured import kept, measure
from costs.table import CLOUD, VOLUMES, periods, section

MODEL = "gemini-3.8-flash"


def amounts(row: str) -> list[float]:
    return [float(cell.replace(",", "")) for cell in row.strip("| ").split("|")]


def months(text: str) -> list[list[float]]:
    return [amounts(row) for row in re.findall(r"^\| [\d,]+ \|.*$", text, re.MULTILINE)]


def test_the_page_holds_what_the_script_prints() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == written(page, section(kept())), "run `make costs` and commit what it writes"


def test_its_counts_are_still_those_of_this_tree() -> None:
    """Within a tenth: a reworded prompt is no reason to write the page anew, a doubled one is."""
    then, now = kept(), measure()

    assert now.input_tokens == pytest.approx(then.input_tokens, rel=0.1), "run `make costs`"
    assert now.output_tokens == pytest.approx(then.output_tokens, rel=0.25), "run `make costs`"
    assert now.calls_a_dm == pytest.approx(then.calls_a_dm, rel=0.1), "run `make costs`"
    assert (now.billed_calls == 0) == (then.billed_calls == 0), "run `make costs`"


def test_the_list_has_a_date_and_knows_that_the_default_model_doubles() -> None:
    before, after = periods(MODEL)

    assert prices.list_date() >= date(2026, 11, 10)
    assert (before.end, after.begin) == (date(2026, 12, 31), date(2027, 1, 1))
    assert (before.rate.received, before.rate.answered) == (0.75, 3.75)
    assert (after.rate.received, after.rate.answered) == (1.50, 7.50)


def test_thoughts_are_named_where_none_were_counted_and_paid_for_where_they_were() -> None:
    counted = replace(kept(), billed_calls=10, thought_tokens=200)

    assert "Thoughts are left out" in section(replace(kept(), thought_tokens=None))
    assert "Thoughts are left out" not in section(counted)
    assert "usage that the model billed for 10 recorded calls" in section(counted)
    now = periods(MODEL)[0]
    dearer = now.usd(counted) - now.usd(replace(counted, thought_tokens=0))
    assert dearer == pytest.approx(counted.calls_a_dm * 200 * 3.75 / 1e6)


@pytest.mark.parametrize(
    ("messages", "on", "templates", "usd"),
    [
        (5_000, date(2026, 9, 30), False, 0.0),
        (1_000, date(2026, 10, 1), False, 0.0),
        (5_000, date(2026, 10, 1), False, 4_000 * 0.022),
        (5_000, date(2026, 9, 30), True, 5_000 * 0.022),
        (1, date(2026, 10, 1), True, 0.022),
    ],
)
def test_whatsapp_bills_texts_in_the_window_since_october(messages: int, on: date, templates: bool, usd: float) -> None:
    assert prices.whatsapp(messages, on, templates=templates) == pytest.approx(usd)


def test_each_month_is_the_sum_of_its_parts() -> None:
    rows = months(section(kept()))
    google = sum(part.usd for part in CLOUD)

    assert [row[0] for row in rows] == list(VOLUMES)
    for dms, now, later, cloud, whatsapp, sum_now, sum_later in rows:
        assert now + cloud + whatsapp == pytest.approx(sum_now, abs=0.02)
        assert later + cloud + whatsapp == pytest.approx(sum_later, abs=0.02)
        assert later == pytest.approx(2 * now, abs=0.02)
        assert cloud == pytest.approx(rows[0][3] + google * (dms - rows[0][0]), abs=0.02)


def test_another_model_is_printed_and_an_unknown_one_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    before = PAGE.read_text(encoding="utf-8")

    known, unknown = main(["--model", "gemini-3.5-flash-lite"]), main(["--model", "gemini-0"])

    printed = capsys.readouterr()
    assert (known, unknown) == (0, 1)
    assert "gemini-3.5-flash-lite, now" in printed.out
    assert printed.err == "costs: genai-prices knows no gemini-0\n"
    assert PAGE.read_text(encoding="utf-8") == before


def test_a_page_without_its_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="has lost its marks"):
        written(f"text {END} {BEGIN}", "new")
