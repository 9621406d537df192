import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from spear_deploy.errors import DataError, OutputError
from spear_deploy.jobs.deploy.request import default_folder
from spear_deploy.system import files
from spear_deploy.system.files import (
    WRITTEN,
    check_writable,
    complete_or_nothing,
    keep_incomplete,
    replaced_when_complete,
    sweep,
)
from spear_deploy.system.locks import locked


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def write_run(folder, force=False, **contents):
    """A run of ours that leaves files with these contents."""
    with complete_or_nothing(folder, force=force) as working:
        for name, content in contents.items():
            (working / name).write_text(content)


def test_a_run_is_called_after_model_target_and_time():
    now = datetime(2026, 3, 4, 5, 6, 7)
    assert default_folder(Path("nets/model.pt"), ["loihi2"], now) == Path("runs/model-loihi2-20260304-050607")
    assert default_folder(Path("model.pt"), ["loihi1", "loihi2"], now) == Path("runs/model-2-targets-20260304-050607")


def test_a_folder_appears_under_its_name_when_it_is_complete(tmp_path):
    folder = tmp_path / "deep" / "run"
    with complete_or_nothing(folder, force=False) as working:
        (working / "report.json").write_text("{}")
        assert not folder.exists()
    assert names(folder) == [WRITTEN, "report.json"]
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
    write_run(folder, **{"report.json": "earlier"})

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
    write_run(folder, old="earlier")
    with pytest.raises(
        OutputError, match=r"run: exists and is not empty; choose another folder \(`folder`\), or `force=True`"
    ):
        check_writable(folder, force=False)
    write_run(folder, force=True, new="later")
    assert names(folder) == [WRITTEN, "new"]
    assert names(tmp_path) == ["run"]


@pytest.fixture(params=["foreign", "changed", "link", "below", "record of others"])
def foreign(request, tmp_path):
    """A folder with something that no run of ours wrote, and the name of that."""
    folder = tmp_path / "run"
    write_run(folder, **{"report.json": "{}", "pruned.pt": "weights"})
    match request.param:
        case "foreign":
            name = "thesis.tex"
            (folder / name).write_text("years of work")
        case "changed":
            name = "pruned.pt"
            (folder / name).write_text("trained further")
        case "link":
            name = "pruned.pt"
            (folder / name).unlink()
            (folder / name).symlink_to(tmp_path / "elsewhere")
        case "below":
            name = "data/samples.npz"
            (folder / "data").mkdir()
            (folder / name).write_text("samples")
        case _:
            name = "pruned.pt"
            (folder / WRITTEN).write_text(json.dumps({"files": {"report.json": "0", "../x": "1"}}))
            name = "report.json"
    return folder, name


def test_force_replaces_only_what_we_wrote(foreign):
    folder, name = foreign
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(
        OutputError, match=rf"holds {name}, which is not as spear-deploy wrote it; nothing was replaced"
    ):
        check_writable(folder, force=True)
    with pytest.raises(OutputError, match="nothing was replaced"):
        write_run(folder, force=True, **{"report.json": "later"})
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before


def test_force_reaches_nothing_outside_the_folder(tmp_path):
    (tmp_path / "mine").write_text("mine")
    folder = tmp_path / "run"
    write_run(folder, old="earlier")
    record = json.loads((folder / WRITTEN).read_text())
    record["files"]["../mine"] = record["files"]["old"]
    (folder / WRITTEN).write_text(json.dumps(record))
    write_run(folder, force=True, new="later")
    assert names(tmp_path) == ["mine", "run"]
    assert names(folder) == [WRITTEN, "new"]


def test_what_is_written_into_a_run_later_belongs_to_it(tmp_path):
    folder = tmp_path / "run"
    write_run(folder, **{"report.json": "{}"})
    for path in (folder / "report.html", folder / "plots" / "layers.svg"):
        with replaced_when_complete(path) as working:
            working.write_text("made again")
    write_run(folder, force=True, **{"report.json": "later"})
    assert names(folder) == [WRITTEN, "report.json"]


def test_an_empty_folder_is_filled_and_stays_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    write_run(Path("."), new="later")
    assert names(Path.cwd()) == [WRITTEN, "new"]
    assert tmp_path.stat().st_ino == before


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    write_run(tmp_path / "run", new="later")
    assert (tmp_path / "run").is_symlink()
    assert names(tmp_path / "disk") == [WRITTEN, "new"]


def test_a_link_that_leads_nowhere_is_told_before_the_work(tmp_path):
    (tmp_path / "run").symlink_to("nowhere")
    with pytest.raises(OutputError, match="run: is a file"):
        check_writable(tmp_path / "run", force=False)


def test_a_folder_that_cannot_be_replaced_is_filled(tmp_path, monkeypatch):
    """A mount, such as a container's volume, cannot be renamed over."""
    folder = tmp_path / "volume"
    folder.mkdir()
    rename = Path.rename

    def busy(path, target):
        if Path(target) == folder:
            raise OSError(16, "Device or resource busy", str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", busy)
    write_run(folder, new="later")
    assert names(folder) == [WRITTEN, "new"]


def test_the_longest_name_that_a_folder_may_have_is_enough(tmp_path):
    folder = tmp_path / ("n" * 255)
    check_writable(folder, force=False)
    write_run(folder, new="later")
    assert names(folder) == [WRITTEN, "new"]


@pytest.mark.parametrize("name", ["n" * 256, "zero\0byte"])
def test_a_name_that_no_folder_can_have_is_told_before_the_work(tmp_path, name):
    with pytest.raises(OutputError, match=r"cannot write there|no name of a folder"):
        check_writable(tmp_path / name, force=False)
    assert names(tmp_path) == []


def test_a_name_that_is_no_text_is_a_name(tmp_path):
    folder = tmp_path / os.fsdecode(b"run-\xff\xfe")
    with locked(folder):
        write_run(folder, new="later")
    assert names(folder) == [WRITTEN, "new"]


@pytest.mark.parametrize("fault", [DataError("no data"), KeyboardInterrupt(), ZeroDivisionError()])
def test_what_there_is_when_the_end_fails_is_kept_and_the_place_told(tmp_path, fault):
    def work():
        keep = lambda working: keep_incomplete(working, lambda place: (place / "pruned.pt").write_text("network"))  # noqa: E731
        with complete_or_nothing(tmp_path / "run", force=False, keep=keep) as working:
            (working / "measured.json").write_text("figures")
            raise fault

    with pytest.raises(type(fault)) as caught:
        work()
    (kept,) = tmp_path.iterdir()
    assert names(kept) == ["measured.json", "pruned.pt"]
    assert str(kept) in caught.value.__notes__[0]


def test_what_cannot_be_kept_beside_is_kept_where_there_is_room(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path / "room"))
    working = tmp_path / "working"
    working.mkdir()

    def write(place):
        if place.parent == tmp_path:
            raise OSError(28, "No space left on device")
        (place / "pruned.pt").write_text("network")

    words = keep_incomplete(working, write)
    (kept,) = (tmp_path / "room").iterdir()
    assert names(kept) == ["pruned.pt"]
    assert str(kept) in words


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken: is a file; results need a folder \(`folder`\)"):
        check_writable(tmp_path / "taken", force=True)
    with pytest.raises(OutputError, match=r"taken: is a file; results need a folder \(`folder`\)"):
        check_writable(tmp_path / "taken" / "run", force=False)


@pytest.mark.skipif(not os.access("/proc/self", os.X_OK), reason="needs a file system that nobody may write to")
def test_a_place_that_nobody_may_write_to_is_named_before_the_work():
    with pytest.raises(OutputError, match=r"^/proc: cannot write there \(.*\); choose another folder \(`folder`\)"):
        check_writable(Path("/proc/spear-deploy-run"), force=False)


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "some" / "run", force=False)
    assert names(tmp_path) == []


@pytest.mark.parametrize("before", [{}, {"report.json": "earlier"}])
def test_what_was_kept_of_an_unfinished_run_is_not_in_the_way_of_the_next_one(tmp_path, before):
    folder = tmp_path / "run"
    folder.mkdir()
    if before:
        write_run(folder, **before)

    def write(place):
        (place / "plain.pt").write_text("found")

    def ended():
        keep = lambda working: keep_incomplete(working, write)  # noqa: E731
        with complete_or_nothing(folder, force=True, keep=keep) as working:
            with replaced_when_complete(working / "pruned.nir") as file:
                file.write_text("network")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ended()
    (kept,) = folder.glob("incomplete-*")
    with complete_or_nothing(folder, force=bool(before)) as working:
        (working / "report.json").write_text("later")
    assert (folder / "report.json").read_text() == "later"
    assert names(kept) == ["plain.pt", "pruned.nir"]
    assert list(json.loads((folder / WRITTEN).read_text())["files"]) == ["report.json"]


def test_a_relative_folder_is_written_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("run"), new="")
    assert names(tmp_path) == ["run"]


def test_what_a_killed_process_left_beside_a_folder_is_swept_and_nothing_else(tmp_path):
    place, other = tmp_path / "run", tmp_path / "other"
    for folder in (place, other):
        with suppress(KeyboardInterrupt), complete_or_nothing(folder, force=False) as working:
            left = working.with_name(f"{working.name}x")  # as if it had not been tidied
            left.mkdir()
            (left / "pruned.pt").touch()
            raise KeyboardInterrupt
    assert len(list(tmp_path.iterdir())) == 2
    sweep(place)
    assert len(list(tmp_path.iterdir())) == 1
    sweep(other)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_filled_meanwhile_costs_nothing_that_was_found(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "theirs").write_text("not ours")

    def write(place):
        (place / "pruned.pt").write_text("found")

    with (
        pytest.raises(OutputError, match="is not empty") as fault,
        complete_or_nothing(folder, force=False, keep=lambda working: keep_incomplete(working, write)),
    ):
        pass
    (kept,) = folder.glob("incomplete-*")
    assert fault.value.__notes__ == [f"what there is was kept in {kept}"]
    assert (kept / "pruned.pt").read_text() == "found"
    assert (folder / "theirs").read_text() == "not ours"
