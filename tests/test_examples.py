"""The example scripts train on every kind of data that is read."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spear_deploy

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
