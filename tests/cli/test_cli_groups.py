import json

import pytest
from made_networks import residual

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
    assert rows["d"]["fixed"] == "the output's channels are the classes"


def test_the_table_says_why_a_group_may_not_be_pruned(tmp_path, capsys):
    save_model_file(residual().model(), tmp_path / "net.pt")
    assert "no: the output's" in " ".join(run(capsys, tmp_path / "net.pt").split())
