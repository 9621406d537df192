"""`--resume RUN`, and what an interrupted command says of it."""

import os
import re
import signal
from datetime import datetime
from importlib import import_module

import pytest
from made_task import write_task

from spear_deploy.cli import deploy_options, main
from spear_deploy.jobs.deploy import prepare
from spear_deploy.jobs.deploy.deploy import Results

FEW = (
    *("--lre-samples", "8", "--evaluations", "6", "--finalists", "1", "--plain-epochs", "1", "--epochs", "2"),
    *("--no-lava", "--workers", "1"),
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    write_task(tmp_path)
    monkeypatch.chdir(tmp_path)


def typed(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_names_the_one_that_goes_on(here, monkeypatch, capfd, number, code):
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "same_fine_tune", lambda *arguments: os.kill(os.getpid(), number))
        assert typed("model.pt", "--budget", "30%", "--out", "runs/mine", *FEW) == code
    said = capfd.readouterr().err
    assert "interrupted; no result was written\n" in said
    assert "finished steps are kept; go on with: spear-deploy --resume runs/mine\n" in said
    assert ("SIGTERM: ending" in said) == (number == signal.SIGTERM)
    assert typed("--resume", "runs/mine") in (0, 1)
    told = capfd.readouterr()
    assert "goes on with the unfinished run of " in told.err
    assert re.search(r"8 of 8 LRE samples (and 4 beyond them )?were made by an earlier run", told.err)
    assert "written to runs/mine" in told.out
    assert typed("--resume", "runs/mine") == 2  # it is finished
    told = " ".join(capfd.readouterr().err.split())
    assert "no unfinished run of that folder" in told
    assert "where it was begun with another --cache, give that" in told


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    class Still(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 4, 5, 6, 7, tzinfo=tz)

    folders = []

    def begun(request, progress):
        """A run beside which two others begin."""
        folders.append(request.out.name)
        if len(folders) < 3:
            typed("model.pt")
        return Results({})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deploy_options, "datetime", Still)
    monkeypatch.setattr(import_module("spear_deploy.cli.deploy"), "run_deploy", begun)
    typed("model.pt")
    name = "model-loihi2-20260304-050607"
    assert folders == [name, f"{name}-2", f"{name}-3"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resume", "runs/mine", "model.pt"), "leave out MODEL"),
        (("--resume", "runs/mine", "--seed", "3", "--budget", "30%"), "leave out --budget, --seed"),
        (("--resume", "runs/mine"), "no run is unfinished"),
        (("--seed", "3"), "give a model file, or an unfinished run: --resume RUN"),
    ],
)
def test_what_cannot_be_gone_on_with_is_said_in_a_line(arguments, said, capsys):
    assert typed(*arguments) == 2
    assert said in capsys.readouterr().err
