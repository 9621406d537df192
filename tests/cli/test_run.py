import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from made_networks import Chain
from made_task import CLASSES, SHAPE, STEPS, chip, write_task
from shared_memory import left_of, watched

from spear_deploy.backends.lava.install import LavaStatus
from spear_deploy.cli import main
from spear_deploy.network import Reset, save_model_file
from spear_deploy.report import Report

QUICK = (
    *("--lre-samples", "8", "--evaluations", "4", "--finalists", "1", "--plain-epochs", "1", "--epochs", "2"),
    *("--workers", "1"),
)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    write_task(folder)
    return folder


@pytest.fixture
def run(task, tmp_path, monkeypatch, capsys):
    """Runs the command line where `model.pt` lies; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.pt", "samples.npz"):
        (tmp_path / name).symlink_to(task / name)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return ended.value.code, *capsys.readouterr()

    return call


def test_a_run_within_budget_ends_with_code_0_and_a_table(run, tmp_path):
    code, out, err = run("--target", "loihi2", *QUICK, "--no-lava", "model.pt")
    assert code == 0, err
    for line in (
        "model.pt on loihi2",
        "accuracy (test)",
        "SynOps / inference",
        "parameters",
        "budget",
        "predicted",
        "\n plain ",
        "\n delivered ",
        "OK",
    ):
        assert line in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("model-loihi2-")
    assert f"written to runs/{folder.name}" in out
    assert "Traceback" not in err


def test_json_prints_the_report_and_nothing_else_on_stdout(run, tmp_path):
    code, out, err = run("model.pt", "--json", "--out", "results", *QUICK, "--no-lava", "--workers", "2")
    report = json.loads(out)
    assert code == 0, err
    assert report == json.loads((tmp_path / "results" / "report.json").read_text())
    assert Report.model_validate(report).verdict.ok
    assert "LRE samples" in err


def test_json_of_several_chips_is_a_list_in_their_order(run, tmp_path):
    second = chip(tmp_path, "second")
    code, out, _ = run(
        "model.pt", "--target", f"{second.name},loihi2", "--json", "--out", "results", *QUICK, "--no-lava"
    )
    assert code == 0
    assert [report["target"] for report in json.loads(out)] == ["second", "loihi2"]
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["loihi2", "second"]


def test_a_result_that_was_to_be_verified_in_lava_and_was_not_ends_with_code_1(run, monkeypatch):
    missing = LavaStatus(False, Path(sys.executable), {}, (), missing="No module named 'lava'", advice="type this")
    monkeypatch.setattr(sys.modules["spear_deploy.backends.lava.backend"], "status", lambda python: missing)
    code, out, err = run("model.pt", *QUICK)
    assert code == 1
    assert "Lava cannot be used (No module named 'lava'), so the result is not verified in it; type this" in err
    assert "NOT OK: not verified in Lava, which cannot be used: No module named 'lava' (type this, or --no-lava)" in out


def test_an_export_writes_the_named_format(run, tmp_path):
    code, out, _ = run("export", "model.pt", "--to", "nir", "--out", "exported")
    assert code == 0
    assert "written to exported/model.nir" in out
    assert sorted(path.name for path in (tmp_path / "exported").iterdir()) == ["export.json", "model.nir"]


def test_formats_that_are_named_one_by_one_are_all_written(run, tmp_path):
    run("export", "model.pt", "--to", "nir", "--to", "onnx", "--out", "both", "--no-verify")
    assert {path.suffix for path in (tmp_path / "both").iterdir()} == {".nir", ".onnx", ".json"}


def started(task, out, *arguments):
    command = [sys.executable, "-m", "spear_deploy", "model.pt", "--out", str(out), *arguments]
    return subprocess.Popen(command, cwd=task, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


ENDS = pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])


def interrupted(process, ending):
    process.send_signal(ending)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + ending, err
    assert out == ""
    assert "spear-deploy: interrupted; no result was written" in err
    assert "Traceback" not in err
    return err


def workers_of(pid):
    """Processes that `pid` started in a session of their own, and that still run."""
    return {int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _leads_a_session_under(entry, pid)}


def _leads_a_session_under(process, pid):
    try:
        state, parent, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:  # it has just ended
        return False
    return state not in "ZX" and int(parent) == pid and session == process.name


def still_run(pids):
    """Those of the processes that have not ended; zombies that nobody reaps have."""
    states = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [
        pid for pid, stat in states.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    ]


def below(*pids):
    """The processes that these started, and those that they did."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid for pid, parent in parents.items() if parent in pids}
    return found | below(*found) if found else found


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


@ENDS
def test_ended_while_workers_make_samples_it_leaves_no_process_file_or_shared_memory(
    task, tmp_path, monkeypatch, ending
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = started(task, tmp_path / "run", "--lre-samples", "2000", "--no-lava")
    wait_for(lambda: below(process.pid), process)
    workers = below(process.pid)
    with watched(lambda: {process.pid, *workers}) as shared:
        interrupted(process, ending)
    assert still_run(workers) == []
    assert list(tmp_path.iterdir()) == []
    assert left_of(shared) == set()


@pytest.mark.lava
@ENDS
def test_ended_while_lava_runs_it_keeps_the_network_and_leaves_no_process_or_shared_memory(
    task, tmp_path, tmp_path_factory, monkeypatch, ending
):
    temporary = tmp_path_factory.mktemp("t")  # a short path: Lava's sockets lie there
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = started(task, tmp_path / "run", *QUICK)
    with watched(lambda: {process.pid, *below(process.pid)}) as shared:
        wait_for(lambda: below(*workers_of(process.pid)), process)
        wait_for(lambda: any(name.startswith("psm_") for name in shared), process)
        started_by_it = below(process.pid)
        assert list(temporary.iterdir())
        err = interrupted(process, ending)
    assert still_run(started_by_it) == []
    assert left_of(shared) == set()
    assert list(temporary.iterdir()) == []
    (kept,) = tmp_path.iterdir()
    assert f"what there is was kept in {kept}\n" in err
    assert err.rstrip().endswith(f"go on with: spear-deploy --resume {tmp_path / 'run'}")
    assert {"pruned.pt", "plain.pt", "measured.json"} <= {path.name for path in kept.iterdir()}


def test_fewer_bits_and_conversions_are_reported_with_what_they_cost(run, tmp_path):
    subtract = Chain(SHAPE, seed=2).conv("conv1", 8).neurons("lif1").flatten().linear("hidden", 12)
    subtract.neurons("lif2", reset=Reset.SUBTRACT).linear("fc", CLASSES).neurons("lif3")
    save_model_file(subtract.model(STEPS, data="samples.npz"), tmp_path / "subtract.pt")
    own = chip(tmp_path, "zero-only", neurons_resets=('["zero"]', "names"))
    words = ("subtract.pt", "--target", str(own), "--out", "results", *QUICK, "--no-lava")
    code, _, err = run(*words)
    assert code == 2
    assert "or convert it: --adapt" in err

    code, out, err = run(*words, "--adapt", "--weight-bits", "6,fc=4", "--json")

    report = json.loads(out)
    assert code in (0, 1), err
    (adaptation,) = report["adaptations"]
    assert {key: adaptation[key] for key in ("layer", "rule", "from", "to")} == {
        "layer": "lif2",
        "rule": "reset",
        "from": "reset subtract",
        "to": "reset zero",
    }
    assert adaptation["spike_change_percent"] < 0
    assert "lif2: reset subtract became reset zero (reset of zero-only); its spikes: -" in err
    assert report["adapted"].startswith(
        "the dense network is the given one adapted to zero-only (lif2), not that itself"
    )
    assert " SynOps became " in report["adapted"]
    assert [(each["layer"], each["weight_bits"]) for each in report["rounding"]] == [
        ("lif1", 6),
        ("lif2", 6),
        ("lif3", 4),
    ]
    assert report["measured"]["chip"]["arithmetic"] == "loihi, 4- to 6-bit weights"
    assert Report.model_validate(report).model_dump(mode="json") == report

    code, out, err = run(
        "simulate", "results/pruned.nir", "--on", "chip", "--target", str(own), "--weight-bits", "6,fc=4", "--json",
        "--data", "samples.npz", "--time-steps", str(STEPS),
    )  # fmt: skip
    assert code == 0, err
    again = json.loads(out)["results"]["chip"]
    assert again["synops"] == report["measured"]["chip"]["synops"]
    assert again["rounding"] == report["rounding"]


def test_several_chips_cannot_share_one_conversion(run):
    code, _, err = run("model.pt", "--target", "loihi1,loihi2", "--adapt", *QUICK, "--no-lava")
    assert code == 2
    assert "--adapt converts the network to what one chip allows" in err
