"""A network that tells values goes the whole way: its score is scikit-learn's R2, its words are its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_regression import STEPS, TUNED, arrays, trained
from made_task import write_task
from sklearn.metrics import r2_score

import spear_deploy as sd
from spear_deploy.cli import main
from spear_deploy.errors import DataError
from spear_deploy.jobs.task import load_task

QUICK = (
    *("--lre-samples", "8", "--evaluations", "6", "--finalists", "1", "--plain-epochs", "4", "--epochs", "12"),
    *("--workers", "1", "--budget", "60%"),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """`model.pt` beside its samples: the sine and the square of a value that is coded in rates."""
    folder = tmp_path_factory.mktemp("regression")
    content = arrays()
    np.savez(folder / "samples.npz", **content)
    use = {"input_shape": (TUNED,), "time_steps": STEPS, "encoding": "rate", "data": "samples.npz"}
    sd.save_model(trained(content), folder / "model.pt", **use, objective="regression")
    return folder / "model.pt"


@pytest.fixture(scope="module")
def deployed(model, tmp_path_factory):
    """The run folder of the main job, from the shell."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.raises(SystemExit) as ended:
        main((*QUICK, "--out", str(out), str(model)))
    return out, ended.value.code


def told(path, task):
    """The values that a network adds up over time, in torch."""
    net = sd.to_torch(sd.load_model(path), dtype=torch.float64)
    with torch.no_grad():
        return net(task.test.as_float64()).sum(0).numpy()


@pytest.mark.lava
def test_the_whole_job_keeps_what_is_told_and_lava_repeats_it(deployed):
    out, code = deployed
    report = json.loads((out / "report.json").read_text())
    assert code == 0, report["verdict"]["reason"]
    assert report["objective"] == f"regression:scale={STEPS}"
    for pair in ("torch_lava", "chip_lava-fixed"):
        assert report["agreement"][pair]["equal"]
    assert report["measured"]["lava-fixed"]["accuracy"] == report["measured"]["chip"]["accuracy"]
    assert report["pruned"]["accuracy"] > 0.8


def test_the_score_is_what_scikit_learn_makes_of_the_values(model, deployed):
    out, _ = deployed
    report, task = json.loads((out / "report.json").read_text()), load_task(model)
    wanted = task.test.labels.numpy()
    for name, path in (("dense", model), ("pruned", out / "pruned.pt")):
        assert report[name]["accuracy"] == pytest.approx(r2_score(wanted, told(path, task)), abs=1e-9)
    answers = report["answers"]
    assert answers["drop_points"] == pytest.approx(100 * (answers["reference_accuracy"] - answers["accuracy"]))
    assert answers["drop_low"] < answers["drop_points"] < answers["drop_high"]


def test_the_page_speaks_of_r2_and_not_of_accuracy(deployed):
    page = (deployed[0] / "report.html").read_text()
    assert "R2 (test, torch float64)" in page
    assert "accuracy" not in page.partition("<script")[0]


def test_the_chip_tells_values_in_the_units_of_the_labels(model, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(("simulate", str(model), "--on", "chip", "--save", str(tmp_path / "spikes.npz")))
    found, text = np.load(tmp_path / "spikes.npz"), capsys.readouterr().out
    assert found["chip/predictions"].shape == found["labels"].shape == (120, 2)
    score = r2_score(found["labels"], found["chip/predictions"])
    assert f"R2 {score:.4f}" in text
    assert score > 0.8


def test_what_it_may_lose_is_said_in_its_own_words(model, tmp_path):
    """An R2 that no network keeps: of a limit that is broken the verdict names R2, in hundredths."""
    config = sd.DeployConfig(
        budgets=("60%", "min-accuracy=99.9%"), lre_samples=8, evaluations=4, finalists=1, lava=False
    )
    result = sd.deploy(sd.load_model(model), "loihi2", sd.load_data(model.parent / "samples.npz"), config)
    assert not result.report.verdict.ok
    assert "R2: " in result.report.verdict.reason
    assert "accuracy: " not in result.report.verdict.reason
    assert result.model.objective == f"regression:scale={STEPS}"


def test_without_labels_the_networks_own_values_serve(model, tmp_path, capsys):
    content = arrays()
    np.savez(tmp_path / "bare.npz", x_train=content["x_train"], x_test=content["x_test"])
    with pytest.raises(SystemExit) as ended:
        main(("simulate", str(model), "--data", str(tmp_path / "bare.npz"), "--on", "torch"))
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    assert "the network's own values serve, and R2 means agreement with it" in err.replace("\n", " ")
    assert "R2 to the model's own values 1.0000" in out


def test_a_file_that_says_nothing_is_told_its_objective(model, tmp_path, capsys):
    """The same network as a file of classes is a regression by `objective`, and else refused in a line."""
    whole = sd.load_model(model)
    sd.save_model(sd.load_model(model, objective="classification"), tmp_path / "classes.pt")
    data = sd.load_data(model.parent / "samples.npz")
    with pytest.raises(DataError, match="tells classes, which are integers, and labels of train are floats"):
        sd.check(sd.load_model(tmp_path / "classes.pt"), "loihi2", data)
    assert sd.load_model(tmp_path / "classes.pt", objective=str(whole.objective)).objective == whole.objective
    assert sd.load_model(model, objective="regression").objective == whole.objective  # the file's scale stays
    arguments = ("simulate", "--on", "torch", "--data", str(model.parent / "samples.npz"))
    with pytest.raises(SystemExit) as ended:
        main((*arguments, str(tmp_path / "classes.pt"), "--objective", f"regression:scale={STEPS}"))
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    assert "R2 0." in out


@pytest.mark.parametrize("split", ["train", "test"])
def test_values_that_are_all_the_same_are_refused_before_the_work(model, tmp_path, split, capsys):
    content = arrays()
    content[f"y_{split}"][:, 1] = 7
    np.savez(tmp_path / "same.npz", **content)
    with pytest.raises(SystemExit) as ended:
        main((*QUICK, "--out", str(tmp_path / "run"), "--data", str(tmp_path / "same.npz"), str(model)))
    assert ended.value.code == 2
    err = capsys.readouterr().err.replace("\n", " ")
    assert "labels of output 1 are 7 for all" in err


def test_a_network_of_classes_still_refuses_values(tmp_path):
    path = write_task(tmp_path)
    content = dict(np.load(tmp_path / "samples.npz"))
    content |= {key: content[key] + 0.25 for key in ("y_train", "y_test")}
    np.savez(tmp_path / "samples.npz", **content)
    with pytest.raises(DataError, match="say `objective='regression'`"):
        load_task(path)
    assert Path(path).is_file()
