"""What a report says of the networks that were fine-tuned."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from run_reports import full_content

from spear_deploy.report import Report
from spear_deploy.report.build import finalist_reports
from spear_deploy.report.gap import check_run
from spear_deploy.report.tables import finalists
from spear_deploy.search import Choice, Finalist, Prediction, Tuned


def tuned(accuracy, synops):
    return Tuned(None, SimpleNamespace(accuracy=accuracy, synops=synops), synops + 1)


def finalist(ratios, plain, final=None):
    features = SimpleNamespace(keep_ratios=np.array(ratios))
    return Finalist(np.array(ratios), features, Prediction(32.0, 28.0, 36.0), plain, final)


def test_what_was_predicted_and_plainly_fine_tuned_is_not_told_of_a_closing_step_that_lost_channels():
    first = finalist([0.5, 1.0], tuned(0.8, 40.0))
    second = finalist([1.0, 0.5], tuned(0.9, 44.0), tuned(0.9, 42.0))
    same, fewer = (
        replace(second, final=tuned(0.9, 41.0)),
        replace(second, ratios=np.array([1.0, 0.25]), final=tuned(0.7, 30.0)),
    )
    found = finalist_reports(Choice(fewer, (first, second, same, fewer), repairs=2))
    assert [one.closes for one in found] == [None, None, 1, 1]
    assert [one.predicted for one in found] == [32.0, 32.0, 32.0, None]
    assert [one.plain_synops for one in found] == [40.0, 44.0, 44.0, None]
    last = found[-1]
    assert (last.low, last.high, last.plain_accuracy) == (None, None, None)
    assert (last.synops, last.accuracy, last.synops_bound, last.chosen) == (30.0, 0.7, 31.0, True)


@pytest.fixture
def closed():
    """A run whose winner is a closing step with fewer channels than the finalist before it."""
    content = full_content()
    (winner,) = (one for one in content["finalists"] if one["chosen"])
    nothing = dict.fromkeys(("predicted", "low", "high", "plain_accuracy", "plain_synops"))
    step = winner | nothing | {"closes": content["finalists"].index(winner), "keep_ratios": [0.25]}
    winner["chosen"] = False
    return Report.model_validate(full_content()), Report.model_validate(
        content | {"finalists": [*content["finalists"], step], "repairs": 1}
    )


def test_lre_s_gap_is_that_of_the_finalist_that_was_closed(closed):
    before, after = (check_run("run", report).gap for report in closed)
    assert after == before
    assert after.lre is not None


def test_the_table_leaves_empty_what_is_not_of_the_closing_step(closed):
    (found,) = finalists(closed[1])
    *_, row = found.table.rows
    assert row[:4] == ("yes", "", "", "")
    assert "30" in row[4]
