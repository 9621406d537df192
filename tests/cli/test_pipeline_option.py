"""Which pipeline surrounds the search, as it is typed."""

import pytest


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--pipeline", "spear", "--projection"), "--projection: the pipeline spear projects no network"),
        (("--strategy", "spear", "--constraint"), "--constraint: the pipeline spear projects no network"),
        (("--pipeline", "spear", "--finalists", "2"), "--finalists: the pipeline spear projects no network"),
        (
            ("--pipeline", "spear+", "--strategy", "spear"),
            "the strategy spear is the pipeline spear; found pipeline spear+",
        ),
        (("--tet",), "--tet: only the pipeline spear knows that loss"),
    ],
)
def test_what_contradicts_the_pipeline_is_refused(refused, words, why):
    assert why in refused(*words, "model.pt")


def test_what_the_pipeline_does_anyway_may_be_said(refused):
    said = refused("--pipeline", "spear", "--no-projection", "--no-constraint", "nowhere.pt")
    assert said == "nowhere.pt: no such model file"


def test_a_budget_of_a_front_counts_once_however_it_is_spelled(refused):
    assert "a front over 50% alone" in refused("--pareto", "50%, 50.0%", "model.pt")
    assert "budget '' is not understood" in refused("--pareto", "50%,,30%", "model.pt")
