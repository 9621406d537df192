"""Too little memory, disk, processors or packages, and surroundings of another kind: told in words, or no matter."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from spear_deploy.cli import main
from spear_deploy.cli.verbs import Verb

DIGITS = str(Path(__file__).parents[2] / "examples" / "digits.pt")
CHECK = ("check", DIGITS, "--target", "loihi2", "--samples", "2", "--json")


def called(*words, folder, before=None, environment=None):
    return subprocess.run(
        [sys.executable, "-m", "spear_deploy", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        preexec_fn=before,
        env=os.environ if environment is None else environment,
    )


def too_much(*arguments):
    torch.empty(1 << 60, dtype=torch.uint8)


def no_thread(*arguments):
    raise RuntimeError("can't start new thread")


def missing(module):
    def fault(*arguments):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return fault


def no_library(*arguments):
    raise OSError("libtorch_cpu.so: failed to map segment from shared object")


def no_folder(*arguments):
    tempfile.tempdir = None
    with (
        patch.object(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"]),
        patch("os.getcwd", lambda: "/nowhere"),
    ):
        tempfile.gettempdir()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            no_folder,
            "No usable temporary directory found in ['/nowhere']; set TMPDIR to a folder that can be written to",
        ),
        (too_much, "out of memory"),
        (no_thread, "out of memory"),
        (missing("onnx"), "onnx is not installed; install it with: pip install 'spear-deploy[onnx]'"),
        (missing("onnxruntime"), "onnxruntime is not installed; install it with: pip install 'spear-deploy[onnx]'"),
        (missing("asteval"), "asteval is not installed; install it with: pip install 'spear-deploy[lava]'"),
        (missing("sklearn"), "sklearn is not installed; install it with: pip install spear-deploy"),
        (missing("networkx"), "networkx is not installed; install it with: pip install spear-deploy"),
        (missing("tonic"), "tonic is not installed; install it with: pip install tonic"),
        (no_library, "a library cannot be loaded, which may be for want of memory (libtorch_cpu.so: failed to map"),
    ],
)
def test_what_the_machine_lacks_is_told_in_one_line_with_code_2(fault, message, monkeypatch, capsys):
    monkeypatch.setattr(Verb, "load", fault)
    with pytest.raises(SystemExit) as ended:
        main(["check", "net.pt"])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith(f"spear-deploy: {message}")
    assert told.count("\n") == 1


def test_a_path_out_of_a_file_that_no_system_takes_fills_no_screen(monkeypatch, capsys):
    monkeypatch.setattr(Verb, "load", lambda *arguments: Path("x" * 50_000).stat())
    with pytest.raises(SystemExit) as ended:
        main(["check", "net.pt"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err) < 2500


@pytest.mark.parametrize(
    "bug",
    [
        RuntimeError("a bug"),
        ImportError("cannot import name 'a bug'", name="spear_deploy.cli.check"),
        ModuleNotFoundError("No module named 'spear_deploy.a bug'", name="spear_deploy.a bug"),
        ModuleNotFoundError("No module named 'onnx.a bug'", name="onnx.a bug"),  # onnx itself is there
    ],
    ids=lambda bug: f"{type(bug).__name__} of {getattr(bug, 'name', None)}",
)
def test_a_fault_of_ours_is_not_taken_for_one_of_the_machine(bug, monkeypatch):
    def fault(*arguments):
        raise bug

    monkeypatch.setattr(Verb, "load", fault)
    with pytest.raises(type(bug), match="a bug"):
        main(["check", "net.pt"])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_an_address_space_too_small_for_the_libraries_is_told(tmp_path):
    """What `ulimit -v` sets."""
    limit = 300 << 20
    ended = called(*CHECK, folder=tmp_path, before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last == "spear-deploy: out of memory" or last.startswith("spear-deploy: a library cannot be loaded"), last


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to a processor")
def test_one_processor_no_home_another_locale_and_time_zone_change_no_figure(tmp_path):
    odd = {key: value for key, value in os.environ.items() if key not in ("HOME", "LANG", "LC_ALL", "TMPDIR")}
    odd |= {"LC_ALL": "tr_TR.ISO-8859-9", "TZ": "Pacific/Kiritimati", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}
    one = {min(os.sched_getaffinity(0))}
    here = called(*CHECK, folder=tmp_path)
    there = called(*CHECK, folder=tmp_path, before=lambda: os.sched_setaffinity(0, one), environment=odd)
    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    assert here.stdout == there.stdout != ""
