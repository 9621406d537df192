import pytest

from spear_deploy.cli import main
from spear_deploy.cli.console import TerminalProgress


def test_a_notice_shows_brackets_as_they_are(capsys):
    TerminalProgress().notice("nets[old]/model.pt: layer [conv] was read")
    assert capsys.readouterr().err == "note: nets[old]/model.pt: layer [conv] was read\n"


def test_an_error_shows_a_path_with_brackets_as_it_is(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "nets[old].pt")])
    assert ended.value.code == 2
    assert "nets[old].pt" in capsys.readouterr().err
