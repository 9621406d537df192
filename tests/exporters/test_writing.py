import hashlib
import json
import resource
import subprocess
import sys
from dataclasses import replace

import nir
import numpy as np
import pytest
from exporter_networks import chain, neuron
from test_registry import Wrong, small_model

from spear_deploy.cli import main
from spear_deploy.errors import ExportError, OutputError
from spear_deploy.exporting import Export, Exporter, assert_faithful, export_model, exporter, sample_inputs
from spear_deploy.network import Reset, save_model_file
from spear_deploy.network.editing import with_arrays, with_nodes


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "net.pt"
    save_model_file(small_model(), path)
    return path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, arguments)])
    return ended.value.code


def record(folder):
    return json.loads((folder / "export.json").read_text())["exports"]


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_the_record_holds_hashes_and_what_was_compared(model_file, tmp_path):
    assert run(model_file, "--to", "nir", "--out", tmp_path / "out") == 0
    (entry,) = record(tmp_path / "out")
    content = (tmp_path / "out" / "net.nir").read_bytes()
    assert entry["files"] == {"net.nir": hashlib.sha256(content).hexdigest()}
    assert entry["source"] == {"file": "net.pt", "sha256": hashlib.sha256(model_file.read_bytes()).hexdigest()}
    found = entry["verification"]
    assert (found["done"], found["equal"], found["ties"]) == (True, True, 0)
    assert set(found["layers"]) == {"hidden", "out"}
    assert found["spikes"] == sum(layer["spikes"] for layer in found["layers"].values()) > 0


def test_what_adapt_converted_is_told_as_that(model_file, tmp_path, capsys):
    assert run(model_file, "--to", "onnx", "--target", "loihi1", "--adapt", "--out", tmp_path / "out") == 0
    assert record(tmp_path / "out")[0]["verification"]["reference"] == "the network as converted for loihi1"
    assert "equal to the network as converted for loihi1 in 1 layers" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("verify", [True, False])
def test_what_other_readers_run_differently_is_told_a_few_lines_of_it_on_the_terminal(tmp_path, capsys, verify):
    rng = np.random.default_rng(0)
    resets = (Reset.SUBTRACT, Reset.ZERO_HOLD, Reset.NONE, Reset.SUBTRACT)
    layers = [
        each
        for index, reset in enumerate(resets)
        for each in (
            (f"dense{index}", nir.Linear(rng.normal(0, 1, (4, 4)))),
            (f"lif{index}", neuron((4,), rng, reset=reset, dt_s=1e-3)),
        )
    ]
    save_model_file(chain((4,), *layers), tmp_path / "net.pt")
    assert run(tmp_path / "net.pt", *([] if verify else ["--no-verify"]), "--out", tmp_path / "out") == 0
    told = record(tmp_path / "out")[0]["notes"]["other_readers"]
    assert [line.partition(":")[0] for line in told[:3]] == ["lif0, lif3", "lif1", "lif2"]
    said = " ".join(capsys.readouterr().out.split())
    assert "nir: other readers: lif0, lif3: it resets by subtraction" in said
    assert "dt = 0.001" in told[3]
    assert "dt = 0.001" not in said
    assert "nir: other readers: 1 more such lines are in export.json" in said


def test_a_portable_graph_is_held_against_the_network_itself(monkeypatch):
    def halved(model):
        return model.with_graph(with_arrays_of(model, "dense", 0.5))

    monkeypatch.setattr("spear_deploy.exporters.nir.portable", halved)
    with pytest.raises(ExportError, match=r"nir: hidden: .* outputs differ"):
        assert_faithful(exporter("nir", {"portable": True}), small_model())


def with_arrays_of(model, name, factor):
    """The graph with the weights of a node times a factor."""
    node = model.graph.nodes[name]
    return with_nodes(model.graph, {**model.graph.nodes, name: with_arrays(node, {"weight": factor * node.weight})})


def test_real_data_is_used_where_the_model_names_it(tmp_path):
    save_model_file(small_model(data="digits"), tmp_path / "net.pt")  # digits do not fit its 4 inputs
    assert run(tmp_path / "net.pt", "--out", tmp_path / "out") == 0
    assert record(tmp_path / "out")[0]["verification"]["inputs"].startswith("made-up samples (")
    assert run("examples/digits.pt", "--out", tmp_path / "out") == 0
    assert record(tmp_path / "out")[1]["verification"]["inputs"] == "digits, first 32 test samples"


def test_an_export_without_proof_says_so(model_file, tmp_path, capsys):
    assert run(model_file, "--no-verify", "--out", tmp_path / "out") == 0
    assert "NOT VERIFIED" in capsys.readouterr().out
    assert record(tmp_path / "out")[0]["verification"] == {"done": False, "why_not": "not wanted"}


def test_existing_files_are_kept_unless_forced(model_file, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run(model_file, "--out", folder) == 0
    (folder / "net.nir").write_bytes(b"mine")
    assert run(model_file, "--out", folder) == 2
    assert "net.nir: exists; choose another folder (--out), or --force" in capsys.readouterr().err
    assert (folder / "net.nir").read_bytes() == b"mine"
    assert run(model_file, "--out", folder, "--force") == 2
    assert "net.nir: is not as an export wrote it, and is not replaced" in capsys.readouterr().err
    assert (folder / "net.nir").read_bytes() == b"mine"


def test_an_earlier_export_is_replaced_when_forced(model_file, tmp_path):
    folder = tmp_path / "out"
    assert run(model_file, "--out", folder) == 0
    assert run(model_file, "--out", folder, "--force") == 0
    assert names(folder) == ["export.json", "net.nir"]
    assert len(record(folder)) == 1


def as_export(model_file):
    model = small_model()
    return Export(model, model_file, "net", sample_inputs(model), "made-up samples")


def test_an_export_that_differs_is_not_written(model_file, tmp_path):
    with pytest.raises(ExportError, match=r"does not do what the network does: hidden: .* nothing was written"):
        export_model(as_export(model_file), [exporter("nir"), Wrong()], tmp_path / "out", force=False)
    assert not (tmp_path / "out").exists()


class Refusing(Exporter):
    name = "refusing"
    suffix = ".no"

    def refuses(self, model):
        return ("hidden: too leaky",)

    def write(self, model, path):
        raise NotImplementedError

    def run(self, path, inputs):
        raise NotImplementedError


def test_a_format_that_cannot_say_the_network_is_refused_with_the_reason(model_file, tmp_path):
    with pytest.raises(ExportError, match="refusing: hidden: too leaky"):
        export_model(as_export(model_file), [Refusing()], tmp_path / "out", force=False)
    assert not (tmp_path / "out").exists()


def test_a_refusal_beside_a_success_is_recorded(model_file, tmp_path):
    export_model(as_export(model_file), [exporter("nir"), Refusing()], tmp_path / "out", force=False)
    assert names(tmp_path / "out") == ["export.json", "net.nir"]
    assert record(tmp_path / "out")[1]["refused"] == ["hidden: too leaky"]


def test_a_damaged_record_is_not_overwritten(model_file, tmp_path, capsys):
    (tmp_path / "export.json").write_text("{")
    assert run(model_file, "--out", tmp_path) == 2
    assert "export.json: not a record of exports, or damaged" in capsys.readouterr().err
    assert names(tmp_path) == ["export.json", "net.pt"]


def test_a_folder_that_is_a_file_is_refused(model_file, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="out"):
        export_model(as_export(model_file), [exporter("nir")], tmp_path / "out", force=False)
    assert (tmp_path / "out").read_text() == ""


class Slow(Exporter):
    """Lets something happen between the first look at a folder and the files' move there."""

    name, suffix, says, arithmetic, fixed = "slow", ".slow", "nothing", "float64", False

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile

    def refuses(self, model):
        return None

    def write(self, model, path):
        self.meanwhile()
        path.write_text("slow")

    def run(self, path, inputs):
        raise NotImplementedError


def test_of_two_exports_into_one_folder_the_second_is_refused_and_the_first_one_s_files_are_whole(model_file, tmp_path):
    refusals = []

    def another():
        with pytest.raises(OutputError, match=r"out: process \d+ on \S+ is at work for this folder") as refusal:
            export_model(as_export(model_file), [exporter("nir")], tmp_path / "out", force=False)
        refusals.append(refusal)

    export_model(replace(as_export(model_file), inputs=None), [Slow(another)], tmp_path / "out", force=False)
    assert len(refusals) == 1
    assert names(tmp_path / "out") == ["export.json", "net.slow"]
    assert [entry["format"] for entry in record(tmp_path / "out")] == ["slow"]
    assert sorted(names(tmp_path)) == ["net.pt", "out"]


def test_an_export_that_fails_removes_nothing_that_others_put_there(model_file, tmp_path):
    def fails():
        (tmp_path / "out" / "notes.txt").write_text("mine")
        raise OSError("a fault")

    with pytest.raises(ExportError):
        export_model(replace(as_export(model_file), inputs=None), [Slow(fails)], tmp_path / "out", force=False)
    assert names(tmp_path / "out") == ["notes.txt"]


def test_two_processes_that_export_into_one_folder_leave_the_files_of_one(model_file, tmp_path):
    """Both begin at once, one of them with another network: the record tells of the files that are there."""
    other = tmp_path / "other"
    other.mkdir()
    save_model_file(small_model(), other / "net.pt")
    out = ("--no-verify", "--to", "nir,onnx", "--out", str(tmp_path / "out"))
    command = [sys.executable, "-W", "ignore", "-m", "spear_deploy", "export"]
    both = [subprocess.Popen([*command, str(model), *out]) for model in (model_file, other / "net.pt")]
    assert sorted(process.wait() for process in both) == [0, 2]
    for entry in record(tmp_path / "out"):
        assert all(
            hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
            for name, digest in entry["files"].items()
        )
    assert names(tmp_path / "out") == ["export.json", "net.nir", "net.onnx"]


def test_a_full_disk_leaves_nothing_behind(model_file, tmp_path):
    """No file may grow beyond 512 bytes, which is what a full disk looks like to a program."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (512, {resource.RLIM_INFINITY}))"
    script = f"import sys\nfrom spear_deploy.cli import main\n{limit}\nmain(sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", script, "export", str(model_file), "--out", str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("spear-deploy: ")
    assert "cannot be written" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()
