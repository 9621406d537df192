"""Whether a network can be told from guessing, and what it lost, against counts and against draws."""

import numpy as np
import pytest
import torch
from scipy import stats

from spear_deploy.measure import Answers, guess_rate, most_by_guessing, points_lost
from spear_deploy.measure.answers import most_by_shuffling


@pytest.mark.parametrize("samples", [7, 360, 1000, 60_000])
def test_as_many_answers_lost_are_as_many_points_whichever_accuracies_they_lie_between(samples):
    rights = np.linspace(0, samples, 8, dtype=int)
    for lost in range(1, min(samples, 200)):
        points = {points_lost(right / samples, (right - lost) / samples) for right in rights if right >= lost}
        assert points == {round(100 * lost / samples, 9)}
        assert points_lost(1.0, 1 - (lost + 1) / samples) > max(points)


def test_answers_are_counted_pair_by_pair():
    labels = torch.tensor([0, 1, 2, 3, 0])
    dense = torch.tensor([0, 1, 2, 0, 1])
    pruned = torch.tensor([0, 2, 0, 3, 1])
    found = Answers.between(pruned, dense, labels, 0.25)
    assert (found.samples, found.right, found.lost, found.gained) == (5, 2, 2, 1)
    assert (found.accuracy, found.reference_accuracy) == (2 / 5, 3 / 5)
    assert found.drop_points == pytest.approx(20)


def test_a_guesser_names_the_most_frequent_class_of_training_or_draws():
    train = torch.tensor([2, 2, 2, 0, 1])
    assert guess_rate(train, torch.tensor([2, 2, 0, 1]), classes=3) == 0.5
    assert guess_rate(train, torch.tensor([0, 0, 1, 1]), classes=4) == 0.25


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.25, 1 / 3, 0.5, 1.0])
def test_chance_reaches_as_far_as_scipys_binomial_says(rate):
    for samples in (1, 2, 7, 60, 300, 10_000):
        assert most_by_guessing(samples, rate) == stats.binom.ppf(0.99, samples, rate) / samples


@pytest.mark.parametrize(("samples", "rate"), [(20, 0.1), (400, 0.1), (1000, 0.5), (7, 0.5)])
def test_a_guesser_is_taken_for_a_network_in_at_most_one_of_a_hundred_draws(samples, rate):
    right = np.random.default_rng(0).binomial(samples, rate, 100_000)
    assert (right / samples > most_by_guessing(samples, rate)).mean() <= 0.01


@pytest.mark.parametrize(("right", "guessing"), [(100, True), (197, False), (122, True), (130, False)])
def test_a_thousand_answers_among_ten_classes_are_a_network_s_from_about_an_eighth_on(right, guessing):
    assert Answers(1000, right, 0, 0, 0.1).is_guessing == guessing


def test_with_few_samples_even_a_good_network_may_be_guessing():
    assert Answers(3, 3, 0, 0, 0.5).is_guessing
    assert not Answers(8, 8, 0, 0, 0.5).is_guessing


@pytest.mark.parametrize("frequent", [0, 1])
def test_a_network_that_always_names_one_class_is_guessing_whichever_was_more_frequent_in_training(frequent):
    """19 of 20 answers are right where training, with as many of each class, says that half of them would be."""
    labels = torch.tensor([0] * 19 + [1]).repeat(25)
    rate = guess_rate(torch.tensor([frequent, frequent, 1 - frequent]), labels, classes=2)
    silent = torch.zeros_like(labels)
    assert (silent == labels).double().mean() == 0.95
    found = Answers.between(silent, silent, labels, rate)
    assert found.is_guessing
    assert found.of_reference.is_guessing
    assert found.most_by_guessing >= 0.95 - 1e-9
    assert not Answers.between(labels, silent, labels, 0.5).is_guessing


def test_labels_of_one_class_cannot_tell_a_network_from_one_who_names_it():
    """However good it is: that is not said to be a fault of the network."""
    labels = torch.full((43,), 9)
    found = Answers.between(labels, labels, labels, 0.1)
    assert found.undecided == "all are of one class"
    assert not Answers.between(torch.arange(43) % 2, labels, torch.arange(43) % 2, 0.5).undecided


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("samples", [20, 200])
def test_answers_in_a_random_order_are_taken_for_a_network_s_in_about_one_of_a_hundred(samples, classes):
    rng = np.random.default_rng(3)
    labels, given = (np.minimum(rng.geometric(0.4, samples), classes) - 1 for _ in range(2))
    most = most_by_shuffling(torch.tensor(given), torch.tensor(labels))
    right = np.array([(rng.permutation(given) == labels).mean() for _ in range(20_000)])
    assert 0.001 < (right > most).mean() < 0.025


def alarms(count, raised):
    """Classes of so many samples, of which the first `raised` are of the rare one."""
    return (torch.arange(count) < raised).long()


@pytest.mark.parametrize("samples", [10, 20, 40, 200])
def test_few_alarms_of_a_rare_class_are_taken_for_a_network_s_as_seldom_as_the_hypergeometric_law_says(samples):
    for rare in range(1, samples // 2 + 1, max(1, samples // 20)):
        for raised in range(1, samples, max(1, samples // 20)):
            most = most_by_shuffling(alarms(samples, raised), alarms(samples, rare))
            met = np.arange(min(rare, raised) + 1)
            right = (samples - rare - raised + 2 * met) / samples
            assert stats.hypergeom.pmf(met, samples, rare, raised)[right > most + 1e-9].sum() < 0.0135


@pytest.mark.parametrize("frequent", [0, 1])
def test_one_right_alarm_among_four_that_are_due_is_no_network_whatever_training_held_most_of(frequent):
    """One sample in ten is due: whoever raises one alarm is right with it as often."""
    labels = alarms(40, 4)
    rate = guess_rate(torch.tensor([frequent]), labels, classes=2)
    found = Answers.between(alarms(40, 1), labels, labels, rate)
    assert found.right == 37
    assert found.is_guessing


def test_a_network_that_heeds_its_samples_is_not_called_ruined_where_too_few_are_rare():
    """All but one of six alarms are raised, none is false; who never raises any may be as right on another 60."""
    labels = alarms(60, 6)
    rate = guess_rate(labels, labels, classes=2)
    found = Answers.between(alarms(60, 5), labels, labels, rate)
    assert found.is_guessing
    assert not found.undecided
    assert found.unsure == "it is right on 59, a guesser on 54, by chance on up to 59"
    never = Answers.between(alarms(60, 0), labels, labels, rate)
    assert never.is_guessing
    assert not never.unsure


def test_the_interval_of_the_points_lost_is_that_of_bonett_and_price():
    """p = 13/102, q = 4/102: the same by hand."""
    low, high = Answers(100, 80, lost=12, gained=3, guess_rate=0.1).drop_interval_points
    difference, half = 9 / 102, 1.959964 * ((17 / 102 - (9 / 102) ** 2) / 102) ** 0.5
    assert (low, high) == (pytest.approx(100 * (difference - half)), pytest.approx(100 * (difference + half)))


@pytest.mark.parametrize("samples", [30, 100, 400, 1000])
@pytest.mark.parametrize(("lost", "gained"), [(0.15, 0.02), (0.1, 0.0), (0.3, 0.1), (0.01, 0.005)])
def test_the_interval_holds_the_true_loss_about_as_often_as_it_says(samples, lost, gained):
    rng = np.random.default_rng(1)
    counts = rng.multinomial(samples, [lost, gained, 1 - lost - gained], 2000)
    held = [
        low <= 100 * (lost - gained) <= high
        for b, c, _ in counts
        for low, high in [Answers(samples, 0, int(b), int(c), 0.1).drop_interval_points]
    ]
    assert np.mean(held) >= 0.93


def test_the_reference_beside_itself_lost_nothing():
    found = Answers(100, 80, lost=12, gained=3, guess_rate=0.1).of_reference
    assert (found.right, found.drop_points) == (89, 0)
    assert found.reference_accuracy == found.accuracy == 0.89


def test_more_samples_make_the_same_loss_surer():
    few, many = (Answers(n, 0, lost=n // 5, gained=0, guess_rate=0.1).drop_interval_points for n in (50, 5000))
    assert few[0] < many[0] < 20 < many[1] < few[1]
    assert many[1] - many[0] == pytest.approx(2 * 100 * stats.norm.ppf(0.975) * (0.2 * 0.8 / 5000) ** 0.5, rel=0.01)


@pytest.mark.parametrize(("rate", "fewest"), [(0.5, 7), (0.25, 4), (0.1, 2), (0.9, 44)])
def test_the_fewest_samples_that_tell_are_those_that_nobody_guesses_all_of(rate, fewest):
    assert Answers(fewest, fewest, 0, 0, rate).fewest_to_tell == fewest
    assert not Answers(fewest, fewest, 0, 0, rate).is_guessing
    assert Answers(fewest - 1, fewest - 1, 0, 0, rate).is_guessing


def test_samples_of_one_class_never_tell():
    assert Answers(1000, 1000, 0, 0, 1.0).fewest_to_tell is None
    assert Answers(1000, 1000, 0, 0, 1.0).is_guessing


@pytest.mark.parametrize(
    ("labels", "rate", "undecided"),
    [
        ([0, 1, 0, 1], 0.5, "it takes 7 or more"),  # one order in six is all right
        ([0, 1] * 3, 0.5, "it takes 7 or more"),
        ([0, 1] * 4, 0.5, "it takes more"),  # one in seventy
        ([0, 1] * 5, 0.5, ""),
        ([0] * 39 + [1], 0.5, "it takes more"),  # one in forty, however many are right by chance
        ([0, 1, 0, 1], 0.1, "it takes more"),  # whatever is said of ten classes
        ([0] * 190 + [1] * 10, 0.5, ""),
    ],
)
def test_no_accuracy_is_over_all_and_where_all_right_may_be_chance_nothing_can_be_told(labels, rate, undecided):
    labels = torch.tensor(labels)
    found = Answers.between(labels, labels, labels, rate)
    assert found.most_by_guessing <= 1
    assert found.undecided == undecided
    assert found.is_guessing == bool(undecided)
