import numpy as np
import pytest
from scipy.stats import chi2_contingency

from spear_deploy.data.dataset import load_data
from spear_deploy.data.splitting import DIFFERENT, shares_differ, stratified
from spear_deploy.errors import DataError


def test_every_class_gives_its_share_to_validation():
    labels = np.repeat(np.arange(5), [100, 50, 20, 10, 2])
    kept, held = stratified(labels, 0.15)
    assert np.bincount(labels[held]).tolist() == [15, 8, 3, 2, 1]
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()


def test_the_same_samples_are_held_out_every_time_and_others_with_another_seed():
    labels = np.repeat(np.arange(4), 30)
    first, again, other = (stratified(labels, 0.2, seed)[1] for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_class_of_one_sample_stays_in_training():
    labels = np.array([0] * 20 + [1])
    kept, held = stratified(labels, 0.15)
    assert 1 in labels[kept]
    assert 1 not in labels[held]


def test_a_file_sorted_by_label_gives_a_validation_of_all_classes(tmp_path):
    labels = np.repeat(np.arange(10), 20)
    x = np.random.default_rng(0).random((200, 3)).astype(np.float32)
    np.savez(tmp_path / "sorted.npz", x_train=x, y_train=labels, x_test=x[:10], y_test=labels[:10])
    data = load_data(tmp_path / "sorted.npz")
    assert np.bincount(data.validation.y.numpy()).tolist() == [3] * 10
    assert np.bincount(data.train.y.numpy()).tolist() == [17] * 10
    assert "stratified by class, seed 0" in data.validation.source
    np.testing.assert_array_equal(data.validation.x.numpy(), x[data.validation.index])


@pytest.mark.parametrize(
    ("second", "differs"), [([50, 50], False), ([60, 40], False), ([90, 10], True), ([100, 0], True)]
)
def test_class_shares_are_told_apart_where_chance_does_not_explain_them(second, differs):
    assert shares_differ(np.array([500, 500]), np.array(second)) is differs


def test_class_shares_differ_where_scipys_test_says_so():
    rng = np.random.default_rng(0)
    told = set()
    for _ in range(500):
        shares = rng.dirichlet(np.ones(rng.integers(2, 12)))
        other = 0.7 * shares + 0.3 * rng.dirichlet(np.ones(len(shares)))
        both = np.array([rng.multinomial(400, shares), rng.multinomial(90, other)])
        both = both[:, both.sum(0) > 0]
        if both.shape[1] > 1:
            told.add(shares_differ(*both))
            assert shares_differ(*both) == (chi2_contingency(both).pvalue < DIFFERENT)
    assert told == {True, False}


def test_classes_of_one_sample_each_leave_nothing_for_validation_and_that_is_said(tmp_path):
    np.savez(
        tmp_path / "x.npz", x_train=np.zeros((10, 4)), y_train=np.arange(10), x_test=np.zeros((2, 4)), y_test=[0, 1]
    )
    with pytest.raises(DataError, match=r"10 training samples of as many classes are too few to take validation from"):
        load_data(tmp_path / "x.npz")
