"""Pages of old and damaged run folders, and what is no run."""

import json
import os

import pytest
from page_text import Reader
from run_reports import full_content

from spear_deploy.errors import DataError
from spear_deploy.report import SCHEMA_VERSION, Report
from spear_deploy.report.reading import read_report, read_run


def test_a_report_of_an_earlier_version_opens(folder, call):
    content = full_content()
    for key in ("search", "finalists", "spikes", "placement", "cost", "rounding", "peak_memory_mib"):
        del content[key]
    del content["lre"]["check"]
    (folder / "report.json").write_text(json.dumps(content))
    code, _, err = call(folder)
    assert (code, err) == (0, "")
    assert "not recorded" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "report.json is missing"),
        ("", "report.json cannot be read"),
        ('{"model": "mod', "report.json cannot be read"),
        ("[1, 2]", "report.json holds no JSON object"),
        ("{}", "report.json: does not hold a report"),
        ("\x00" * 40, "report.json cannot be read"),
    ],
)
def test_a_run_without_a_readable_report_gives_a_page_that_says_so(folder, call, content, said):
    if content is None:
        (folder / "report.json").unlink()
    else:
        (folder / "report.json").write_text(content)
    code, _, err = call(folder)
    assert code == 1
    assert said in err
    assert "Traceback" not in err
    text = " ".join(Reader((folder / "report.html").read_text()).text)
    assert "No verdict" in text
    assert said in text
    assert "pruned.nir" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, f"has schema_version {SCHEMA_VERSION + 1}"),
        ({"schema_version": None}, "names no schema_version"),
    ],
)
def test_a_report_of_a_version_that_is_not_known_is_refused(folder, call, changes, said):
    """What its figures mean then, nobody can say."""
    (folder / "report.json").write_text(json.dumps(full_content() | changes))
    code, _, err = call(folder)
    assert code == 1
    assert f"does not hold a report that can be read: it {said}; this spear-deploy reads 1 and" in " ".join(err.split())
    assert read_run(folder).report is None
    with pytest.raises(DataError, match=f"{said}; this spear-deploy reads"):
        read_report(folder)


def test_a_damaged_part_is_left_out_and_named(folder, call):
    content = full_content() | {"search": {"groups": 3}, "invention": 1}
    (folder / "report.json").write_text(json.dumps(content))
    code, _, err = call(folder)
    assert code == 1
    for said in ("search cannot be read", "invention cannot be read"):
        assert said in err.replace("\n", " ")
    run = read_run(folder)
    assert run.report == Report.model_validate(full_content() | {"search": None})
    html = (folder / "report.html").read_text()
    assert "search cannot be read" in html
    assert 'id="figure-search"' not in html
    assert 'id="figure-layers"' in html


def test_missing_and_changed_networks_are_told(folder, call):
    (folder / "pruned.pt").unlink()
    (folder / "pruned.onnx").write_bytes(b"other")
    exports = [
        {"format": "onnx", "files": {"pruned.onnx": "00" * 32}, "refused": []},
        {"format": "netx", "files": {"../pruned.net": "00" * 32}, "refused": []},
        {"format": "lava", "files": {}, "refused": ["lif1: no such neuron", "lif2: no bias"]},
    ]
    (folder / "export.json").write_text(json.dumps({"exports": exports}))
    code, _, err = call(folder)
    assert code == 1
    assert "pruned.pt is missing" in err
    assert "pruned.onnx is not what the run wrote" in err
    assert "'../pruned.net' is no name of a file" in err
    assert (
        "Not written as lava: lif1: no such neuron (and 1 more in export.json)." in (folder / "report.html").read_text()
    )


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "a link to itself"])
@pytest.mark.parametrize("name", ["report.json", "export.json", "pruned.pt", "plain.pt"])
def test_what_stands_in_a_run_s_folder_and_is_no_ordinary_file_is_not_waited_for(folder, name, kind):
    path = folder / name
    path.unlink(missing_ok=True)
    match kind:
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a folder":
            path.mkdir()
        case _:
            path.symlink_to(name)
    run = read_run(folder)
    assert name == "plain.pt" or any(name in gap for gap in run.gaps)
    assert name not in {file.name for file in run.files}


def test_what_is_no_run_is_refused(tmp_path, call):
    (tmp_path / "notes.txt").write_text("")
    for path, said in (
        (tmp_path / "nowhere", "no such folder"),
        (tmp_path, "holds none of report.json"),
        (tmp_path / "notes.txt", "is a file"),
    ):
        code, out, err = call(path)
        assert (code, out) == (2, "")
        assert said in err
