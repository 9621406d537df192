import subprocess
import sys
import tempfile

import pytest

from spear_deploy.system.temporary import folder_of_this_process


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_with_its_block(place):
    with folder_of_this_process("ours-") as folder:
        (folder / "file").write_text("1")
        assert list(place.iterdir()) == [folder]
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(place):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"ours-{ended.pid}-abc", "ours-words-abc", f"theirs-{ended.pid}-abc"):
        (place / name).mkdir()
    with folder_of_this_process("ours-") as living, folder_of_this_process("ours-") as folder:
        left = {each.name for each in place.iterdir()} - {living.name, folder.name}
    assert left == {"ours-words-abc", f"theirs-{ended.pid}-abc"}
