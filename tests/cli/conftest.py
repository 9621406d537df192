"""A folder with a task, and the command line on bad input in it."""

import pytest
from made_task import write_untrained

from spear_deploy.cli import main


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A folder with `model.pt` and its `samples.npz`; the command line runs in it."""
    monkeypatch.chdir(tmp_path)
    write_untrained(tmp_path)
    return tmp_path


@pytest.fixture
def refused(task, capsys, monkeypatch):
    """Runs the command line on bad input: exit code 2, no result, nothing on stdout; returns the message.

    Sampling for LRE, the long work, is never reached.
    """

    def too_late(*arguments):
        raise AssertionError("sampling began")

    monkeypatch.setattr("spear_deploy.jobs.deploy.prepare.sample_lre", too_late)

    def run(*arguments):
        before = sorted(path for path in task.rglob("*"))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        assert ended.value.code == 2, err
        assert out == ""
        assert "Traceback" not in err
        assert sorted(path for path in task.rglob("*")) == before
        message = err[err.index("spear-deploy: ") :]
        assert message.count("spear-deploy: ") == 1
        return message.removeprefix("spear-deploy: ").strip()

    return run
