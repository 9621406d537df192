"""A report of version 1 reads as one of today: backends had other names."""

import json

import pytest
from run_reports import full_content, write_run_folder

from spear_deploy.report import Report
from spear_deploy.report.earlier import RENAMED, as_now
from spear_deploy.report.gap import check_run
from spear_deploy.report.reading import read_run

THEN = {now: before for before, now in RENAMED.items()}


def as_version_1(content):
    """The same with the names of version 1."""
    content = json.loads(json.dumps(content)) | {"schema_version": 1}
    for part in (content["measured"], content["agreement"], content["lre"]["check"]):
        for name in [name for name in part if name in THEN]:
            part[THEN[name]] = part.pop(name)
    content["verdict"]["basis"] = THEN[content["verdict"]["basis"]]
    return content


def test_backends_are_called_as_they_are_now(tmp_path):
    now, old = full_content(), as_version_1(full_content())
    assert "chip" not in json.dumps([old["measured"], old["agreement"], old["lre"]["check"], old["verdict"]["basis"]])
    (tmp_path / "run").mkdir()
    write_run_folder(tmp_path / "run", Report.model_validate(now))
    (tmp_path / "run" / "report.json").write_text(json.dumps(old))
    report = read_run(tmp_path / "run").report
    assert report == Report.model_validate(now | {"schema_version": 1})
    assert check_run("run", report).gap == check_run("run", Report.model_validate(now)).gap is not None


@pytest.mark.parametrize("part", ["measured", "agreement", "lre", "verdict"])
@pytest.mark.parametrize("damage", [None, 3, [], "", {}, {"check": 1, "basis": []}])
def test_what_is_damaged_stays_as_it_is(part, damage):
    assert as_now({part: damage}) == {part: damage}
