import pickle
from pathlib import Path

import pytest
import torch

from spear_deploy.system.journal import NOTHING, Journal


@pytest.fixture
def told():
    return []


@pytest.fixture
def journal(tmp_path, told):
    return Journal(tmp_path / "run", told.append)


class Maker:
    """Counts how often something is made."""

    def __init__(self, value):
        self.value, self.times = value, 0

    def __call__(self):
        self.times += 1
        return self.value


def test_a_finished_step_is_not_made_twice(journal, told):
    make = Maker(0.1)
    assert [journal.remember(float, "share", 3, make=make) for _ in range(2)] == [0.1, 0.1]
    assert make.times == 1
    assert (journal.recalled, told, len(journal)) == ({}, [], 1)


def test_another_process_finds_it(journal):
    journal.within("loihi2").remember(float, "share", make=Maker(0.5))
    other = Journal(journal.folder)
    assert [other.within("loihi2").remember(float, "share", make=Maker(7.0)) for _ in range(2)] == [0.5, 0.5]
    assert other.recalled["share"].steps == 2


@pytest.mark.parametrize("key", [("share", 4), ("share", "3"), ("share",), ("other", 3)])
def test_a_step_with_another_key_is_another_one(journal, key):
    journal.remember(float, "share", 3, make=Maker(0.1))
    assert journal.remember(float, *key, make=Maker(0.2)) == 0.2


def test_without_a_folder_everything_is_made():
    make = Maker(1.0)
    assert [NOTHING.remember(float, "share", make=make) for _ in range(2)] == [1.0, 1.0]
    assert make.times == 2


def the_file(journal):
    (path,) = journal.folder.iterdir()
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    at = content.index(b"value") + 10
    content[at] ^= 1
    path.write_bytes(content)


def blank(path):
    path.write_bytes(bytes(len(path.read_bytes())))


class Runs:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


def foreign_code(path):
    torch.save({"key": "x", "value": Runs(path.with_name("ran")), "seconds": 0.0}, path)


def bare_pickle(path):
    path.write_bytes(pickle.dumps(Runs(path.with_name("ran"))))


def another_type(path):
    content = torch.load(path, weights_only=True)
    torch.save(content | {"value": "much"}, path)


def of_another_step(path):
    content = torch.load(path, weights_only=True)
    torch.save(content | {"key": "('another',)"}, path)


@pytest.mark.parametrize("damage", [cut, flip, blank, foreign_code, bare_pickle, another_type, of_another_step])
def test_a_damaged_step_is_told_and_made_again(journal, told, damage):
    journal.remember(float, "share", 3, make=Maker(0.1))
    damage(the_file(journal))
    assert journal.remember(float, "share", 3, make=Maker(0.1)) == 0.1
    (line,) = told
    assert "cannot be used" in line
    assert "done again" in line
    assert journal.remember(float, "share", 3, make=Maker(7.0)) == 0.1  # and was kept anew
    assert [path.suffix for path in journal.folder.iterdir()] == [".step"]


def test_a_place_that_cannot_be_written_is_told_once(tmp_path, told):
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "run", told.append)
    assert [journal.remember(float, "share", number, make=Maker(1.0)) for number in range(3)] == [1.0] * 3
    (line,) = told
    assert "cannot be kept" in line


def test_copies_of_steps_are_found_on_another_machine(journal, tmp_path):
    journal.remember(int, "step", 1, make=lambda: 7)
    other = Journal(tmp_path / "elsewhere")
    other.keep_copies(journal.copies())
    assert other.remember(int, "step", 1, make=lambda: 8) == 7
    assert other.recalled["step"].steps == 1
    assert Journal().copies() == {}


def test_a_journal_is_gone_when_its_run_is_complete(journal):
    journal.remember(float, "share", make=Maker(0.1))
    journal.remove()
    assert not journal.folder.exists()
    assert len(journal) == 0
