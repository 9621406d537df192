import numpy as np
import pytest
from test_estimators import layered_samples, made_up_samples

from spear_deploy.errors import DataError
from spear_deploy.report.lre import lre_report
from spear_deploy.search import (
    ESTIMATORS,
    Features,
    LinearEstimator,
    RidgeEstimator,
    chosen_estimator,
    extrapolates,
    judgeable,
    leave_one_out,
    sure_enough,
)


def test_each_sample_is_predicted_by_the_line_through_the_others():
    samples = made_up_samples(12)
    x = np.array([each.features.pruned_synops for each in samples])
    y = np.array([each.synops for each in samples])
    expected = []
    for at in range(12):
        others = np.arange(12) != at
        expected.append(np.polyval(np.polyfit(x[others], y[others], 1), x[at]))
    found = leave_one_out(LinearEstimator.fit, samples)
    errors = np.abs(np.array(expected) / y - 1)
    assert [each.value for each in found.predictions] == pytest.approx(expected)
    assert (found.mean_error, found.worst_error) == pytest.approx((errors.mean(), errors.max()))
    assert found.r2 == pytest.approx(1 - ((expected - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def test_a_sample_that_lies_elsewhere_is_outside_of_its_interval():
    samples = made_up_samples(24, noise=0.02)
    odd = samples[5]
    samples[5] = type(odd)(odd.features, odd.synops * 3, odd.accuracy, odd.before, odd.after)
    found = leave_one_out(RidgeEstimator.fit, samples)
    assert not found.predictions[5].low <= samples[5].synops <= found.predictions[5].high
    assert found.worst_error == pytest.approx(2 / 3, abs=0.1)
    assert found.coverage < 1


def test_samples_too_few_to_leave_one_out_are_refused():
    with pytest.raises(DataError, match="at least 6 samples"):
        leave_one_out(ESTIMATORS["ridge"], made_up_samples(6))


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (3, []),
        (4, ["linear", "per-layer", "constant"]),
        (5, ["linear", "per-layer", "constant", "log-line"]),
        (6, ["linear", "per-layer", "constant", "log-line"]),
        (7, ["linear", "per-layer", "constant", "log-line", "ridge"]),
    ],
)
def test_few_samples_judge_the_estimators_that_are_still_fitted_without_one_of_them(count, names):
    samples = layered_samples(count)
    assert list(judgeable(samples)) == names
    for name, fit in ESTIMATORS.items():
        if name in names:
            leave_one_out(fit, samples)
        else:
            with pytest.raises(DataError, match="an estimator needs at least"):
                leave_one_out(fit, samples)


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_a_report_on_few_samples_tells_of_the_estimators_that_they_judge(count):
    samples = layered_samples(count)
    estimator = ESTIMATORS[chosen_estimator(samples).name](samples)
    found = lre_report(
        samples,
        samples[0].features,
        estimator.predict(samples[0].features),
        estimator=estimator,
        target_factor=1.0,
        groups=("first", "second"),
        check={},
    )
    assert found.estimators.keys() == judgeable(samples).keys()
    assert len(found.scatter) == count


@pytest.mark.parametrize(
    ("ratios", "synops", "said"),
    [
        ([0.5, 0.5], 5e4, ""),
        ([0.21, 0.5], 5e4, ""),
        ([0.19, 0.5], 5e4, ""),  # a little outside counts as inside
        ([0.1, 0.5], 5e4, "first keeps 10% of its channels, sampled were 20% to 80%"),
        ([0.5, 1.0], 5e4, "second keeps 100% of its channels, sampled were 30% to 90%"),
        ([0.5, 0.5], 2e5, "200,000 SynOps after recalibration, sampled were 10,000 to 90,000"),
    ],
)
def test_a_network_outside_of_the_samples_is_told(ratios, synops, said):
    low = made_up_samples(1, groups=2)[0]
    samples = [
        type(low)(Features(np.array(keep), before, before), before, 0.9, low.before, low.after)
        for keep, before in (([0.2, 0.3], 1e4), ([0.8, 0.9], 9e4))
    ]
    assert extrapolates(samples, Features(np.array(ratios), synops), ["first", "second"]) == said


class PowerLaw:
    """A factory whose networks' SynOps grow with the square of the keep ratio."""

    groups = (None, None)

    @staticmethod
    def features(ratios):
        return Features(ratios, 1e5 * float(ratios.prod()))


def test_samples_are_enough_where_the_interval_at_the_budget_is_narrow():
    samples = made_up_samples(24, groups=2)
    enough = [sure_enough(PowerLaw, [3e4, 6e4], error)(samples) for error in (1e-4, 0.5)]
    assert enough == [False, True]
    chosen = ESTIMATORS[chosen_estimator(samples).name](samples)
    width = max(chosen.predict(Features(np.full(2, np.sqrt(budget / 1e5)), budget)).half_width for budget in (3e4, 6e4))
    around = [sure_enough(PowerLaw, [3e4, 6e4], width * factor)(samples) for factor in (0.9, 1.1)]
    assert around == [False, True]


def test_too_few_samples_are_never_enough():
    assert not sure_enough(PowerLaw, [3e4], 0.9)(made_up_samples(3, groups=2))
