"""R2 and what is lost of it, against scikit-learn and scipy."""

import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import r2_score

from spear_deploy.measure.values import Values, over_by_shuffling, r2


def drawn(samples=80, outputs=3, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=(samples, outputs)) * [0.01, 1, 1000][:outputs] + [5, 0, -300][:outputs]
    told = wanted + noise * wanted.std(0) * rng.normal(size=wanted.shape)
    return torch.tensor(told), torch.tensor(wanted)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("noise", [0.0, 0.3, 4.0])
def test_r2_is_that_of_scikit_learn(outputs, noise):
    told, wanted = drawn(outputs=outputs, noise=noise)
    assert r2(told, wanted) == pytest.approx(r2_score(wanted, told), abs=1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.3, 4.0])
def test_r2_of_values_of_one_unit_is_that_of_scikit_learn_weighted_by_variance(noise):
    told, wanted = drawn(noise=noise)
    expected = r2_score(wanted, told, multioutput="variance_weighted")
    assert r2(told, wanted, alike=True) == pytest.approx(expected, abs=1e-12)
    assert Values.between(told, told, wanted, alike=True).accuracy == pytest.approx(expected, abs=1e-12)


def test_errors_at_a_place_that_never_changes_count_beside_those_of_others():
    told, wanted = drawn()
    wanted[:, 2] = 3
    changing = (wanted - wanted.mean(0)).square().sum()
    expected = 1 - float((told - wanted).square().sum() / changing)
    assert r2(told, wanted, alike=True) == pytest.approx(expected)
    assert expected < r2_score(wanted, told, multioutput="variance_weighted")


@pytest.mark.parametrize("right", [True, False])
def test_an_output_that_never_changes_counts_as_in_scikit_learn(right):
    told, wanted = drawn(outputs=2)
    wanted[:, 0] = 3
    told[:, 0] = 3 if right else told[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert r2(told, wanted) == pytest.approx(r2_score(wanted, told))


def test_the_interval_of_what_was_lost_is_scipys_of_paired_samples():
    told, wanted = drawn(outputs=1)
    reference, _ = drawn(outputs=1, seed=0, noise=0.4)
    found = Values.between(told, reference, wanted)
    variance = float(wanted.var(correction=0))
    errors = [((each - wanted).square() / variance).flatten().numpy() for each in (told, reference)]
    interval = stats.ttest_rel(*errors).confidence_interval(0.95)
    assert found.drop_interval_points == pytest.approx((100 * interval.low, 100 * interval.high))
    assert found.drop_points == pytest.approx(100 * (r2_score(wanted, reference) - r2_score(wanted, told)))
    assert found.of_reference.accuracy == found.reference_accuracy
    assert found.of_reference.drop_points == 0


def test_a_guesser_is_one_who_tells_the_mean():
    wanted = torch.randn(60, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mean = wanted.mean(0).expand_as(wanted)
    guessing = Values.between(mean, mean, wanted)
    assert guessing.accuracy == pytest.approx(0)
    assert guessing.is_guessing
    assert guessing.most_by_guessing == pytest.approx(0, abs=1e-9)
    good = Values.between(wanted * 0.8, mean, wanted)
    assert not good.is_guessing
    assert not good.undecided


def test_values_that_no_constant_falls_behind_are_guesses_whatever_the_mean_of_training_was():
    """On labels that lie elsewhere than those of training, its mean is a bad constant, and another one better."""
    wanted = 5 + torch.randn(60, 1, generator=torch.Generator().manual_seed(1))
    near = wanted.mean(0) + 0.3 * torch.randn(60, 1, generator=torch.Generator().manual_seed(2))
    assert r2(near, wanted) < 0
    assert Values.between(near, near, wanted).is_guessing


@pytest.mark.parametrize("samples", [3, 60])
def test_chance_is_an_r2_from_0_to_1_however_wild_values_are(samples):
    wanted = torch.randn(samples, 1, generator=torch.Generator().manual_seed(1))
    for scale in (0.0, 1.0, 1e6):
        wild = scale * torch.randn(samples, 1, generator=torch.Generator().manual_seed(2)) ** 3
        found = Values.between(wild, wild, wanted)
        assert 0 <= found.most_by_guessing <= 1
        assert found.is_guessing


@pytest.mark.parametrize("outputs", [1, 3, 200])
def test_values_in_a_random_order_are_taken_for_a_network_s_in_about_one_of_a_hundred(outputs):
    generator = torch.Generator().manual_seed(3)
    wanted = torch.randn(100, outputs, generator=generator, dtype=torch.float64).exp()
    told = 0.3 * wanted + 0.2 * torch.randn(100, outputs, generator=generator, dtype=torch.float64)
    most = r2(told, wanted) + over_by_shuffling(told, wanted)
    reached = [r2(told[torch.randperm(100, generator=generator)], wanted) for _ in range(5000)]
    assert 0.001 < np.mean([each > most for each in reached]) < 0.03


@pytest.mark.parametrize("samples", [20, 200])
def test_a_good_network_is_none_however_far_single_labels_lie_from_the_others(samples):
    """Whose squared errors have so heavy tails that their mean says nothing."""
    generator = torch.Generator().manual_seed(4)
    for _ in range(200):
        wanted = torch.exp(1.5 * torch.randn(samples, 1, generator=generator))
        told = wanted + 0.1 * wanted.std() * torch.randn(samples, 1, generator=generator)
        assert not Values.between(told, told, wanted).is_guessing


def test_one_who_guesses_at_random_is_seldom_taken_for_more():
    """By its own test, in a hundredth of the cases: values that have nothing to do with those wanted."""
    generator, taken = torch.Generator().manual_seed(2), 0
    for _ in range(400):
        wanted, told = (torch.randn(50, 1, generator=generator) for _ in range(2))
        taken += not Values.between(0.1 * told, told, wanted).is_guessing
    assert taken <= 12


def test_labels_that_are_all_the_same_cannot_tell_whether_a_network_works():
    wanted = torch.full((50, 2), 3.0)
    assert Values.between(wanted, wanted, wanted).undecided == "each value is the same in all of them"


def test_a_single_sample_cannot_tell_whether_a_network_works():
    wanted = torch.tensor([[0.0], [1.0]])
    assert Values.between(wanted[:1], wanted[:1], wanted[:1]).undecided
