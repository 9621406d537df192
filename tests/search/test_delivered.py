from dataclasses import replace

import numpy as np
import pytest

from spear_deploy.search import Features, Held, Prediction, predict_delivered
from spear_deploy.search.delivered import HELD_WITHIN
from spear_deploy.search.tuning import BOUND_AIM

FEATURES = Features(np.array([0.5]), recalibrated_synops=100.0)


class Says:
    """An estimator that predicts one thing."""

    def __init__(self, *prediction):
        self.predict = lambda features: Prediction(*prediction)


def test_a_network_held_at_its_budget_is_predicted_where_the_bound_uses_what_is_aimed_at():
    held = Held(1000.0, margin=0.04)
    found = predict_delivered(Says(1400.0, 1300.0, 1500.0), FEATURES, held)
    assert found.value * 1.04 == pytest.approx(BOUND_AIM * 1000)
    assert (found.low, found.high) == pytest.approx((found.value * (1 - HELD_WITHIN), found.value * (1 + HELD_WITHIN)))


def test_a_network_that_keeps_its_budget_anyway_is_predicted_as_after_its_plain_fine_tune():
    found = predict_delivered(Says(600.0, 500.0, 700.0), FEATURES, Held(1000.0, margin=0.0))
    assert (found.value, found.low, found.high) == pytest.approx(
        (600.0, 500.0 * (1 - HELD_WITHIN), 700.0 * (1 + HELD_WITHIN))
    )


def test_where_lre_is_not_sure_the_interval_reaches_from_its_lower_end_to_where_the_constraint_holds():
    found = predict_delivered(Says(1100.0, 700.0, 1600.0), FEATURES, Held(1000.0, margin=0.0))
    assert (found.low, found.high) == pytest.approx((700.0 * (1 - HELD_WITHIN), 985.0 * (1 + HELD_WITHIN)))


def test_without_a_constraint_nothing_caps_the_prediction():
    assert predict_delivered(Says(1400.0, 1300.0, 1500.0), FEATURES, None).value == 1400


def test_where_another_limit_leaves_fewer_spikes_the_mean_falls_with_them_but_not_what_stays():
    features = replace(FEATURES, fixed_synops=200.0)
    found = predict_delivered(Says(600.0, 540.0, 660.0), features, Held(1000.0, margin=0.0, spikes=0.75))
    assert found.value == pytest.approx(200 + 0.75 * 400)
    assert (found.low, found.high) == pytest.approx((450 * (1 - HELD_WITHIN), 550 * (1 + HELD_WITHIN)))
    assert predict_delivered(Says(600.0, 540.0, 660.0), features, Held(1000.0, 0.0, spikes=3.0)).value == 600
