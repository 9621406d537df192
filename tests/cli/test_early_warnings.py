"""What is said before the long work begins, and does not stop it."""

import re

import numpy as np
import pytest
import torch
from made_task import arrays, change_graph, write_task

from spear_deploy.cli import main
from spear_deploy.data import load_data
from spear_deploy.errors import DataError


@pytest.fixture
def said(task, capsys, monkeypatch):
    """Runs the main job up to sampling; returns what was told by then, beside how long all will take."""

    def stop(*arguments):
        raise DataError("sampling begins")

    monkeypatch.setattr("spear_deploy.jobs.deploy.prepare.sample_lre", stop)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(("--no-lava", *arguments))
        err = capsys.readouterr().err
        assert ended.value.code == 2
        assert "spear-deploy: sampling begins" in err
        (ahead,) = (line for line in err.splitlines() if line.startswith("note: ahead on this machine"))
        return [line.removeprefix("note: ") for line in err.splitlines() if line.startswith("note: ") and line != ahead]

    return run


def test_splits_too_small_to_train_or_to_judge_by_are_said(said):
    told = said("model.pt")
    assert (
        "samples.npz: 33 training samples are fewer than a batch of 64: each epoch is one step with all of them" in told
    )
    assert (
        "samples.npz: 7 validation samples say little of mean SynOps and of answers:"
        " the budget may be met there and missed on test"
    ) in told


def test_a_network_at_chance_is_said(said):
    np.savez("samples.npz", **arrays(train=400))
    change_graph(lambda nodes: nodes["fc"]["bias"].copy_(torch.tensor([-99.0, -99.0, 99.0, -99.0])))
    validation = load_data("samples.npz").validation
    right = int((validation.y == 2).sum())
    (warning,) = said("model.pt")
    assert warning.startswith(
        "the network cannot be told from guessing on validation: its accuracy of"
        f" {right / len(validation):.2%} on {len(validation)} samples may be chance"
    )


def test_a_trained_network_on_enough_data_raises_no_doubt(said, task):
    write_task(task)
    assert said("model.pt", "--budget", "50%", "--budget", "p99=60%") == []


def test_data_without_labels_is_said(said, task):
    write_task(task)
    content = arrays()
    np.savez("samples.npz", x_train=content["x_train"], x_test=content["x_test"])
    notice, *_ = said("model.pt")
    assert notice.startswith("samples.npz holds no labels: the network's own classes serve")


@pytest.mark.parametrize(("budget", "most"), [("p99=1000", "1,000"), ("step=300", "1,200")])
def test_a_tail_below_what_the_mean_may_be_is_said(said, task, budget, most):
    write_task(task)
    (warning,) = [each for each in said("model.pt", "--budget", "90%", "--budget", budget) if "leaves at most" in each]
    assert re.fullmatch(
        rf"loihi2: budget {budget} leaves at most {most} SynOps an inference: budget 90% \([\d,]+\) cannot be used up",
        warning,
    )
