"""Whether Lava is there, how it is installed, and which interpreter runs it."""

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from small_lava import LIMIT_S, inputs, small_model

from spear_deploy.backends.lava import install, run_lava, status
from spear_deploy.errors import BackendError


@pytest.fixture
def python_without_lava(tmp_path):
    """An interpreter in which `import lava` fails, everything else as here."""
    path = tmp_path / "python-without-lava"
    path.write_text(
        f"""#!{sys.executable}
import sys
sys.modules["lava"] = None
arguments = sys.argv[1:]
while arguments[0] != "-c":
    arguments = arguments[2:]
sys.argv = ["-c", *arguments[2:]]
exec(arguments[1])
"""
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_lava_a_run_says_what_to_type(python_without_lava):
    with pytest.raises(BackendError, match=r"not available in .*install it with: .*pip install"):
        run_lava(small_model(), inputs(), time_limit_s=LIMIT_S, python=python_without_lava)


def test_without_lava_the_status_says_so_and_what_to_type(python_without_lava):
    found = status(python_without_lava)
    assert not found.available
    assert "lava" in found.missing
    assert "--ignore-requires-python lava-nc==0.10.0" in found.advice


def test_without_lava_this_interpreter_gets_it_by_one_command(monkeypatch, python_without_lava):
    monkeypatch.setattr(sys, "executable", str(python_without_lava))
    assert status().advice == "install it with: spear-deploy lava install"


def test_an_interpreter_that_does_not_exist_is_named():
    with pytest.raises(BackendError, match="/nowhere/python cannot be started"):
        run_lava(small_model(), inputs(), time_limit_s=LIMIT_S, python=Path("/nowhere/python"))
    with pytest.raises(BackendError, match="/nowhere/python cannot be started"):
        status(Path("/nowhere/python"))


def test_a_failing_pip_is_reported_with_its_last_words(monkeypatch, tmp_path):
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: no network' >&2\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(BackendError, match=r"pip install asteval .* failed:\nERROR: no network"):
        install(lambda step: None)


@pytest.mark.lava
def test_status_knows_lava_and_what_it_needs_to_run_here():
    found = status()
    assert found.available
    assert found.versions["lava"] == "0.10.0"
    assert found.advice == ""
    assert bool(found.work_arounds) == (sys.version_info >= (3, 11) or np.__version__ >= "2.4")


@pytest.mark.lava
def test_an_interpreter_may_be_named_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    assert status(Path("./python")).available
    assert run_lava(small_model(), inputs(), time_limit_s=LIMIT_S, python=Path("./python")).samples == 5
