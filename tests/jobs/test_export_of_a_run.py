"""`export` of a run folder: the integers that the verdict is about, without saying again what they follow from."""

import html
import json
import zipfile
from importlib.metadata import EntryPoint

import nir
import numpy as np
import pytest
import torch
from made_networks import Chain
from made_task import CLASSES, SHAPE, STEPS, arrays, chip, untrained, write_task
from small_runs import run

import spear_deploy as sd
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.errors import BackendError, ModelError, RunError
from spear_deploy.exporters.lava import LavaExporter
from spear_deploy.exporting.run_files import export_run
from spear_deploy.jobs.export.bundle import run_bundle
from spear_deploy.jobs.export.export import run_export
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.network import Reset, save_model_file
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe


class Heard(Silent):
    def __init__(self):
        self.notices = []

    def notice(self, text):
        self.notices.append(text)


def integers(folder, file_format):
    entries = json.loads((folder / "export.json").read_text())["exports"]
    return next(entry["integers"] for entry in entries if entry["format"] == file_format)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run with bits, seed and file format that are nobody's default."""
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", **arrays())
    recipe = Recipe(epochs=1, batch=16, learning_rate=5e-3)
    config = sd.DeployConfig(
        budgets=("60%",), seed=3, weight_bits=WeightBits(6), file_format="netx", lre_samples=8, evaluations=4,
        finalists=1, plan=TuningPlan(recipe, recipe), lava=False,
    )  # fmt: skip
    sd.deploy(untrained(), "loihi2", sd.load_data("samples.npz"), config).save("run")
    return tmp_path / "run"


def test_a_run_is_exported_in_its_own_integers_and_its_data_may_be_gone(folder, tmp_path):
    heard = Heard()
    run_export(ExportRequest(folder, ("nir",), tmp_path / "out", options={"fixed": True}), heard)
    found, judged = integers(tmp_path / "out", "nir"), integers(folder, "netx")
    assert found == judged
    assert "6-bit" in found["arithmetic"]
    assert heard.notices[0] == f"{folder}: as its report.json says, for loihi2"
    (tmp_path / "samples.npz").unlink()
    run_export(ExportRequest(folder, ("nir",), tmp_path / "later"), heard)
    assert any("proven on made-up samples" in notice and "no such data file" in notice for notice in heard.notices)


def test_what_is_asked_for_precedes_what_the_run_had_and_other_data_are_told(folder, tmp_path):
    changed = arrays()
    changed["x_train"] = changed["x_train"][::-1].copy()
    changed["y_train"] = changed["y_train"][::-1].copy()
    np.savez("other.npz", **changed)
    heard = Heard()
    asked = ExportRequest(
        folder, ("nir",), tmp_path / "out", data="other.npz", weight_bits=WeightBits(5), options={"fixed": True}
    )
    run_export(asked, heard)
    assert "5-bit" in integers(tmp_path / "out", "nir")["arithmetic"]
    assert any(notice.startswith("other.npz: other data than those of the run") for notice in heard.notices)


def test_for_another_chip_a_run_s_bits_and_file_format_are_that_chip_s_own(folder, tmp_path):
    heard = Heard()
    mine = chip(tmp_path, "mine")
    run_export(ExportRequest(folder, ("nir",), tmp_path / "out", target=mine, options={"fixed": True}), heard)
    assert "8-bit" in integers(tmp_path / "out", "nir")["arithmetic"]
    assert any(notice.endswith("made for loihi2, written for mine") for notice in heard.notices)


def test_a_run_on_an_own_chip_is_exported_for_it_though_its_file_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", **arrays())
    five = '{ value = 5, unit = "bit", status = "estimated", source = "ours" }'
    (tmp_path / "ours.toml").write_text(f'inherits = "loihi2"\nname = "ours"\n[synapses]\nweight_bits = {five}\n')
    recipe = Recipe(epochs=1, batch=16, learning_rate=5e-3)
    few = {"lre_samples": 8, "evaluations": 4, "finalists": 1, "plan": TuningPlan(recipe, recipe), "lava": False}
    result = sd.deploy(untrained(), "ours.toml", sd.load_data("samples.npz"), sd.DeployConfig(budgets=("60%",), **few))
    result.save("run")
    (tmp_path / "ours.toml").unlink()
    run_export(ExportRequest(tmp_path / "run", ("nir",), tmp_path / "out", options={"fixed": True}), Silent())
    assert integers(tmp_path / "out", "nir") == integers(tmp_path / "run", "lava")
    run_bundle(ExportRequest(tmp_path / "run", ("bundle",), tmp_path / "zip", verify=False), Silent())
    with zipfile.ZipFile(tmp_path / "zip" / "pruned.bundle.zip") as held:
        held.extract("ours.toml", tmp_path / "held")
    assert sd.load_profile(tmp_path / "held" / "ours.toml").synapses.weight_bits.value == 5


def test_a_folder_without_report_or_network_is_named(tmp_path):
    (tmp_path / "run").mkdir()
    save_model_file(untrained(), tmp_path / "run" / "pruned.pt")
    with pytest.raises(RunError, match=r"no run folder with a sound report\.json"):
        run_export(ExportRequest(tmp_path / "run", ("nir",), tmp_path / "out"), Silent())


def test_a_run_where_onnx_is_not_installed_writes_all_else_and_says_so(tmp_path, monkeypatch):
    load = EntryPoint.load

    def without_onnx(entry):
        if entry.name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return load(entry)

    monkeypatch.setattr(EntryPoint, "load", without_onnx)
    (report,) = run(write_task(tmp_path), tmp_path / "run", evaluations=4)
    told = [notice for notice in report.told if "onnx" in notice]
    assert told == [
        "not written as onnx: onnx: onnx is not installed; install it with: pip install 'spear-deploy[onnx]'"
    ]
    written = {file.name for file in (tmp_path / "run").iterdir()}
    assert {"pruned.pt", "pruned.nir", "pruned_lava.py", "report.html"} <= written
    assert "pruned.onnx" not in written


@pytest.mark.parametrize("fault", [BackendError, ModelError])
def test_whatever_an_exporter_cannot_do_costs_a_run_nothing_but_a_notice(tmp_path, monkeypatch, fault):
    def fails(*given):
        raise fault("conv1: no such operation")

    monkeypatch.setattr(LavaExporter, "write", fails)
    model, told = untrained(), []
    save_model_file(model, tmp_path / "pruned.pt")
    given = {"inputs_name": "none", "profile": "generic-45nm", "integers": None, "run_tools": False}
    export_run(model, tmp_path / "pruned.pt", torch.zeros(STEPS, 1, *SHAPE), "lava", told.append, **given)
    assert told == ["not written as lava: conv1: no such operation"]
    assert [file.name for file in tmp_path.iterdir()] == ["pruned.pt"]


def test_what_files_cannot_hold_and_what_other_readers_have_to_know_is_told_where_they_are_written(tmp_path):
    """Lava's own LIF resets to zero; these subtract their threshold. A kernel of 2 x 3 fails nir's type check."""
    chain = Chain(SHAPE, seed=2).conv("conv1", 6, kernel=(2, 3)).neurons("lif1", reset=Reset.SUBTRACT)
    chain = chain.flatten().linear("fc", CLASSES).neurons("lif2", reset=Reset.SUBTRACT)
    (report,) = run(write_task(tmp_path, chain.model(STEPS, data="samples.npz")), tmp_path / "run", evaluations=4)
    (told,) = [notice for notice in report.told if "in floating point" in notice]
    assert told.startswith("lava: written in floating point: lif1, lif2: in fixed point the script has Lava's own LIF")
    opened, differently = [notice for notice in report.told if "nir: other readers: " in notice]
    assert opened.startswith("nir: other readers: they need nir.read(file, type_check=False): nir's type check ends in")
    assert differently.split(": ")[2] == "lif1, lif2"
    with pytest.raises(ValueError, match="type mismatch"):
        nir.read(tmp_path / "run" / "pruned.nir")
    assert opened in html.unescape((tmp_path / "run" / "report.html").read_text())
