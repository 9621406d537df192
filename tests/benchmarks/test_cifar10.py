"""CIFAR-10 as SPEAR did it: what the networks see, and the page that stands in the repository."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import cifar10
from benchmarks.cifar10 import PAGE, RAW, arrays, page
from spear_deploy.data import load_data


def pictures(path, count):
    """`count` JPEG files of one colour each, one array for all, as the data comes."""
    files = []
    for number in range(count):
        file = io.BytesIO()
        Image.new("RGB", (32, 32), (number % 256, 128, 255)).save(file, "JPEG", quality=100)
        files.append(np.frombuffer(file.getvalue(), np.uint8))
    offset = np.cumsum([0, *map(len, files)])
    np.savez(path, jpeg=np.concatenate(files), offset=offset, label=np.arange(count) % 10)


def test_fine_tunes_see_the_first_images_and_the_last_ones_are_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "HELD_OUT", 50)
    source = tmp_path / "source"
    source.mkdir()
    pictures(source / "train.npz", 280)
    pictures(source / "test.npz", 40)
    data = load_data(arrays(source, tmp_path / "arrays", train=200, validation=40, test=30))
    assert [len(split) for split in data.splits] == [200, 40, 30]
    blue = (1 - 0.4465) / 0.2616  # the data set's mean and deviation of that channel
    train, test = (torch.as_tensor(split.x[:]) for split in (data.train, data.test))
    assert test[0, 2].mean() == pytest.approx(blue, abs=0.02)
    red = (train[:, 0].mean((1, 2)) * 0.2470 + 0.4914) * 255
    assert red.numpy() == pytest.approx(np.arange(200), abs=2)


def test_the_papers_rows_stand_beside_ours_in_its_terms():
    one = {
        **{"net": "vgg16", "width": 0.5, "seed": 3, "samples": [4000, 5000, 2000]},
        **{"plain_epochs": 1, "final_epochs": 4, "settings": {"lre_samples": 12, "evaluations": 40}},
        "dense": {"test": {"accuracy": 0.80, "synops": 20e6}},
        "tuned_dense": {"test": {"accuracy": 0.81}},
        "budgets": {"50%": {"synops": {"test": 9e6}, "accuracy": {"test": 0.79}, "parameters_share": 0.25}},
        "dense_training": {"parameters": 1234, "epochs": 10, "images": 4000, "data": "CIFAR-10", "device": "cpu"},
    }
    text = page([one])
    assert "| vgg16, width 0.5, budget 50% | 9.00 | 45.0 | 25.0 | 79.00 | 80.00 | 81.00 | 3 |" in text
    assert "| SPEAR, vgg16 | | 52.5 | 14.4 | 91.77 | | | |" in text
    assert "10 epochs on 4,000 images (CIFAR-10, cpu)" in text


def test_the_page_shows_what_the_raw_figures_say():
    assert PAGE.read_text() == page([json.loads(path.read_text()) for path in sorted(RAW.glob("*.json"))])
