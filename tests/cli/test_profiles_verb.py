"""The verbs profiles and calibrate, as a user types them."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from spear_deploy.cli import calibrate as calibrate_verb
from spear_deploy.cli import profiles as profiles_verb
from spear_deploy.errors import SpearDeployError
from spear_deploy.hardware import known_profiles, load_profile

app = typer.Typer()
app.add_typer(profiles_verb.app, name="profiles")
app.command("calibrate")(calibrate_verb.calibrate)


def run(*words):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def test_every_chip_is_listed():
    listed = json.loads(run("profiles", "list", "--json").stdout)
    assert [each["name"] for each in listed] == known_profiles()


def test_a_chip_is_shown_with_the_source_of_each_figure():
    shown = json.loads(run("profiles", "show", "loihi1", "--json").stdout)
    price = shown["figures"]["energy.synaptic_operation"]
    assert price["source"] == "Davies et al. 2018, Table 2, p. 96"
    assert price["quote"] == "Energy per synaptic spike op (min) | 23.6 pJ"


def test_a_shipped_chip_as_toml_is_a_profile_of_ones_own(tmp_path):
    text = run("profiles", "show", "loihi2", "--toml").stdout
    (tmp_path / "mine.toml").write_text(text)
    result = run("profiles", "check", str(tmp_path / "mine.toml"))
    assert result.exit_code == 0
    figures = load_profile("loihi2").figures().values()
    unknown = sum(not figure.known for figure in figures)
    assert f"ok, {len(figures)} figures, {unknown} of them unknown" in result.stdout


@pytest.mark.parametrize("more", [("--json",), ("energy",)])
def test_what_a_file_of_a_whole_chip_would_leave_unused_is_refused(more):
    result = run("profiles", "show", "loihi2", "--toml", *more)
    assert result.exit_code == 2
    assert f"--toml prints the whole file; leave out {more[0]}" in result.output


def test_a_faulty_profile_is_one_message(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\ntitle = "Mine"\nspeed = 3')
    result = run("profiles", "check", str(tmp_path / "mine.toml"))
    assert isinstance(result.exception, SpearDeployError)
    assert "speed: unknown key" in str(result.exception)


def test_the_figures_that_two_chips_do_not_share_are_shown_beside_each_other():
    found = json.loads(run("profiles", "diff", "loihi1", "loihi1-nahuku", "--json").stdout)
    assert found["energy.synaptic_operation"] == ["at least 23.6 pJ, published", "35.5 pJ (24 to 35.5), published"]
    assert "core.neurons" not in found
    assert "energy.synaptic_operation" in run("profiles", "diff", "loihi1", "loihi1-nahuku").stdout


def test_keys_that_have_to_be_typed_are_never_cut():
    shown = CliRunner().invoke(app, ["profiles", "show", "loihi2", "energy"], env={"COLUMNS": "80"}).stdout
    assert "energy.neuron_update_inactive" in shown


def test_measurements_become_a_profile(tmp_path):
    rows = tmp_path / "rows.csv"
    lines = ["network,chips,synops,mj_total,mj_dynamic,ms"]
    for number, synops in enumerate((1e5, 3e5, 1e6, 2e6)):
        error = 1 + 0.02 * (-1) ** number
        lines.append(f"net {number},1,{synops},{synops * 2e-8 * error + 0.1 * error},{synops * 2e-8 * error},1.0")
    rows.write_text("\n".join(lines))
    mine = tmp_path / "mine.toml"
    told = run("calibrate", "loihi2", str(rows), "--instrument", "INA228", "--date", "2026-05-01", "--out", str(mine))
    assert told.exit_code == 0, told.output
    assert re.search(r"energy.synaptic_operation +│ +20.0 pJ +│ 19.3 to 20.7 pJ", told.stdout)
    shown = run("profiles", "show", str(mine), "energy.synaptic").stdout
    assert "measured" in shown
    assert "figures are those of loihi2" in run("profiles", "check", str(mine)).stdout
    written = mine.read_text()
    again = ("calibrate", "loihi2", str(rows), "--instrument", "INA228", "--out")
    for standing in (mine, rows):  # a profile may have been edited since
        assert "is there already; choose another name" in str(run(*again, str(standing)).exception)
    assert "was not written by spear-deploy" in str(run(*again, str(rows), "--force").exception)
    assert (mine.read_text(), rows.read_text()) == (written, "\n".join(lines))
    unsound = run("calibrate", "loihi2", str(rows), "--instrument", "INA228", "--out", str(tmp_path / "my chip.toml"))
    assert "my chip.toml: the new profile gets the name of its file: " in str(unsound.exception)
    assert not (tmp_path / "my chip.toml").exists()


def test_figures_are_chosen_by_their_keys_alike_in_words_and_in_json():
    assert set(json.loads(run("profiles", "show", "loihi1", "time.barrier", "--json").stdout)["figures"]) == {
        "time.barrier",
        "time.barrier_by_chips",
        "time.barrier_by_routers",
    }
    told = str(run("profiles", "show", "loihi2", "weather").exception)
    assert "loihi2 has no figure whose key holds 'weather'; its figures are of chip, core," in told


def test_a_chip_without_figures_is_told_so(tmp_path):
    (tmp_path / "bare.toml").write_text('name = "bare"\ntitle = "Bare"')
    told = str(run("profiles", "show", str(tmp_path / "bare.toml")).exception)
    assert told == "bare has no figure; every key that one may have: spear-deploy profiles schema"


def test_a_chip_differs_from_itself_in_nothing():
    assert run("profiles", "diff", "loihi1", "loihi1").stdout.split("\n")[0].endswith("are alike")
