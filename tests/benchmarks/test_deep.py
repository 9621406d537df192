import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_cifar10 import pictures

from benchmarks.deep import FOLDER, TRAINED, deep_network, samples
from benchmarks.deep.__main__ import main
from benchmarks.evidence.searched import SAMPLES
from examples.train_cifar10 import accuracy, load, normalised, run
from spear_deploy import load_data, load_model
from spear_deploy.hardware import Activity
from spear_deploy.network import Simulation
from spear_deploy.search import ESTIMATORS, Features, LreSample

CASES = Path(__file__).parents[3] / "shared" / "cases" / "cifar10"
RIGHT = {"vgg10": 0.736, "sew-resnet": 0.6855}
"""On the first 2,000 test images, as the trainings told."""


ACTIVITY = Activity({"a": np.ones(3)}, time_steps=4, analog_input=True)


def test_both_deep_networks_are_kept_and_small():
    assert set(TRAINED) == set(RIGHT)
    assert all((FOLDER / f"{name}.npz").stat().st_size < 4 * 2**20 for name in TRAINED)


def test_the_files_for_spear_deploy_hold_the_kept_network_and_its_data(tmp_path, monkeypatch, capsys):
    source = tmp_path / "source"
    source.mkdir()
    pictures(source / "train.npz", 5_020)
    pictures(source / "test.npz", 6)
    monkeypatch.setattr(sys, "argv", ["deep", "sew-resnet", "--data", str(source), "--out", str(tmp_path)])
    main()
    assert capsys.readouterr().out == f"written to {tmp_path / 'sew-resnet.pt'}\n"
    model = load_model(tmp_path / "sew-resnet.pt")
    data = load_data(tmp_path / str(model.data))
    assert [len(split) for split in data.splits] == [20, 1_000, 6]
    images = normalised(load(source, "test")[0])
    torch.testing.assert_close(torch.as_tensor(data.test.x[:]), images)
    with torch.no_grad():
        told = Simulation(model.graph)(images.expand(4, *images.shape)).output.sum(0)
        asked = run(deep_network("sew-resnet"), images).sum(0)
    torch.testing.assert_close(told, asked, rtol=1e-3, atol=1e-3)


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["deep", "vgg10", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"{tmp_path / 'nowhere'}: no such folder" in capsys.readouterr().err


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="the folder of real networks is not beside the checkout")
@pytest.mark.parametrize("name", RIGHT)
def test_a_kept_network_is_right_as_often_as_after_its_training(name):
    images, labels = load(CASES, "test")
    found = accuracy(deep_network(name), images[:2000], labels[:2000])
    assert found == pytest.approx(RIGHT[name], abs=0.0005)  # one image: sums of floats differ between machines


def test_samples_are_read_as_they_were_kept_without_their_activity(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "FOLDER", tmp_path)
    features = Features(np.array([0.5, 1.0]), 90.0, 80.0, {"a": 60.0, "b": 30.0}, {"a": 50.0, "b": 30.0}, 1000.0, 7.0)
    made = LreSample(features, 85.0, 0.7, ACTIVITY, ACTIVITY, {"a": 55.0, "b": 30.0})
    assert samples.kept_samples("made up") == []
    samples.keep_samples("made up", [made])
    (read,) = samples.kept_samples("made up")
    assert {**vars(read.features), "keep_ratios": None} == {**vars(features), "keep_ratios": None}
    np.testing.assert_array_equal(read.features.keep_ratios, features.keep_ratios)
    assert (read.synops, read.accuracy, read.synops_by_layer) == (85.0, 0.7, made.synops_by_layer)
    assert read.before == read.after == samples.UNKNOWN


@pytest.mark.parametrize("name", RIGHT)
def test_every_kept_network_comes_with_samples_that_lre_can_be_fitted_on(name):
    found = samples.kept_samples(name)
    assert len(found) == SAMPLES
    estimator = ESTIMATORS["log-line"](found)
    for sample in found:
        told = estimator.predict(sample.features)
        assert told.low < told.value < told.high
        assert 0.5 < told.value / sample.synops < 2
