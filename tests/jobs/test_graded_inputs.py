"""Samples that reach farther than those that a chip's levels were chosen on are run all the same, and told."""

import numpy as np
import pytest
from made_networks import Chain

from spear_deploy.data import Dataset
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.graded_inputs import cut_on
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.simulate import simulate
from spear_deploy.jobs.task import Task
from spear_deploy.network import Encoding


class Listening(Silent):
    def __init__(self):
        self.heard = []

    def notice(self, text):
        self.heard.append(text)


@pytest.fixture
def task():
    """Event counts up to 2 in training, with one of 9 in test."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (30, 4, 6)).astype(np.uint8)
    test = x[:8].copy()
    test[2, 1, 3] = 9
    data = Dataset.of_arrays(x_train=x, x_test=test)
    model = Chain((6,)).linear("dense", 5).neurons("lif").model(4, Encoding.COUNTS)
    return Task(model, data)


def test_simulate_runs_them_and_says_how_many_are_cut(task):
    progress = Listening()
    found = simulate(task, load_profile("loihi2"), ("torch", "chip"), progress=progress)
    assert set(found.simulated.results) == {"torch", "chip"}
    (line,) = (text for text in progress.heard if "lie beyond" in text)
    assert line.startswith(f"1 of {int((task.data.test.x[:] != 0).sum())} input values of test lie beyond 2.")


def test_what_a_split_holds_beyond_them_is_known_before_the_long_work(task):
    loihi2 = load_profile("loihi2")
    assert cut_on(loihi2, task.model, task.train, [task.validation]) == []
    (line,) = cut_on(loihi2, task.model, task.train, [task.validation, task.test])
    assert "of test lie beyond" in line
    assert cut_on(load_profile("generic-45nm"), task.model, task.train, [task.test]) == []
