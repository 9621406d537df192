"""Limits in words."""

from dataclasses import replace

import pytest

from spear_deploy.hardware import QUANTITIES, Limit, Use
from spear_deploy.report.build import limit_prediction
from spear_deploy.report.schema import LimitReport
from spear_deploy.report.words.quantity_text import limit_names, limit_texts, prediction_texts, unsure_text, used_text
from spear_deploy.search import Prediction


def limit(name, origin):
    return LimitReport(name=name, unit="cores", allowed=4, dense=4, pruned=4, origin=origin, binds=False)


def test_limits_that_the_chip_and_the_user_set_on_one_quantity_are_told_apart():
    limits = [limit("cores", "profile loihi2"), limit("cores", "budget cores=4"), limit("neurons", "budget neurons=9")]
    assert limit_names(limits) == ["cores (profile loihi2)", "cores (budget cores=4)", "neurons"]


@pytest.mark.parametrize(
    ("least", "measured", "said"), [(False, 80.0, "kept"), (False, 125.0, "BROKEN"), (True, 130.0, "kept")]
)
def test_what_stays_far_within_a_predicted_bound_keeps_it_and_is_not_told_as_inside_its_interval(least, measured, said):
    quantity = replace(QUANTITIES["step"], least=least)
    found = limit_prediction(Prediction(110.0, 100.0, 120.0), Use(Limit(quantity, 200.0, "budget"), measured))
    reported = LimitReport(
        name="busiest step",
        unit="SynOps",
        allowed=200.0,
        dense=300.0,
        pruned=measured,
        origin="budget",
        least=least,
        binds=False,
        prediction=found,
    )
    predicted, used, word = prediction_texts(reported)
    assert predicted.startswith("110 SynOps (100 to 120")
    assert (used, word) == (f"{measured:.0f} SynOps", said)


@pytest.mark.parametrize(
    ("least", "bound", "told"),
    [
        (False, "", ""),
        (False, "at least", "energy: at least 10.0 of 11.0 nJ"),
        (False, "at most", ""),
        (True, "at most", "energy: at most 10.0 of 11.0 nJ"),
        (True, "about", "energy: about 10.0 of 11.0 nJ"),
    ],
)
def test_a_limit_that_is_kept_as_far_as_is_known_is_told_with_its_bound(least, bound, told):
    used = LimitReport(
        name="energy",
        unit="pJ",
        allowed=11e3,
        dense=20e3,
        pruned=10e3,
        origin="budget 11nJ",
        least=least,
        bound=bound,
        binds=True,
    )
    assert unsure_text([used]) == told
    assert used_text(used) == f"{bound} 10.0 of 11.0 nJ".strip()
    assert limit_texts(used)[1] == f"{bound} 10.0 nJ".strip()
