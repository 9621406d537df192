import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.deep import FOLDER, PARTS, TRAINED, deep_data, deep_network
from benchmarks.deep.__main__ import main
from examples.train_cifar10 import accuracy, run
from spear_deploy import load_data, load_model
from spear_deploy.network import Simulation

CIFAR10 = Path(__file__).parents[3] / "shared" / "cases" / "cifar10"
RIGHT = {"vgg10": 0.736, "sew-resnet": 0.6855}
"""On the 2,000 test images, as the training told."""


def test_both_deep_networks_are_kept_and_small():
    assert set(TRAINED) == set(RIGHT)
    assert all((FOLDER / f"{name}.npz").stat().st_size < 4 * 2**20 for name in TRAINED)


@pytest.mark.parametrize("name", RIGHT)
def test_a_kept_network_answers_whatever_it_is_shown(name):
    images = torch.randn((5, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        membranes = run(deep_network(name), images).sum(0)
    assert membranes.shape == (5, 10)
    assert (membranes.std(0) > 0).all()


def test_the_files_for_spear_deploy_hold_the_kept_network(tmp_path, monkeypatch):
    """Made-up images stand in for CIFAR-10, which is not asked for where the data lie there already."""
    images = torch.randn((6, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    labels = np.arange(6)
    parts = {
        f"{key}_{part}": each.numpy()
        for part in PARTS
        for key, each in (("x", images), ("y", torch.from_numpy(labels)))
    }
    np.savez(tmp_path / "cifar10.npz", **parts)
    monkeypatch.setattr(sys, "argv", ["deep", "sew-resnet", "--out", str(tmp_path)])
    main()
    model = load_model(tmp_path / "sew-resnet.pt")
    assert model.data == "cifar10.npz"
    assert load_data(tmp_path / model.data).train.x.shape == (6, 3, 32, 32)
    with torch.no_grad():
        told = Simulation(model.graph)(images.expand(4, *images.shape)).output.sum(0)
        asked = run(deep_network("sew-resnet"), images).sum(0)
    torch.testing.assert_close(told, asked, rtol=1e-3, atol=1e-3)


@pytest.mark.cases
@pytest.mark.skipif(not CIFAR10.is_dir(), reason="needs the CIFAR-10 of shared/cases")
@pytest.mark.parametrize("name", RIGHT)
def test_a_kept_network_is_right_as_often_as_after_its_training(name):
    from examples.train_cifar10 import load

    images, labels = load(CIFAR10, "test")
    assert accuracy(deep_network(name), images[:2000], labels[:2000]) == pytest.approx(RIGHT[name], abs=0.002)
    assert torch.equal(deep_data(CIFAR10, "test")[1], labels[:2000])
