"""What is said, or refused, of splits that do not serve."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_networks import Chain
from scipy.stats import ttest_ind

from spear_deploy.data import Dataset, load_data
from spear_deploy.errors import DataError
from spear_deploy.hardware import load_profile, parse_budgets
from spear_deploy.jobs.check import check
from spear_deploy.jobs.check import measured as measured_on
from spear_deploy.jobs.deploy.early_warnings import (
    by_chance,
    check_labels,
    class_shares,
    shared_samples,
    shift,
    wide_bound,
    wide_tails,
)
from spear_deploy.jobs.simulate import SimulateConfig, simulate
from spear_deploy.jobs.task import Task
from spear_deploy.network import Encoding, Objective, Reset
from spear_deploy.search.bounds import p99_bound


def data(tmp_path, train, validation, test):
    """A file of samples with these numbers of each class."""
    arrays = {}
    for name, counts in (("train", train), ("val", validation), ("test", test)):
        labels = np.repeat(np.arange(len(counts)), counts)
        arrays |= {f"x_{name}": np.zeros((len(labels), 3), np.float32), f"y_{name}": labels}
    np.savez(tmp_path / "made.npz", **arrays)
    return load_data(tmp_path / "made.npz")


def measured(synops):
    return SimpleNamespace(per_sample=torch.tensor(np.asarray(synops, float)), samples=len(synops))


def test_a_validation_without_a_class_is_refused(tmp_path):
    with pytest.raises(DataError, match="validation holds no sample of class 2, which training has"):
        check_labels(data(tmp_path, [20, 20, 20], [5, 5, 0], [10, 10, 10]))
    check_labels(data(tmp_path, [20, 20, 20], [5, 5, 1], [10, 10, 10]))


def test_places_of_images_that_never_change_are_no_fault_of_a_reconstruction_alone():
    rng = np.random.default_rng(0)
    y = {f"y_{name}": rng.random((20, 3)).astype(np.float32) for name in ("train", "val", "test")}
    for each in y.values():
        each[:, 1] = 0
    some = Dataset.of_arrays(**{f"x_{name}": np.zeros((20, 2), np.float32) for name in ("train", "val", "test")} | y)
    with pytest.raises(DataError, match=r"of output 1 are 0 for all 20 train .* say `objective='reconstruction'`$"):
        check_labels(some, Objective.REGRESSION)
    check_labels(some, Objective("reconstruction:scale=4"))
    none = Dataset.of_arrays(
        **{f"x_{name}": np.zeros((20, 2), np.float32) for name in ("train", "val", "test")}
        | {name: 0 * each for name, each in y.items()}
    )
    with pytest.raises(DataError, match=r"nothing to tell apart, and no R2$"):
        check_labels(none, Objective.RECONSTRUCTION)


@pytest.fixture
def constant():
    """A regression of two values, the second of which is always 3 in test."""
    rng = np.random.default_rng(0)
    arrays = {f"x_{name}": rng.random((20, 6), dtype=np.float32) for name in ("train", "val", "test")}
    arrays |= {f"y_{name}": rng.random((20, 2), dtype=np.float32) for name in ("train", "val", "test")}
    arrays["y_test"][:, 1] = 3
    chain = Chain((6,)).linear("dense", 5).neurons("lif", reset=Reset.SUBTRACT).linear("out", 2).neurons("read")
    model = replace(chain.model(4, Encoding.DIRECT), objective=Objective.REGRESSION)
    return Task(model, Dataset.of_arrays(**arrays))


def test_every_verb_that_scores_says_of_labels_without_a_score_what_deploy_refuses_them_with(constant):
    with pytest.raises(DataError) as refused:
        check_labels(constant.data, constant.model.objective)
    assert "labels of output 1 are 3 for all 20 test samples: there is nothing to tell apart, and no R2" in str(
        refused.value
    )
    loihi1 = load_profile("loihi1")
    seen = simulate(constant, loihi1)
    converted = check(measured_on("net", constant.model, constant), loihi1, adapt=True)
    assert converted.effect is not None
    for told in (seen.told, converted.told):
        assert f"{refused.value}; an R2 that is shown counts it as 0, or as 1 where all is told exactly" in told
    for found in (seen, simulate(constant, loihi1, config=SimulateConfig(split="train"))):
        assert any("no R2" in line for line in found.told) == (found.config.split == "test")
    (few,) = simulate(constant, loihi1, config=SimulateConfig(samples=1)).told
    assert few.startswith(f"{constant.data.name}: 1 test sample is too few to score values on; ")


def test_a_single_validation_sample_is_refused_with_the_number_that_is_needed(tmp_path):
    with pytest.raises(DataError, match=r"1 validation sample has no spread.*at least 2 are needed"):
        check_labels(data(tmp_path, [20], [1], [10]))


def test_splits_that_lack_classes_or_hold_them_in_other_shares_are_told(tmp_path):
    assert class_shares(data(tmp_path, [50, 50], [12, 10], [20, 18])) == []
    (lacking,) = class_shares(data(tmp_path, [5, 5, 5], [2, 2, 2], [4, 4, 0]))
    assert lacking.endswith("test holds no sample of class 2")
    (other,) = class_shares(data(tmp_path, [100, 100], [20, 20], [90, 10]))
    assert "test holds its classes in other shares than train" in other


@pytest.mark.parametrize("kept", [np.float64, np.uint8])
def test_samples_of_test_and_validation_that_are_training_samples_are_told(kept):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 200, (300, 6)).astype(kept)
    parts = {"x_train": x[:100], "x_val": x[100:200], "x_test": x[200:]}
    assert shared_samples(Dataset.of_arrays("mine", **parts)) == []
    mixed = {"x_val": np.concatenate([x[100:198], x[:2]]), "x_test": x[:70]}
    validation, test = shared_samples(Dataset.of_arrays("mine", **{**parts, **mixed}))
    assert validation.startswith("mine: 2 of 100 validation samples are training samples too, and say nothing of new")
    assert test.startswith("mine: 70 of 70 test samples are training samples too")
    few = {"x_test": np.concatenate([x[200:]] * 3 + [x[:1]])}
    assert shared_samples(Dataset.of_arrays("mine", **{**parts, **few})) == []


def test_a_shift_of_the_dense_networks_synops_is_told_with_its_size():
    rng = np.random.default_rng(0)
    here, same, more = (rng.normal(mean, 20, 300) for mean in (100, 100, 110))
    assert shift(measured(here), measured(same)) == []
    (told,) = shift(measured(here), measured(more))
    assert f"{more.mean() / here.mean() - 1:+.1%}" in told
    assert "may be broken on test" in told
    (told,) = shift(measured(more), measured(here))
    assert "left unused" in told


@pytest.mark.parametrize("sizes", [(2, 2), (5, 300), (400, 20)])
def test_a_shift_is_chance_as_often_as_scipys_welch_test_says(sizes):
    rng = np.random.default_rng(0)
    here, there = rng.normal(0, 1, sizes[0]), rng.normal(0.3, 2, sizes[1])
    assert by_chance(here, there) == pytest.approx(ttest_ind(here, there, equal_var=False).pvalue)


def test_one_split_in_a_hundred_of_the_same_data_is_called_shifted():
    rng = np.random.default_rng(1)
    told = [bool(shift(measured(rng.normal(100, 20, 100)), measured(rng.normal(100, 20, 200)))) for _ in range(600)]
    assert np.mean(told) <= 0.025  # 1 % and four standard errors of 600 draws


def test_a_validation_too_small_for_a_bound_is_told_how_large_it_should_be():
    rng = np.random.default_rng(0)
    assert wide_bound(measured(rng.normal(100, 20, 300)), 400) == []
    (told,) = wide_bound(measured(rng.normal(100, 30, 12)), 1000)
    needed = int(told.split("; ")[1].split()[0])
    assert 200 < needed < 600
    (told,) = wide_bound(measured(np.array([20.0, 180.0])), 1000)
    above, unused = (float(text.rstrip("%")) / 100 for text in re.findall(r"[\d,]+%", told.replace(",", ""))[:2])
    assert above > 1 > unused == pytest.approx(above / (1 + above), abs=0.01)
    assert wide_bound(measured(rng.normal(100, 20, needed)), 1000) == []


def test_a_tail_of_which_few_samples_leave_much_unused_is_told_with_its_share():
    """The 99th percentile of 400 further samples is promised by the largest of few, and a margin."""
    each = np.random.default_rng(0).normal(100, 20, 60)
    (limit,) = parse_budgets(["p99=90k"])
    on_chip = SimpleNamespace(measured=SimpleNamespace(synops_each=each))
    (told,) = wide_tails([limit], on_chip, 400)
    reach = p99_bound(each, 400) / np.sort(each)[59] - 1
    assert f"lies {reach:.0%} from what 60 validation samples show" in told
    assert f"{reach / (1 + reach):.0%} of the budget" in told
    assert wide_tails([limit], SimpleNamespace(measured=SimpleNamespace(synops_each=each / 100 + 100)), 400) == []
