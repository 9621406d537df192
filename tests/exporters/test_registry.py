import importlib
import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import nir
import numpy as np
import pytest
import torch
from exporter_networks import chain, neuron
from typer.testing import CliRunner

from spear_deploy.cli import app
from spear_deploy.errors import ExportError
from spear_deploy.exporting import (
    Exporter,
    assert_faithful,
    available,
    check_options,
    exporter,
    family,
    options,
    simulate,
)
from spear_deploy.network import load_model_file, save_model_file

THIRD_PARTY = '''
"""An exporter that another project could offer."""

import torch

from spear_deploy.exporting import Exporter, simulate
from spear_deploy.network import load_model_file, save_model_file


class TorchExporter(Exporter):
    """Our own model file under another name."""

    name = "other"
    suffix = ".other"
    says = "a format of another project"
    options = {"shade": "how dark it is"}

    def __init__(self, *, shade: int = 3):
        self.shade = shade

    def write(self, model, path):
        save_model_file(model, path)

    def run(self, path, inputs):
        return simulate(load_model_file(path), inputs, torch.float64)
'''


def small_model(reset="zero", **use):
    rng = np.random.default_rng(0)
    return chain(
        (4,),
        ("dense", nir.Affine(rng.normal(0, 1, (6, 4)), rng.normal(0, 0.1, 6))),
        ("hidden", neuron((6,), rng)),
        ("dense2", nir.Linear(rng.normal(0, 1, (3, 6)))),
        ("out", neuron((3,), rng)),
        **use,
    )


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """A package of a third party, installed as pip leaves it: a module and its dist-info."""
    site = tmp_path / "site"
    (site / "other_format-1.0.dist-info").mkdir(parents=True)
    (site / "other_format.py").write_text(THIRD_PARTY)
    (site / "other_format-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: other-format\nVersion: 1.0\n"
    )
    (site / "other_format-1.0.dist-info" / "entry_points.txt").write_text(
        "[spear_deploy.exporters]\nother = other_format:TorchExporter\n"
    )
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield site
    sys.modules.pop("other_format", None)


@pytest.mark.usefixtures("other_package")
class TestAThirdPartysExporter:
    def test_is_found_and_passes_our_one_call(self):
        comparison = assert_faithful(exporter("other"), small_model())
        assert list(comparison.layers) == ["hidden", "out"]
        assert comparison.spikes > 0

    def test_is_listed_with_the_package_that_offers_it(self):
        listed = CliRunner().invoke(app, ["export", "--list"]).output
        assert "a format of another project [other-format]" in listed
        assert "nir" in listed
        assert "bundle   .bundle.zip" in listed

    def test_is_written_by_its_name(self, tmp_path):
        save_model_file(small_model(), tmp_path / "net.pt")
        result = CliRunner().invoke(app, ["export", str(tmp_path / "net.pt"), "--to", "other", "--out", str(tmp_path)])
        assert "equal to the network in 2 layers" in result.output
        assert load_model_file(tmp_path / "net.other").time_steps == 6

    def test_declares_an_option_that_the_command_line_then_has(self, other_package):
        assert next(option for option in options() if option.name == "shade").says == {"other": "how dark it is"}
        assert exporter("other", {"shade": 5, "opset": 18}).shade == 5
        ran = subprocess.run(
            [sys.executable, "-m", "spear_deploy", "export", "--help"],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(other_package)},
        )  # fmt: skip
        helped = ran.stdout
        assert "--shade" in helped
        assert "--opset" in helped


def test_what_was_set_and_would_change_nothing_is_refused():
    check_options({"form": "scan", "fixed": False}, ["onnx", "nir"])
    with pytest.raises(ExportError, match="`form` is an option of onnx, not of nir, lava"):
        check_options({"form": "scan"}, ["nir", "lava"])
    with pytest.raises(
        ExportError, match="no exporter has an option 'shape'; known: fixed, form, int8, opset, portable"
    ):
        check_options({"shape": "scan"}, ["onnx"])
    with pytest.raises(ExportError, match="`fixed` takes bool, found str 'no'"):
        check_options({"fixed": "no"}, ["nir"])


@pytest.mark.parametrize("name", ["nir", "onnx", "lava", "netx"])
def test_what_an_exporter_declares_is_what_its_class_takes(name):
    made = exporter(name)
    assert all(hasattr(made, key) for key in made.options)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import a_format_that_is_not_there", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("this is no python", "SyntaxError"),
        ("", "AttributeError"),
    ],
)
def test_an_exporter_that_cannot_be_imported_is_named_and_the_others_go_on(other_package, tmp_path, code, fault):
    (other_package / "other_format.py").write_text(code)
    with pytest.raises(ExportError, match=rf"^exporter 'other' of other-format cannot be imported \({fault}: "):
        exporter("other")
    listed = CliRunner().invoke(app, ["export", "--list"]).output
    assert f"not usable: exporter 'other' of other-format cannot be imported ({fault}" in listed
    assert family("lava") == ("lava", "netx")
    assert family("netx") == ("netx",)
    save_model_file(small_model(), tmp_path / "net.pt")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "net.pt"), "--to", "nir", "--out", str(tmp_path)])
    assert "equal to the network in 2 layers" in result.output


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ModuleNotFoundError("No module named 'onnx'", name="onnx"), "onnx is not installed; install it with: pip"),
        (ImportError("cannot import name 'x'", name="spear_deploy.network"), "cannot be imported .*cannot import name"),
        (ModuleNotFoundError("No module", name="spear_deploy.typo"), "cannot be imported .*No module"),
        (ModuleNotFoundError("No module", name="onnx.gone"), "cannot be imported .*No module"),
    ],
)
def test_only_what_is_not_there_is_told_to_be_missing(monkeypatch, fault, told):
    def load(entry):
        raise fault

    monkeypatch.setattr(EntryPoint, "load", load)
    with pytest.raises(ExportError, match=told):
        exporter("onnx")


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        (
            "def write(self, model, path):\n        raise OSError('no licence')",
            "failed (OSError: no licence, other_for",
        ),
        ("def write(self, model, path):\n        pass", "other: its exporter wrote no file net.other"),
        ("def run(self, path, inputs):\n        return None", "other: its exporter failed (AttributeError: "),
        ("def refuses(self, model):\n        return 'too large'", "other: too large"),
        ("def notes(self, model, inputs):\n        return {'model': model}", "other: its exporter failed (TypeError: "),
        ("arithmetic = 'float16'", "is one of float64, float32, integers, found 'float16'"),
        ("suffix = None", "`suffix` of other_format:TorchExporter is a text, found None"),
    ],
)
def test_an_exporter_that_fails_or_gives_rubbish_is_named_in_a_line(other_package, tmp_path, method, fault):
    code = f"{THIRD_PARTY}\n\nclass TorchExporter(TorchExporter):\n    {method}\n"
    (other_package / "other_format.py").write_text(code)
    save_model_file(small_model(), tmp_path / "net.pt")
    request = ["export", str(tmp_path / "net.pt"), "--to", "other", "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(app, request)
    assert isinstance(ended.exception, ExportError)
    assert fault in str(ended.exception)
    assert not (tmp_path / "out").exists()


def test_nobody_replaces_an_exporter_of_ours(other_package):
    entries = other_package / "other_format-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[spear_deploy.exporters]\nnir = other_format:TorchExporter\n")
    assert exporter("nir").suffix == ".nir"


class Wrong(Exporter):
    """Writes a model of which one weight is not the original's."""

    name = "wrong"
    suffix = ".pt"

    def write(self, model, path):
        save_model_file(model, path)

    def run(self, path, inputs):
        model = load_model_file(path)
        model.graph.nodes["dense"].weight[0] *= -1
        return simulate(model, inputs, torch.float64)


def test_an_unfaithful_exporter_is_told_which_layer_differs_first():
    with pytest.raises(ExportError, match=r"wrong: hidden: [\d,]+ outputs differ, first in time step \d of sample \d"):
        assert_faithful(Wrong(), small_model())


def test_a_file_that_lacks_a_layer_is_unfaithful():
    class Forgetful(Wrong):
        def run(self, path, inputs):
            outputs = simulate(load_model_file(path), inputs, torch.float64)
            return {"out": outputs["out"]}

    with pytest.raises(ExportError, match="layers hidden are not in both"):
        assert_faithful(Forgetful(), small_model())


def test_an_unknown_format_is_answered_with_the_known_ones():
    with pytest.raises(ExportError, match=r"no exporter called 'onyx'; known: .*nir"):
        exporter("onyx")


def test_ours_are_registered():
    assert set(available()) >= {"nir", "onnx", "lava", "netx"}


def test_the_core_imports_no_exporter():
    script = (
        "import sys, spear_deploy.jobs.deploy.deploy;"
        " print([m for m in sys.modules if m.startswith('spear_deploy.exporters')])"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_convolution_made_without_its_input_size_is_written_as_nir():
    """NIR's own type allows it; its file format does not."""
    rng = np.random.default_rng(0)
    conv = nir.Conv2d(None, rng.normal(0, 1, (3, 1, 3, 3)), (1, 1), (1, 1), (1, 1), 1, np.zeros(3))
    assert assert_faithful(exporter("nir"), chain((1, 4, 4), ("conv", conv), ("out", neuron((3, 4, 4), rng)))).spikes
