import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from made_task import arrays, write_task

import spear_deploy
from spear_deploy.cli import main
from spear_deploy.data import Dataset
from spear_deploy.errors import RunError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployConfig, DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.reproduce import reproduce
from spear_deploy.network import load_any, save_model_file
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=32, learning_rate=5e-3)
FEW = {
    "budgets": ("30%",),
    "seed": 5,
    "lre_samples": 8,
    "evaluations": 6,
    "finalists": 1,
    "plan": TuningPlan(RECIPE, replace(RECIPE, epochs=2)),
    "lava": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder, beside the model and the data that it was made of."""
    folder = tmp_path_factory.mktemp("made")
    model = write_task(folder)
    deploy(DeployRequest(model=model, targets=(load_profile("loihi2"),), out=folder / "run", **FEW), Silent())
    return folder / "run"


@pytest.fixture
def copied(run, tmp_path):
    """The same elsewhere, with a report that still names the first place."""
    shutil.copytree(run.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def repeated(run):
    return reproduce(run)


def test_a_run_is_repeated_to_the_same_weights_and_figures(repeated):
    assert repeated.same
    assert repeated.weights == {"pruned.pt": True, "pruned.nir": True, "plain.pt": True}
    assert repeated.figures > 500
    assert repeated.versions == repeated.differing == ()


def test_a_figure_that_was_changed_is_found(copied):
    path = copied / "report.json"
    report = json.loads(path.read_text())
    report["pruned"]["accuracy"] += 0.01
    report["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(report))
    found = reproduce(copied)
    assert [each.key for each in found.differing] == ["pruned.accuracy"]
    assert [(each.key, each.then) for each in found.versions] == [("torch", "1.0")]
    assert not found.same


def test_a_file_that_the_run_does_not_have_is_told_before_the_work_and_not_compared(copied):
    (copied / "pruned.nir").unlink()
    told = []

    class Told(Silent):
        def stage(self, name, total):
            told.append(name)
            return super().stage(name, total)

        def notice(self, text):
            told.append(text)

    found = reproduce(copied, Told())
    assert told[0] == f"missing in {copied}, and not compared: pruned.nir"
    assert found.missing == ("pruned.nir",)
    assert found.weights == {"pruned.pt": True, "plain.pt": True}
    assert found.same


def test_what_an_earlier_version_did_not_report_is_not_compared(copied, repeated):
    path = copied / "report.json"
    report = json.loads(path.read_text())
    for limit in report["budget"]["limits"]:
        del limit["prediction"]
    del report["spikes"]
    del report["measured"]["chip"]["distribution"]
    path.write_text(json.dumps(report))
    found = reproduce(copied)
    assert found.same, found.differing
    assert found.figures < repeated.figures
    report["budget"]["limits"].pop()
    path.write_text(json.dumps(report))
    assert not reproduce(copied).same, "what it lists, it has to list whole"


def test_another_model_or_other_data_are_refused(copied):
    model = copied.parent / "model.pt"
    model.write_bytes(model.read_bytes() + b" ")
    with pytest.raises(RunError, match=r"model.pt: is not the model of .*SHA-256 differs"):
        reproduce(copied, model=model)
    other = copied.parent / "other.npz"
    np.savez(other, **arrays(seed=1))
    with pytest.raises(RunError, match=r"other.npz: is not the data of .*SHA-256 differs"):
        reproduce(copied, data=str(other))
    with pytest.raises(RunError, match=r"nowhere.pt: the model of .* is not there"):
        reproduce(copied, model=copied / "nowhere.pt")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"request": None}, "does not record what was asked for"),
        ({"request": {"budgets": 3}}, "cannot be read"),
        ({"interrupted": "search"}, "cut it short in search"),
    ],
)
def test_what_cannot_be_repeated_is_refused(copied, changes, why):
    path = copied / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(RunError, match=why):
        reproduce(copied)


def test_a_run_from_python_is_repeated_from_python(run, tmp_path):
    model, data = load_any(run.parent / "model.pt"), Dataset.of_arrays(**arrays())
    spear_deploy.deploy(model, "loihi2", data, DeployConfig(**FEW)).save(tmp_path / "run")
    with pytest.raises(
        RunError, match=r"lay in no file; give one that holds that network now \(`model`\) and its data"
    ):
        spear_deploy.reproduce(tmp_path / "run")
    assert spear_deploy.reproduce(tmp_path / "run", model, data).same


def test_a_run_from_python_is_repeated_from_files_that_hold_its_network_and_data(run, tmp_path):
    path, samples = run.parent / "model.pt", run.parent / "samples.npz"
    data = Dataset.of_arrays(**arrays())
    spear_deploy.deploy(load_any(path), "loihi2", data, DeployConfig(**FEW)).save(tmp_path / "run")
    assert reproduce(tmp_path / "run", model=path, data=str(samples)).same
    other = replace(load_any(path), time_steps=3)
    save_model_file(other, tmp_path / "other.pt")
    with pytest.raises(RunError, match=r"the network that was given is not that of .*SHA-256 differs"):
        reproduce(tmp_path / "run", model=tmp_path / "other.pt", data=str(samples))


FACTORY = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
def factory(): ...
"""


def asked_of(copied, **changes):
    """The run with another record of what was asked for."""
    path = copied / "report.json"
    report = json.loads(path.read_text())
    report["request"] = {**report["request"], **changes}
    path.write_text(json.dumps(report))


def test_no_code_that_a_report_names_is_imported(copied, monkeypatch, capsys):
    (copied / "theirs.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(copied)
    reading = json.loads((copied / "report.json").read_text())["request"]["reading"]
    asked_of(copied, reading=reading | {"arch": "theirs:factory"})
    with pytest.raises(RunError, match="its report names code for the network, 'theirs:factory'"):
        reproduce(copied)
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(copied)])
    assert ended.value.code == 2
    assert "give --arch where you trust it" in " ".join(capsys.readouterr().err.split())
    assert not (copied / "ran").exists()


def test_no_interpreter_that_a_report_names_is_started(copied):
    script = copied / "python"
    script.write_text(f"#!/bin/sh\ntouch {copied / 'ran'}\n")
    script.chmod(0o755)
    asked_of(copied, lava=True, lava_python=str(script))
    with pytest.raises(RunError, match="its report names an interpreter for Lava, "):
        reproduce(copied)
    assert not (copied / "ran").exists()


def test_no_cluster_that_a_report_names_is_joined(copied, monkeypatch):
    monkeypatch.setattr("spear_deploy.jobs.deploy.deploy.joined", lambda address: pytest.fail(f"joins {address}"))
    asked_of(copied, ray="198.51.100.1:6379", lava_python=str(copied / "python"))  # without Lava nobody needs one
    assert reproduce(copied).same
