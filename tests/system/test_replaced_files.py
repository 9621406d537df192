"""A single file that appears when it is complete, and replaces nothing foreign."""

import os
import threading
from pathlib import Path

import pytest

from spear_deploy.errors import DataError, OutputError
from spear_deploy.system.files import (
    complete_or_nothing,
    replaced_when_complete,
    write_file,
)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_under_its_name_when_it_is_complete(tmp_path):
    with replaced_when_complete(tmp_path / "sub" / "model.nir") as working:
        working.write_text("whole")
        assert names(tmp_path / "sub") != ["model.nir"]
    assert names(tmp_path / "sub") == ["model.nir"]


def test_two_files_that_are_written_at_once_do_not_meet(tmp_path):
    with replaced_when_complete(tmp_path / "a.nir") as one, replaced_when_complete(tmp_path / "b.nir") as other:
        one.write_text("a")
        other.write_text("b")
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["a", "b"]


def test_a_file_that_fails_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "model.nir"
    path.write_text("earlier")

    def work():
        with replaced_when_complete(path, ours=lambda path: True) as working:
            working.write_text("half")
            raise DataError("no data")

    with pytest.raises(DataError):
        work()
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["model.nir"]


def test_a_file_is_ours_by_its_mark_or_by_the_record_of_its_folder(tmp_path):
    with complete_or_nothing(tmp_path / "run", force=False) as working:
        (working / "pruned.pt").write_text("weights")
    (tmp_path / "page.html").write_text("<!doctype html><title>made by spear-deploy</title>")
    (tmp_path / "thesis.html").write_text("<!doctype html><title>Chapter 4</title>")
    for path in (tmp_path / "run" / "pruned.pt", tmp_path / "page.html"):
        with replaced_when_complete(path) as working:
            working.write_text("again")
        assert path.read_text() == "again"
    (tmp_path / "run" / "pruned.pt").write_text("trained on by hand")
    for path in (tmp_path / "run" / "pruned.pt", tmp_path / "thesis.html"):
        with pytest.raises(OutputError, match="is there already and was not written by spear-deploy"):
            replaced_when_complete(path).__enter__()


@pytest.mark.parametrize("standing", ["a folder", "a device", "a file of others"])
def test_a_file_replaces_nothing_foreign(tmp_path, standing):
    path = tmp_path / "page.html"
    if standing == "a folder":
        path.mkdir()
    elif standing == "a device":
        path = Path("/dev/null")
    else:
        path.write_text("foreign")

    def work():
        with replaced_when_complete(path, ours=lambda path: path.read_text() == "ours") as working:
            working.write_text("ours")

    with pytest.raises(OutputError, match="was not written by spear-deploy; choose another name"):
        work()


def test_a_file_with_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".html")
    with replaced_when_complete(path) as working:
        working.write_text("page")
    assert names(tmp_path) == [path.name]


def _write(path):
    with replaced_when_complete(path) as working:
        working.write_bytes(b"new")


WRITERS = pytest.mark.parametrize("write", [_write, lambda path: write_file(path, b"new")], ids=["job", "model"])


@WRITERS
def test_a_link_that_leads_back_to_itself_is_named(tmp_path, write):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="loop: is a link that leads back to itself"):
        write(tmp_path / "loop")
    assert names(tmp_path) == ["loop"]


@WRITERS
def test_a_link_to_a_file_of_ours_stays_one(tmp_path, write):
    write(tmp_path / "file.html")
    (tmp_path / "link.html").symlink_to("new.html")
    write(tmp_path / "link.html")
    assert names(tmp_path) == ["file.html", "link.html", "new.html"]
    assert (tmp_path / "link.html").is_symlink()


def test_a_link_put_under_a_name_that_we_write_to_meanwhile_leads_nowhere(tmp_path):
    """In a folder that all may write to, others plant links under names that they can foretell."""
    (tmp_path / "precious").write_text("kept")
    folder = tmp_path / "shared"
    folder.mkdir()
    for thread in {threading.get_ident(), threading.main_thread().ident}:
        (folder / f".spear-deploy-partial-{os.getpid()}-{thread}").symlink_to(tmp_path / "precious")
    write_file(folder / "model.pt", b"new")
    assert (folder / "model.pt").read_bytes() == b"new"
    assert (tmp_path / "precious").read_text() == "kept"
