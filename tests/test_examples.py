"""The example scripts train on every kind of data that is read."""

import json
import pickle
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spear_deploy
from examples import train_cifar10
from spear_deploy.network.fingerprint import fingerprint

FOREIGN = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "train_foreign.py"))


@pytest.mark.parametrize(
    ("name", "samples", "classes"), [("japanese-vowels", (29, 72), 9), ("fashion-mnist", (1, 28, 28), 10)]
)
def test_a_foreign_network_is_trained_on_events_and_on_pictures_alike(tmp_path, name, samples, classes):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 24), ("val", 10), ("test", 210)):
        arrays |= {f"x_{part}": (rng.random((count, *samples)) < 0.2).astype(np.uint8)}
        arrays |= {f"y_{part}": np.arange(count) % classes}
    np.savez(tmp_path / "few.npz", **arrays)
    task = replace(FOREIGN["TASKS"][name], epochs=1)
    net, accuracy = FOREIGN["train"](task, spear_deploy.load_data(tmp_path / "few.npz"), 0, "cpu")
    assert set(accuracy) == {"train", "validation", "test"}
    assert accuracy["test"] * 210 == pytest.approx(round(accuracy["test"] * 210))
    spear_deploy.save_model(
        net, tmp_path / "few.pt", input_shape=task.shape, time_steps=task.time_steps, encoding=task.encoding
    )
    assert spear_deploy.load_model(tmp_path / "few.pt").time_steps == task.time_steps


def test_a_cifar10_training_that_was_cut_off_ends_with_the_network_of_one_that_was_not(tmp_path, monkeypatch):
    made = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        batch = {b"data": made.integers(0, 256, (12, 3072), np.uint8), b"labels": made.integers(0, 10, 12).tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(batch))
    monkeypatch.setattr(train_cifar10, "HELD_OUT", 28)

    def train(out, net="sew-resnet"):
        given = ["--net", net, "--width", "0.03", "--epochs", "3", "--batch", "16", "--data", str(tmp_path)]
        monkeypatch.setattr("sys.argv", ["train_cifar10.py", *given, "--out", str(tmp_path / out)])
        train_cifar10.main()
        return spear_deploy.load_model(tmp_path / f"{out}.pt")

    whole = train("whole")
    with monkeypatch.context() as cut:
        reached, measured = [], train_cifar10.accuracy

        def until_the_second(*args):
            reached.append(measured(*args))
            if len(reached) == 2:
                raise KeyboardInterrupt
            return reached[-1]

        cut.setattr(train_cifar10, "accuracy", until_the_second)
        with pytest.raises(KeyboardInterrupt):
            train("cut")
    assert fingerprint(train("cut")) == fingerprint(whole)
    assert len(json.loads((tmp_path / "cut.json").read_text())["test_accuracy"]) == 3
    with pytest.raises(SystemExit):
        train("cut", net="vgg10")
