import ast
import builtins
import json
import keyword
import subprocess
import sys
import venv

import nir
import numpy as np
import pytest
import torch
from exporter_networks import chain, judged, neuron
from random_networks import random_models
from test_onnx import conv_model
from test_registry import small_model

from spear_deploy.backends.lava.job import floating_job
from spear_deploy.cli import main
from spear_deploy.data import encode, load_data
from spear_deploy.errors import ExportError, NotRunnableError
from spear_deploy.exporters.lava import LavaExporter
from spear_deploy.exporting import assert_faithful, sample_inputs
from spear_deploy.network import Encoding, Reset, load_model_file

DIGITS = "examples/digits.pt"
LAVA_FOR_311 = ["--no-deps", "--ignore-requires-python", "lava-nc==0.10.0"]
IMPORTED_BY_LAVA = ["numpy==2.4.6", "scipy==1.17.1", "networkx==3.6.1", "asteval==1.0.10", "scikit-learn==1.9.1"]


def recurrent_model(**use):
    rng = np.random.default_rng(1)
    return chain(
        (6,),
        ("dense", nir.Affine(rng.normal(0, 0.6, (8, 6)), rng.normal(0.1, 0.2, 8))),
        ("hidden", neuron((8,), rng, alpha=True)),
        ("dense2", nir.Linear(rng.normal(0, 0.5, (3, 8)))),
        ("out", neuron((3,), rng)),
        extra={"back": nir.Affine(rng.normal(0, 0.5, (8, 8)), rng.normal(0, 0.1, 8))},
        extra_edges=[("hidden", "back"), ("back", "hidden")],
        **use,
    )


@pytest.mark.lava
class TestInLava:
    def test_the_shipped_network_gives_every_spike_on_real_digits(self):
        model = load_model_file(DIGITS)
        inputs = encode(load_data("digits").test.first(20), model.encoding, model.time_steps).as_float64()
        comparison = assert_faithful(LavaExporter(), model, inputs)
        assert comparison.samples == 20
        assert comparison.spikes > 10_000

    def test_in_fixed_point_it_gives_every_spike_of_our_integers(self):
        model = load_model_file(DIGITS)
        inputs = encode(load_data("digits").test.first(5), model.encoding, model.time_steps).as_float64()
        assert assert_faithful(LavaExporter(fixed=True, integers=judged(model)), model, inputs).spikes > 1000

    @pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.SPIKES])
    def test_resets_currents_and_pools_that_lava_lacks_stand_in_the_script(self, encoding):
        assert assert_faithful(LavaExporter(), conv_model(encoding=encoding)).spikes > 100

    def test_a_loop_starts_each_sample_from_silence(self):
        assert assert_faithful(LavaExporter(), recurrent_model()).spikes > 20

    def test_lava_leaves_nothing_beside_the_files_of_a_script_with_processes_of_its_own(self, tmp_path):
        model, path = recurrent_model(), tmp_path / "net_lava.py"
        exporter = LavaExporter()
        exporter.write(model, path)
        exporter.run(path, sample_inputs(model)[:, :1])
        assert {file.name for file in tmp_path.iterdir()} == {"net_lava.py", "net_lava.npz"}

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(5))
    def test_fifty_random_networks_give_every_spike(self, seed):
        """Ten side by side, so that Lava compiles them at once."""
        model = random_models(seed, 10)
        comparison = assert_faithful(LavaExporter(), model, sample_inputs(model)[:, 2:3])
        assert comparison.spikes > 300

    def test_a_script_that_fails_is_reported_with_its_last_words(self, tmp_path):
        path = tmp_path / "net_lava.py"
        LavaExporter().write(small_model(), path)
        path.write_text(
            path.read_text().replace("def build(inputs):", "def build(inputs):\n    raise RuntimeError('no')")
        )
        with pytest.raises(ExportError, match=r"(?s)net_lava.py: the script failed in Lava.*RuntimeError: no"):
            LavaExporter().run(path, sample_inputs(small_model()))

    def test_a_layer_that_does_not_spike_is_not_printed_as_if_it_did(self, tmp_path):
        rng = np.random.default_rng(0)
        dense = ("dense", nir.Affine(rng.normal(0, 1, (6, 4)), rng.normal(0, 0.1, 6)))
        rest = (("dense2", nir.Linear(rng.normal(0, 1, (3, 6)))), ("out", neuron((3,), rng, spikes=False)))
        model = chain((4,), dense, ("hidden", neuron((6,), rng)), *rest)
        LavaExporter().write(model, tmp_path / "net_lava.py")
        printed = subprocess.run([sys.executable, "net_lava.py"], capture_output=True, text=True, cwd=tmp_path).stdout
        fired = int(LavaExporter().expected(model, sample_inputs(model))["hidden"].sum())
        assert printed.splitlines() == [f"hidden: {fired} spikes in 4 samples", "out: membranes in 4 samples"]

    @pytest.mark.parametrize(
        ("encoding", "inputs", "said"),
        [
            (Encoding.SPIKES, np.zeros((5, 6, 4)), "INPUTS.npy holds spikes [6, samples, 4], found [5, 6, 4]"),
            (Encoding.SPIKES, np.full((6, 5, 4), 0.5), "INPUTS.npy holds spikes, which are 0 and 1"),
            (Encoding.DIRECT, np.zeros((6, 5, 4)), "INPUTS.npy holds static samples [samples, 4], found [6, 5, 4]"),
        ],
    )
    def test_inputs_that_it_would_run_as_something_else_are_refused(self, tmp_path, encoding, inputs, said):
        LavaExporter().write(small_model(encoding=encoding), tmp_path / "net_lava.py")
        np.save(tmp_path / "inputs.npy", inputs)
        ran = subprocess.run(
            [sys.executable, "net_lava.py", "inputs.npy"], capture_output=True, text=True, cwd=tmp_path
        )
        assert ran.returncode == 2
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_the_script_needs_lava_alone(self, tmp_path):
        """In a new environment with lava-nc and what it imports, and nothing of ours, not even torch."""
        venv.create(tmp_path / "lava")
        python = tmp_path / "lava" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", "--no-compile", *IMPORTED_BY_LAVA], check=True, capture_output=True)
        subprocess.run([*pip, "install", "-q", "--no-compile", *LAVA_FOR_311], check=True, capture_output=True)
        held = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, check=True)
        assert not {"torch", "nir", "snntorch", "spear-deploy"} & {each["name"] for each in json.loads(held.stdout)}
        model, path = load_model_file(DIGITS), tmp_path / "digits_lava.py"
        exporter = LavaExporter()
        exporter.write(model, path)
        ran = subprocess.run([str(python), str(path)], capture_output=True, text=True, cwd=tmp_path, timeout=120)
        expected = exporter.expected(model, sample_inputs(model))
        assert ran.stdout.splitlines() == [
            f"{name}: {int(torch.count_nonzero(values))} spikes in 4 samples" for name, values in expected.items()
        ], ran.stderr


def text(model, tmp_path):
    LavaExporter().write(model, tmp_path / "net_lava.py")
    return (tmp_path / "net_lava.py").read_text()


def test_the_script_imports_lava_numpy_scipy_and_the_standard_library_only(tmp_path):
    tree = ast.parse(text(conv_model(), tmp_path))
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    outside = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names)
    assert outside == {"lava", "numpy", "scipy"}


def test_a_network_of_lavas_own_neurons_needs_no_process_of_ours(tmp_path):
    script = text(small_model(), tmp_path)
    assert "\nclass " not in script
    assert script.count("LIFReset(") == 2


NASTY = "a'; import os; os.remove('x')  # \"\"\""


def test_names_of_layers_cannot_become_code(tmp_path):
    """A NIR file may call its nodes anything that can be printed."""
    rng = np.random.default_rng(0)
    model = chain((4,), ("dense", nir.Linear(rng.normal(0, 1, (3, 4)))), (NASTY, neuron((3,), rng)), time_steps=2)
    script = text(model, tmp_path)
    tree = ast.parse(script)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "remove"]
    assert {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} >= {NASTY}


def test_layers_whose_names_are_alike_keep_apart(tmp_path):
    rng = np.random.default_rng(0)
    names = ["a_b_2", "a_b", "a.b", "STEPS", "DTYPE", "TAG", "print", "class", "Neurons", "given", "__name__", "2", "ü"]
    layers = []
    for index, name in enumerate(names):
        layers += [(f"dense{index}", nir.Linear(rng.normal(0, 1, (4, 4)))), (name, neuron((4,), rng))]
    tree = ast.parse(text(chain((4,), *layers), tmp_path))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    assigned = [node.targets[0].id for node in build.body if isinstance(node, ast.Assign)]
    assert len(assigned) == len(set(assigned)) == len(names)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    elsewhere = {node.id for part in tree.body if part is not build for node in ast.walk(part) if hasattr(node, "id")}
    assert set(assigned) <= used
    assert not set(assigned) & (elsewhere | set(dir(builtins)) | set(keyword.kwlist))


def test_weights_whose_names_are_alike_keep_apart(tmp_path):
    """Two connections from one layer to another beside a layer that is called as the second would be."""
    rng = np.random.default_rng(0)
    names = ("a", "b", "b_2", "a->b.axon")
    layers = []
    for index, name in enumerate(names):
        layers += [(f"dense{index}", nir.Linear(rng.normal(0, 1, (4, 4)))), (name, neuron((4,), rng))]
    extra = {f"by{number}": nir.Linear(rng.normal(0, 1, (4, 4))) for number in range(3)}
    edges = [("a", "by0"), ("by0", "b"), ("a", "by1"), ("by1", "b_2"), ("a", "by2"), ("by2", "b")]
    model = chain((4,), *layers, extra=extra, extra_edges=edges)
    tree = ast.parse(text(model, tmp_path))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "connect"
    ]
    asked = [node.args[1].value for node in calls if isinstance(node.args[1], ast.Constant)]
    job = floating_job(model.network, analog_input=model.encoding.analog)
    assert len(asked) == len(set(asked)) == sum(len(layer.synapses) + (layer.axon is not None) for layer in job.layers)
    with np.load(next(tmp_path.glob("*.npz"))) as arrays:
        assert {name.removesuffix(".indptr") for name in arrays.files if name.endswith(".indptr")} == set(asked)


def two_layer_loop():
    rng = np.random.default_rng(0)
    nodes = {name: nir.Linear(rng.normal(0, 1, (4, 4))) for name in ("there", "back")}
    return chain(
        (4,),
        ("dense", nir.Linear(rng.normal(0, 1, (4, 4)))),
        ("one", neuron((4,), rng)),
        ("there", nodes["there"]),
        ("two", neuron((4,), rng)),
        extra={"back": nodes["back"]},
        extra_edges=[("two", "back"), ("back", "one")],
    )


def reset_model(**options):
    rng = np.random.default_rng(0)
    return chain((4,), ("dense", nir.Linear(rng.normal(0, 1, (3, 4)))), ("out", neuron((3,), rng, **options)))


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        (two_layer_loop(), {}, "one -> two -> one: in Lava a loop through 2 layers takes 2 time steps"),
        (reset_model(reset=Reset.NONE), {}, "out: Lava's LIF resets the membrane after a spike, this layer never does"),
        (reset_model(reset_value=np.full(3, 0.25)), {}, "out: .* this layer resets it to 0.25"),
        (reset_model(reset=Reset.SUBTRACT), {"fixed": True}, "out: in fixed point the script has Lava's own LIF only"),
        (recurrent_model(), {"fixed": True}, "delays or loops is exported in floating point only"),
    ],
)
def test_what_lava_cannot_run_is_refused_with_the_reason(model, options, reason):
    integers = judged(model) if options else None
    with pytest.raises(ExportError, match=reason):
        assert_faithful(LavaExporter(**options, integers=integers), model)


@pytest.fixture
def python_without_lava(tmp_path):
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c \'import json; print(json.dumps({{"missing": "no lava"}}))\'\n'
    )
    path.chmod(0o755)
    return path


def test_without_lava_a_script_is_written_and_recorded_as_not_verified(tmp_path, monkeypatch, python_without_lava):
    with pytest.raises(NotRunnableError, match="Lava is not installed"):
        assert_faithful(LavaExporter(python=python_without_lava), small_model())
    monkeypatch.setattr(sys, "executable", str(python_without_lava))
    with pytest.raises(SystemExit) as ended:
        main(["export", DIGITS, "--to", "lava", "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    entry = json.loads((tmp_path / "out" / "export.json").read_text())["exports"][0]
    assert sorted(entry["files"]) == ["digits_lava.npz", "digits_lava.py"]
    assert entry["verification"]["done"] is False
    assert "Lava is not installed" in entry["verification"]["why_not"]
