"""A folder that a run left, and the command that makes its page."""

import pytest
from run_reports import full_report, write_run_folder

from spear_deploy.cli import main


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    write_run_folder(path, full_report())
    return path


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["report", *map(str, arguments)])
        return ended.value.code, *capsys.readouterr()

    return run
