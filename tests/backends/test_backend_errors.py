"""No failure of a backend is lost, and a run of Lava takes the interpreter that it was given."""

import ast
import sys
from pathlib import Path

import pytest

import spear_deploy
from spear_deploy.cli import main
from spear_deploy.data import SplitName
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.verification import verifiers
from spear_deploy.jobs.task import load_task

PACKAGE = Path(spear_deploy.__file__).parent
DIGITS = "examples/digits.pt"


def handlers():
    """Every `except` that catches a backend's failure, by where it stands."""
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "exporters").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
                if caught & {"BackendError", "SpearDeployError"}:
                    yield f"{path.name}:{node.lineno}", node


def test_a_backends_failure_that_is_caught_is_told_or_raised_on():
    silent = []
    for where, node in handlers():
        inside = [each for statement in node.body for each in ast.walk(statement)]
        told = any(isinstance(each, ast.Name) and each.id == node.name for each in inside)
        if not told and not any(isinstance(each, ast.Raise) for each in inside):
            silent.append(where)
    assert silent == []
    assert len(list(handlers())) > 5


@pytest.fixture
def interpreter(tmp_path):
    """Makes interpreters that note that they were started, and have no Lava."""

    def make(name):
        path = tmp_path / name
        answer = '{"missing": "no lava"}'
        path.write_text(f"#!/bin/sh\necho started >> {path}.log\necho '{answer}'\n")
        path.chmod(0o755)
        return path, path.with_name(f"{name}.log")

    return make


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", DIGITS, "--on", "lava", "--samples", "1"),
        ("simulate", DIGITS, "--on", "lava-fixed", "--samples", "1"),
        ("simulate", DIGITS, "--compare", "torch,lava", "--samples", "1"),
        ("export", DIGITS, "--to", "lava", "--out", "{out}"),
        ("export", DIGITS, "--to", "lava", "--fixed", "--out", "{out}"),
        ("lava", "status"),
    ],
)
def test_every_verb_that_runs_lava_runs_it_in_the_interpreter_that_is_named(words, interpreter, tmp_path, monkeypatch):
    (mine, started), (default, other) = interpreter("mine"), interpreter("default")
    monkeypatch.setattr(sys, "executable", str(default))
    with pytest.raises(SystemExit):
        main([*(word.format(out=tmp_path / "out") for word in words), "--lava-python", str(mine)])
    assert started.exists()
    assert not other.exists()


def test_a_run_verifies_in_the_interpreter_that_is_named(tmp_path):
    request = DeployRequest(
        model=Path(DIGITS), targets=(load_profile("loihi2"),), out=tmp_path / "run", lava_python=tmp_path / "python"
    )
    train = load_task(Path(DIGITS), None, seed=0).encoded(SplitName.TRAIN, 2)
    made = verifiers(request, load_profile("loihi2"), train, ("torch", "chip"), pytest.fail)
    assert [(each.name, each.worker.python) for each in made] == [
        ("lava", tmp_path / "python"),
        ("lava-fixed", tmp_path / "python"),
    ]
