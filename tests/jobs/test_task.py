"""Data without labels: what the network says itself is what is right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_task import write_task

from spear_deploy.cli import main
from spear_deploy.data import load_data
from spear_deploy.errors import DataError
from spear_deploy.jobs.task import Task, load_task
from spear_deploy.network import Encoding, Simulation, load_any, save_model_file

QUICK = (
    *("--lre-samples", "8", "--evaluations", "4", "--finalists", "1", "--plain-epochs", "1", "--epochs", "2"),
    *("--workers", "1"),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A trained network beside samples without labels."""
    path = write_task(tmp_path_factory.mktemp("task"))
    content = np.load(path.parent / "samples.npz")
    np.savez(path.parent / "samples.npz", x_train=content["x_train"], x_test=content["x_test"])
    return path


def counted(network, x):
    """Classes by spike counts, the lowest of the largest."""
    with torch.no_grad():
        counts = Simulation(network.graph, torch.float64)(x).output.sum(0)
    return [row.index(max(row)) for row in counts.tolist()]


def test_the_class_and_the_outputs_of_a_sample_are_those_the_network_gives_it(model):
    network, task = load_any(model), load_task(model)
    assert task.labels == task.labelled().labels == "dense network"
    for split in task.labelled().data.splits:
        x = split.x.double().expand(4, *split.x.shape)
        assert split.y.tolist() == counted(network, x)
        with torch.no_grad():
            rates = Simulation(network.graph, torch.float64)(x).output.sum(0) / 4
        np.testing.assert_allclose(split.outputs, rates.flatten(1), rtol=1e-6)
        for few in (task.split(split.name, 5), task.labelled().split(split.name, 5)):
            assert few.y.tolist() == split.y[:5].tolist()
    assert task.notices == (
        f"{model.parent / 'samples.npz'} holds no labels: the network's own classes serve,"
        " and accuracy means agreement with it",
    )
    assert task.labelled().notices == ()


def test_samples_that_float32_rounds_are_told(model, tmp_path):
    path = tmp_path / "wide.npz"
    content = {key: values.astype(np.float64) for key, values in np.load(model.parent / "samples.npz").items()}
    content["x_train"][..., 0] = 1.7e9 + np.arange(len(content["x_train"])).reshape(
        -1, *[1] * (content["x_train"].ndim - 2)
    )
    np.savez(path, **content)
    said = load_task(model, str(path)).notices
    assert said[0].startswith(f"{path}: x_train[:, 0, 0, 0] goes from 1700000000.0 to ")


def test_labels_follow_the_spikes_that_a_seed_draws(model):
    network = replace(load_any(model), encoding=Encoding.RATE)
    data = load_data(model.parent / "samples.npz")
    first, again, other = (Task(network, data, seed).labelled().data for seed in (0, 0, 1))
    assert first.sha256 == again.sha256 != data.sha256
    assert first.given_sha256 == data.sha256
    assert first.train.y.tolist() != other.train.y.tolist()


def test_data_that_holds_labels_keeps_them():
    digits = Task(load_any("examples/digits.pt"), load_data("digits"))
    assert digits.labelled() is digits
    assert digits.labels == "data"


def test_labels_stay_those_of_the_network_that_was_given_when_it_is_converted(model):
    task = load_task(model)
    other = load_any(model)
    other.graph.nodes["fc"].weight[:] *= -1
    converted = replace(task.labelled(), model=other.with_graph(other.graph))
    assert converted.test.labels.tolist() == task.test.labels.tolist()
    assert replace(task, model=converted.model).test.labels.tolist() != task.test.labels.tolist()


def test_the_first_samples_of_a_split_are_encoded_as_in_the_whole_of_it(model):
    task = Task(replace(load_any(model), encoding=Encoding.RATE), load_data(model.parent / "samples.npz"), seed=3)
    assert torch.equal(task.encoded("test", 7).inputs, task.test.inputs[:, :7])


def test_data_that_does_not_suit_the_network_is_no_task(model):
    with pytest.raises(DataError, match="digits: samples are 1 x 8 x 8 a time step, the network takes 1 x 6 x 6"):
        load_task(model, "digits")


def test_a_model_that_names_no_data_needs_some(model, tmp_path):
    save_model_file(replace(load_any(model), data=None), tmp_path / "nameless.pt")
    with pytest.raises(DataError, match=r"nameless\.pt: the model does not name its data"):
        load_task(tmp_path / "nameless.pt")
    assert load_task(tmp_path / "nameless.pt", str(model.parent / "samples.npz")).model.data is None


def run(model, tmp_path, monkeypatch, capsys, *arguments):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for path in model.parent.iterdir():
        Path(path.name).symlink_to(path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code, *capsys.readouterr()


def test_the_main_job_says_that_accuracy_is_agreement(model, tmp_path, monkeypatch, capsys):
    code, out, err = run(model, tmp_path, monkeypatch, capsys, *QUICK, "--no-lava", "--out", "run", "model.pt")
    assert code in (0, 1), err
    assert "note: samples.npz holds no labels" in err
    assert "agreement with dense (test)" in out
    assert "accuracy (test)" not in out
    report = json.loads(Path("run", "report.json").read_text())
    assert report["labels"] == "dense network"
    assert report["data_sha256"] == load_data("samples.npz").sha256
    assert report["dense"]["accuracy"] == 1
    dense, pruned, x = load_any("model.pt"), load_any("run/pruned.pt"), load_data("samples.npz").test.x.double()
    x = x.expand(4, *x.shape)
    agree = np.mean(np.array(counted(dense, x)) == counted(pruned, x))
    assert report["pruned"]["accuracy"] == pytest.approx(agree)
    page = Path("run", "report.html").read_text()
    assert "The data held no labels" in page
    assert "agreement with dense (test, torch float64)" in page
    with pytest.raises(SystemExit) as ended:
        main(("validate", "run", "--again"))
    out, err = capsys.readouterr()
    assert ended.value.code in (0, 1), err
    assert "torch" in out


def test_simulate_shows_the_agreement_with_the_model(model, tmp_path, monkeypatch, capsys):
    code, out, err = run(model, tmp_path, monkeypatch, capsys, "simulate", "model.pt", "--on", "torch")
    assert code == 0, err
    assert "holds no labels" in err
    assert "agreement with the model 100.00%" in out


@pytest.mark.parametrize(
    "arguments", [("check", "--target", "loihi2"), ("check", "--target", "loihi2", "--adapt"), ("compare",)]
)
def test_verbs_that_need_no_labels_run_without(model, tmp_path, monkeypatch, capsys, arguments):
    code, out, err = run(model, tmp_path, monkeypatch, capsys, *arguments, "model.pt")
    assert code in (0, 1), err
    assert "Traceback" not in err
    assert out
