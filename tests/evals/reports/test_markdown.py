"""The summary that CI posts: what counts first, and nothing in it that GitHub would act on."""

from dataclasses import replace

from dm_evals.reports.markdown import MOST, to_markdown
from tests.evals.reports.report_samples import decision, hostile, many, passing, report, sample


def test_a_good_run_is_a_few_lines() -> None:
    told = to_markdown(passing(3), decision())

    assert told.startswith("### Evals: 3 pass, 0 fail, 0 errored, 0 stale, 0 skipped\n")
    assert "this run tests our code" in told
    assert "| scenario |" not in told


def test_what_is_not_a_pass_is_listed_with_its_reason() -> None:
    told = to_markdown(replace(sample(), notes=("the knowledge changed",), problems=("x.yaml:3: unknown key",)))

    rows = [line for line in told.splitlines() if line.startswith("| ") and "| outcome |" not in line]
    trouble = [each for each in sample().results if each.outcome not in ("pass", "skipped")]
    assert len(rows) == len(trouble) < len(sample().results)
    assert "observed" in next(row for row in rows if "| fail |" in row)
    assert "- the knowledge changed" in told
    assert "- x.yaml&#58;3&#58; unknown key" in told


def test_a_long_list_is_cut_and_says_so() -> None:
    trouble = [result for result in many().results if result.outcome == "fail"] or list(sample().results[1:2])

    told = to_markdown(report(trouble * (MOST + 5)))

    assert told.count("\n| ") == MOST + 1
    assert "more: see the HTML report" in told


def test_a_persons_words_are_no_markup() -> None:
    told = to_markdown(report([hostile(), hostile()]))

    body = told.split("|---|---|---|")[1]
    assert not set("<>`@*[]") & set(body)
    assert all(line.count("|") == 4 for line in body.strip().splitlines())
