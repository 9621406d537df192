import os
from datetime import datetime
from pathlib import Path

import pytest

from spear_deploy.errors import DataError, OutputError
from spear_deploy.files import check_writable, complete_or_nothing, default_folder, replaced_when_complete


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_run_is_called_after_model_target_and_time():
    now = datetime(2026, 3, 4, 5, 6, 7)
    assert default_folder(Path("nets/model.pt"), ["loihi2"], now) == Path("runs/model-loihi2-20260304-050607")
    assert default_folder(Path("model.pt"), ["loihi1", "loihi2"], now) == Path("runs/model-2-targets-20260304-050607")


def test_a_folder_appears_under_its_name_when_it_is_complete(tmp_path):
    folder = tmp_path / "deep" / "run"
    with complete_or_nothing(folder, force=False) as working:
        (working / "report.json").write_text("{}")
        assert not folder.exists()
    assert names(folder) == ["report.json"]
    assert names(folder.parent) == ["run"]


@pytest.mark.parametrize("fault", [DataError("no data"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_a_fault_leaves_no_folder(tmp_path, fault):
    def work():
        with complete_or_nothing(tmp_path / "run", force=False) as working:
            (working / "pruned.pt").write_text("half")
            raise fault

    with pytest.raises(type(fault)):
        work()
    assert names(tmp_path) == []


def test_a_fault_leaves_earlier_results_as_they_were(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.json").write_text("earlier")

    def work():
        with complete_or_nothing(folder, force=True) as working:
            (working / "report.json").write_text("half")
            raise DataError("no data")

    with pytest.raises(DataError):
        work()
    assert (folder / "report.json").read_text() == "earlier"
    assert names(tmp_path) == ["run"]


def test_earlier_results_are_replaced_only_by_force(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "old").write_text("earlier")
    with pytest.raises(
        OutputError, match=r"run: exists and is not empty; choose another folder with --out, or --force"
    ):
        check_writable(folder, force=False)
    with complete_or_nothing(folder, force=True) as working:
        (working / "new").write_text("later")
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["run"]


def test_an_empty_folder_may_be_filled(tmp_path):
    with complete_or_nothing(tmp_path, force=False) as working:
        (working / "new").write_text("later")
    assert names(tmp_path) == ["new"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken: is a file; results need a folder \(--out\)"):
        check_writable(tmp_path / "taken", force=True)
    with pytest.raises(OutputError, match=r"taken: is a file; results need a folder \(--out\)"):
        check_writable(tmp_path / "taken" / "run", force=False)


@pytest.mark.skipif(not os.access("/proc/self", os.X_OK), reason="needs a file system that nobody may write to")
def test_a_place_that_nobody_may_write_to_is_named_before_the_work():
    with pytest.raises(OutputError, match=r"^/proc: cannot write there \(.*\); choose another folder with --out"):
        check_writable(Path("/proc/spear-deploy-run"), force=False)


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "some" / "run", force=False)
    assert names(tmp_path) == []


def test_a_relative_folder_is_written_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with complete_or_nothing(Path("run"), force=False) as working:
        (working / "new").write_text("")
    assert names(tmp_path) == ["run"]


def test_a_file_appears_under_its_name_when_it_is_complete(tmp_path):
    with replaced_when_complete(tmp_path / "sub" / "model.nir") as working:
        working.write_text("whole")
        assert names(tmp_path / "sub") != ["model.nir"]
    assert names(tmp_path / "sub") == ["model.nir"]


def test_a_file_that_fails_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "model.nir"
    path.write_text("earlier")

    def work():
        with replaced_when_complete(path) as working:
            working.write_text("half")
            raise DataError("no data")

    with pytest.raises(DataError):
        work()
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["model.nir"]
