"""Limits in words."""

from dataclasses import replace

import pytest

from spear_deploy.hardware import QUANTITIES, Limit, Use
from spear_deploy.report.build import limit_prediction
from spear_deploy.report.schema import LimitReport
from spear_deploy.report.words.quantity_text import limit_names, prediction_texts
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
