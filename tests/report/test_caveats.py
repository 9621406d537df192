"""What makes a result worth less, told where it is so and nowhere else."""

import pytest
from run_reports import evaluation, full_content

from spear_deploy.report import Report
from spear_deploy.report.words.caveats import caveats
from spear_deploy.report.words.wording import warnings


def told(**changes):
    content = full_content()
    for path, value in changes.items():
        *parents, key = path.split("__")
        part = content
        for name in parents:
            part = part[int(name) if isinstance(part, list) else name]
        part[key] = value
    report = Report.model_validate(content)
    found = caveats(report)
    assert all(caveat in warnings(report) for caveat in found)
    return found


def test_a_sound_run_leaves_none():
    assert told() == []


@pytest.mark.parametrize(
    ("back_to", "kept"), [("pruned", "before any fine-tune"), ("plain", "after its plain fine-tune")]
)
def test_a_fine_tune_that_was_undone_is_told_with_what_the_network_was_worth_before_and_after(back_to, kept):
    (caveat,) = told(finalists__1__undone={"back_to": back_to, "accuracy": 0.25, "synops": 34.0})
    assert caveat.startswith(
        f"Fine-tuning surely made this network worse: accuracy on validation is 92.00% {kept}, which keeps every limit"
    )
    assert "25.00% after all of it" in caveat


@pytest.mark.parametrize(
    ("low", "high", "said"), [(3.0, 16.6, True), (-0.5, 16.6, False), (3.0, 9.9, False), (10.1, 20.0, False)]
)
def test_a_loss_that_may_be_more_than_a_working_network_has_is_told(low, high, said):
    found = told(answers__drop_low=low, answers__drop_high=high, answers__drop_points=10.0)
    assert [caveat for caveat in found if caveat.startswith("10.0 points were lost")] == found
    assert bool(found) is said


MAY_LOSE = {"name": "accuracy lost", "unit": "points", "allowed": 20.0, "dense": 0.0, "pruned": 10.0, "binds": False}
MUST_KEEP = {"name": "R2", "unit": "%", "allowed": 70.0, "dense": 95.0, "pruned": 85.0, "binds": False, "least": True}


@pytest.mark.parametrize("limit", [MAY_LOSE, MUST_KEEP])
def test_a_loss_to_which_the_user_set_a_limit_is_held_against_no_other(limit):
    limits = [*full_content()["budget"]["limits"], limit | {"origin": "budget typed"}]
    assert told(budget__limits=limits, answers__drop_low=3.0, answers__drop_high=16.6, answers__drop_points=10.0) == []


def test_a_loss_that_was_allowed_is_no_budget_that_was_wasted():
    synops = full_content()["budget"]["limits"][0] | {"pruned": 0.28}
    (caveat,) = told(budget__limits=[synops, MAY_LOSE | {"origin": "budget max-drop=20"}])
    assert caveat.startswith("Only 0.8% of budget 50% is used")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.5, 10.01, "0.50 to 10.01"),
        (0.5, 10.2, "0.5 to 10.2"),
        (10.0, 12.0, "10.0 to 12.0"),
        (9.97, 14.0, "9.97 to 14.00"),
    ],
)
def test_no_end_of_the_interval_of_a_loss_reads_as_the_most_that_may_be_lost(low, high, text):
    (caveat,) = told(answers__drop_low=low, answers__drop_high=high, answers__drop_points=5.0)
    assert f"may be more than 10 (95 % interval {text})" in caveat


@pytest.mark.parametrize(("used", "share"), [(20.9, "59.7%"), (0.28, "0.8%")])
def test_a_budget_of_which_little_is_used_was_not_what_held_the_network_back(used, share):
    limit = full_content()["budget"]["limits"][0]
    (caveat,) = told(budget__limits=[limit | {"pruned": used}])
    assert caveat.startswith(f"Only {share} of budget 50% is used (SynOps per inference)")
    assert told(budget__limits=[limit | {"pruned": 21.0}]) == []


def test_a_chip_of_which_little_is_used_is_no_budget_that_was_wasted():
    budget = full_content()["budget"]["limits"][0]
    cores = {"name": "cores", "unit": "cores", "allowed": 120, "dense": 8, "pruned": 6, "origin": "profile loihi2"}
    ruined = [budget | {"pruned": 0.3, "binds": False}, cores | {"binds": True}]
    (caveat,) = told(budget__limits=ruined)
    assert caveat.startswith("Only 0.9% of budget 50% is used")
    full = [budget | {"pruned": 0.3, "binds": False}, cores | {"pruned": 119, "binds": True}]
    assert told(budget__limits=full) == []


def test_a_loss_of_nothing_that_was_allowed_is_what_held_a_network_back():
    budget = full_content()["budget"]["limits"][0]
    drop = {"name": "loss of accuracy", "unit": "points", "allowed": 0, "dense": 0, "origin": "budget max-drop=0"}
    limits = [budget | {"pruned": 0.3, "binds": False}, drop | {"pruned": 1.4, "binds": True}]
    assert told(budget__limits=limits) == []


@pytest.mark.parametrize(
    ("low", "high", "times"),
    [(20.0, 30.1, "1.5 times"), (1e-12, 14e12, "more than 1000 times"), (0.0, 17e12, "more than 1000 times")],
)
def test_an_interval_that_is_wide_says_little(low, high, times):
    (caveat,) = told(lre__low=low, lre__high=high)
    assert f"is {times} the lower" in caveat
    assert told(lre__low=20.0, lre__high=30.0) == []


@pytest.mark.parametrize(
    ("claimed", "held"),
    [(None, "is held to the upper one"), (60.0, "is held to the upper one"), (31.0, "takes the 31 between them")],
)
def test_what_the_search_took_of_a_wide_interval_is_told_as_it_was(claimed, held):
    (caveat,) = told(lre__low=20.0, lre__high=60.0, lre__claimed=claimed)
    assert f"and the search {held}" in caveat


def test_a_search_among_ruins_is_told():
    ruins = [evaluation(0.5, 0.1, 30.0), evaluation(0.6, 0.12, 30.0), evaluation(0.7, 0.9, 30.0)]
    (caveat,) = told(search__history=ruins, search__most_by_guessing=0.12)
    assert caveat.startswith("2 of 3 candidates of the search could not be told from guessing")
    assert told(search__history=ruins[1:], search__most_by_guessing=0.12) == []
    assert told(search__history=ruins) == []


def finalist(synops, bound):
    made = {"keep_ratios": [0.6, 1.0], "predicted": 32.0, "low": 28.0, "high": 36.0, "plain_accuracy": 0.9}
    made |= {"plain_synops": 33.0, "finished": True, "accuracy": 0.9, "chosen": True}
    return made | {"synops": synops, "synops_bound": bound}


def test_a_budget_that_the_bound_over_few_samples_takes_is_put_down_to_the_samples():
    """34 of 35 are the bound's; of 12 a third of the budget, which the search gave away."""
    limit = full_content()["budget"]["limits"][0] | {"pruned": 7.0}
    split = {"source": "digits", "index": "0-3"}
    splits = {"validation": split | {"samples": 4}, "test": split | {"samples": 30}}
    (few,) = told(budget__limits=[limit], splits=splits, finalists=[finalist(9.0, 34.0)])
    assert few.startswith("Only 20.0% of budget 50% is used (SynOps per inference): the search holds an upper 99 %")
    assert "which is 34 SynOps where validation shows 9 (4 validation and 30 test samples)" in few
    assert "LRE" not in few
    (many,) = told(budget__limits=[limit], splits=splits, finalists=[finalist(9.0, 12.0)], search__groups=["a", "b"])
    assert "more finalists help" in many


def test_finalists_are_no_advice_where_there_is_nothing_to_search():
    limit = full_content()["budget"]["limits"][0] | {"pruned": 7.0}
    (caveat,) = told(budget__limits=[limit], search__groups=["lif1"], finalists=[])
    assert "one group alone" in caveat
    assert "finalists" not in caveat


def test_candidates_are_not_blamed_for_samples_that_cannot_tell():
    split = {"samples": 4, "source": "digits", "index": "0-3"}
    right = [evaluation(0.5, 1.0, 30.0), evaluation(0.6, 1.0, 30.0)]
    (caveat,) = told(search__history=right, search__most_by_guessing=1.0, splits={"validation": split})
    assert caveat.startswith("Whether a candidate of the search works cannot be told by 4 validation samples")
    assert "budget" not in caveat
