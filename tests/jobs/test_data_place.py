"""The data of a network are found again from any folder, and no others are taken in their place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_task import arrays, untrained, write_task
from small_runs import run

import spear_deploy as sd
from spear_deploy.cli import main
from spear_deploy.data import load_data
from spear_deploy.errors import DataError
from spear_deploy.jobs.data_place import find_data, place_of, recorded_data
from spear_deploy.jobs.deploy.request import DeployConfig
from spear_deploy.jobs.export.bundle import run_bundle
from spear_deploy.jobs.export.export import run_export
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.network import load_any, save_model_file
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe


class Heard(Silent):
    def __init__(self):
        self.notices = []

    def notice(self, text):
        self.notices.append(text)


def found(path, asked=None):
    """The data of a model file, and what the user is told of them."""
    said = []
    return find_data(path, load_any(path), asked, said.append), said


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network beside its data, and a run elsewhere."""
    home = tmp_path_factory.mktemp("home")
    (home / "networks").mkdir()
    (home / "runs").mkdir()
    write_task(home / "networks")
    with pytest.MonkeyPatch.context() as there:
        there.chdir(home)
        run(Path("networks/model.pt"), Path("runs/one"), lre_samples=8, evaluations=4)
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """The same moved to another folder, as a whole; the user stands in a folder with other data of that name."""
    moved, elsewhere = tmp_path / "moved", tmp_path / "elsewhere"
    shutil.copytree(made, moved)
    elsewhere.mkdir()
    np.savez(elsewhere / "samples.npz", **arrays(seed=7))
    monkeypatch.chdir(elsewhere)
    return moved


@pytest.mark.parametrize("name", ["pruned.pt", "pruned.nir", "plain.pt"])
def test_the_networks_of_a_run_find_their_data_from_any_folder_when_both_have_moved(home, name):
    data, said = found(home / "runs" / "one" / name)
    assert data.name == str(home / "networks" / "samples.npz")
    assert data.sha256 == load_data(home / "networks" / "samples.npz").sha256
    assert said == []


def test_a_report_says_where_the_data_lay_counted_from_its_folder(home):
    report = json.loads((home / "runs" / "one" / "report.json").read_text())
    assert Path(report["data_place"]) == Path("../../networks/samples.npz")


def test_networks_have_the_same_bytes_wherever_they_are_written(made, tmp_path):
    run(made / "networks" / "model.pt", tmp_path / "deeper" / "run", lre_samples=8, evaluations=4)
    for name in ("pruned.pt", "pruned.nir", "plain.pt"):
        assert (tmp_path / "deeper" / "run" / name).read_bytes() == (made / "runs" / "one" / name).read_bytes()


def test_other_data_of_that_name_in_the_working_folder_are_never_those_of_a_run(home):
    (home / "networks" / "samples.npz").unlink()
    with pytest.raises(DataError, match=r"pruned\.pt: .* not found: the SHA-256 of samples\.npz differs; give `data="):
        found(home / "runs" / "one" / "pruned.pt")
    Path("samples.npz").unlink()
    with pytest.raises(DataError, match=r"networks/samples\.npz: no such data file, and .*pruned\.pt was made with it"):
        found(home / "runs" / "one" / "pruned.pt")


def test_the_data_of_a_run_are_known_in_the_working_folder_too(home):
    shutil.move(home / "networks" / "samples.npz", "samples.npz")
    data, said = found(home / "runs" / "one" / "pruned.pt")
    assert (data.name, said) == ("samples.npz", [])


def test_other_data_are_taken_where_the_user_names_them_or_puts_them_beside_the_network(home):
    assert found(home / "runs" / "one" / "pruned.pt", "samples.npz")[0].sha256 == load_data("samples.npz").sha256
    (home / "networks" / "samples.npz").unlink()
    beside = home / "runs" / "one" / "samples.npz"
    shutil.copy("samples.npz", beside)
    data, said = found(home / "runs" / "one" / "pruned.pt")
    assert data.name == str(beside)
    assert len(said) == 1
    assert f"{beside}: other data than those that" in said[0]


def test_a_run_on_other_data_than_its_network_names_has_those(home):
    there = home / "runs" / "one"
    np.savez(home / "others.npz", **arrays(seed=3))
    report = json.loads((there / "report.json").read_text())
    report |= {"data": "others.npz", "data_sha256": load_data(home / "others.npz").sha256}
    (there / "report.json").write_text(json.dumps({**report, "data_place": "../../others.npz"}))
    assert found(there / "pruned.pt")[0].name == str(home / "others.npz")


@pytest.mark.parametrize("damage", ["[]", "{", '{"data": 3, "data_sha256": null}'])
def test_a_damaged_report_tells_nothing_of_data(home, damage):
    (home / "runs" / "one" / "report.json").write_text(damage)
    assert recorded_data(home / "runs" / "one" / "pruned.pt") is None


@pytest.mark.parametrize("where", [".", "models"])
def test_nothing_is_told_of_data_beside_the_network(tmp_path, monkeypatch, where):
    (tmp_path / where).mkdir(exist_ok=True)
    write_task(tmp_path / where)
    monkeypatch.chdir(tmp_path)
    assert found(Path(where) / "model.pt")[1] == []


def test_without_a_record_the_working_folder_is_looked_into_and_that_is_told(home):
    path = home / "alone.pt"
    shutil.copy(home / "runs" / "one" / "pruned.pt", path)
    data, said = found(path)
    assert data.name == "samples.npz"
    assert said == [f"{path} names its data samples.npz, which do not lie beside it: those in {Path.cwd()} are taken"]


def test_what_an_export_wrote_finds_the_data_of_its_network(home, tmp_path):
    run_export(ExportRequest(home / "runs" / "one", ("nir",), tmp_path / "from-a-run"), Silent())
    run_export(ExportRequest(home / "networks" / "model.pt", ("nir",), tmp_path / "from-a-file"), Silent())
    for path in (tmp_path / "from-a-run" / "pruned.nir", tmp_path / "from-a-file" / "model.nir"):
        data, said = found(path)
        assert (data.name, said) == (str(home / "networks" / "samples.npz"), [])


def test_a_bundle_says_which_data_and_not_where_they_lay(home, tmp_path):
    _, path = run_bundle(ExportRequest(home / "runs" / "one", ("bundle",), tmp_path / "zip", verify=False), Silent())
    shutil.unpack_archive(path, tmp_path / "held")
    entries = json.loads((tmp_path / "held" / "export.json").read_text())["exports"]
    written = next(entry for entry in entries if entry["format"] == "nir")
    assert written["data"]["sha256"] == load_data(home / "networks" / "samples.npz").sha256
    assert "place" not in written["data"]


def test_export_says_when_it_proves_on_made_up_samples(home, tmp_path):
    (home / "networks" / "samples.npz").unlink()
    heard = Heard()
    run_export(ExportRequest(home / "runs" / "one" / "pruned.pt", ("nir",), tmp_path / "out"), heard)
    assert any("proven on made-up samples: " in notice and "SHA-256" in notice for notice in heard.notices)


def test_a_run_from_python_finds_its_data_wherever_it_is_saved(home, tmp_path):
    recipe = Recipe(epochs=1, batch=16, learning_rate=5e-3)
    few = {"lre_samples": 8, "evaluations": 4, "finalists": 1, "plan": TuningPlan(recipe, recipe), "lava": False}
    data = sd.load_data(home / "networks" / "samples.npz")
    result = sd.deploy(untrained(), "loihi2", data, DeployConfig(budgets=("60%",), **few))
    result.save(tmp_path / "a" / "b" / "c")
    assert found(tmp_path / "a" / "b" / "c" / "pruned.pt")[0].sha256 == data.sha256
    assert result.report.data_place == str(home / "networks" / "samples.npz")


def test_a_run_is_measured_again_from_any_folder(home, capsys):
    with pytest.raises(SystemExit) as ended:
        main(("validate", str(home / "runs" / "one"), "--again"))
    out, err = capsys.readouterr()
    assert ended.value.code in (0, 1), err
    assert "torch" in out


def test_a_network_that_names_no_data_has_none(tmp_path):
    save_model_file(replace(untrained(), data=None), tmp_path / "model.pt")
    assert found(tmp_path / "model.pt") == (None, [])


def test_data_in_no_file_have_no_place(tmp_path):
    assert place_of("digits", tmp_path) is None
    assert place_of("arrays", None) is None
