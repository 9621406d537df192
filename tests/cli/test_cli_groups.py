import json
from pathlib import Path

import pytest
from made_networks import Chain, residual

import spear_deploy
from spear_deploy.cli import main
from spear_deploy.network import save_model_file


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["groups", *map(str, arguments)])
    assert not ended.value.code
    return capsys.readouterr().out


def test_groups_say_what_hangs_together_and_what_is_fixed(tmp_path, capsys):
    save_model_file(residual().model(), tmp_path / "net.pt")
    rows = {row["group"]: row for row in json.loads(run(capsys, tmp_path / "net.pt", "--json"))}
    assert rows["a"] == {
        "group": "a",
        "channels": 6,
        "layers": ["a", "c"],
        "made_by": ["conv1", "conv3"],
        "read_by": ["conv2", "fc"],
        "prunable": True,
        "fixed": "",
    }
    assert rows["d"]["fixed"] == "the output's channels are the answers"


def test_the_table_says_why_a_group_may_not_be_pruned(tmp_path, capsys):
    save_model_file(residual().model(), tmp_path / "net.pt")
    assert "no: the output's" in " ".join(run(capsys, tmp_path / "net.pt").split())


def test_names_that_have_to_be_typed_are_whole_at_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = "features.2_maxpool1d_threshold_of_the_second_block"
    save_model_file(
        Chain((3,)).linear("fc", 4).neurons(long).linear("fc2", 2).neurons("out").model(), tmp_path / "n.pt"
    )
    shown = run(capsys, tmp_path / "n.pt")
    assert "…" not in shown
    columns = zip(*(line.split("│") for line in shown.splitlines() if line.startswith("│")), strict=True)
    assert any(long in "".join(cell.strip() for cell in column) for column in columns)


def test_every_table_of_the_terminal_is_one_that_cuts_no_word():
    package = Path(spear_deploy.__file__).parent
    own = [str(path) for path in package.rglob("*.py") if "rich.table import" in path.read_text(encoding="utf-8")]
    assert own == []
