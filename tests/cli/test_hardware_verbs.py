"""The verbs check and compare, as a user types them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from made_task import arrays, write_task
from rich.console import Console
from typer.testing import CliRunner

from spear_deploy.cli import check as check_verb
from spear_deploy.cli import compare as compare_verb
from spear_deploy.cli import main
from spear_deploy.cli import profiles as profiles_verb
from spear_deploy.errors import SpearDeployError
from spear_deploy.hardware import known_profiles, load_profile
from spear_deploy.jobs.check import check as run_check
from spear_deploy.jobs.check import subjects_of
from spear_deploy.network import Reading, save_model_file
from spear_deploy.network import load_model_file as load_model
from spear_deploy.report.terminal.check import check_text

DIGITS = str(Path(__file__).parents[2] / "examples" / "digits.pt")

app = typer.Typer()
app.add_typer(profiles_verb.app, name="profiles")
app.command("check")(check_verb.check)
app.command("compare")(compare_verb.compare)


def run(*words):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def test_check_says_that_it_fits_and_what_binds():
    result = run("check", DIGITS, "--target", "loihi2")
    assert result.exit_code == 0
    assert "fits the known limits" in result.stdout
    assert "not checked, because not known here: input axons per core, output axons per core" in result.stdout


def test_check_ends_with_1_where_it_does_not_fit_and_names_every_violation(tmp_path):
    chip = tmp_path / "small.toml"
    chip.write_text(
        'name = "small"\ntitle = "Small"\ninherits = "loihi2"\n'
        '[chip.usable_cores_per_chip]\nvalue = 2\nunit = "cores"\nstatus = "published"\nsource = "test"'
    )
    result = run("check", DIGITS, "--target", str(chip), "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content["verdict"] == "does not fit"
    (finding,) = [each for each in content["findings"] if each["kind"] != "note"]
    assert (finding["rule"], finding["found"], finding["allowed"]) == ("cores", "4 cores", "2 cores")
    assert len(content["core_table"]) == content["cores"]


def test_the_origin_of_the_spikes_is_named():
    content = json.loads(run("check", DIGITS, "--samples", "7", "--json").stdout)
    arithmetic = {"encoding": "direct", "backend": "chip", "arithmetic": "loihi, 8-bit weights"}
    assert content["measured"] == {"split": "test", "samples": 7, "held": 400, **arithmetic}
    told = run("check", DIGITS, "--samples", "7").stdout
    assert "mean of 7 of 400 test samples, encoding direct, chip, loihi, 8-bit weights" in told


def test_without_data_sizes_are_checked_and_nothing_is_priced(tmp_path):
    model = load_model(DIGITS)
    save_model_file(replace(model, data=None), tmp_path / "bare.pt")
    result = run("check", str(tmp_path / "bare.pt"), "--json", "--svg", str(tmp_path / "cores.svg"))
    content = json.loads(result.stdout)
    assert "1_leaky: channels" in (tmp_path / "cores.svg").read_text()
    assert content["fits"]
    assert content["cost"] is None
    assert content["measured"] is None


def test_inputs_that_vanish_on_the_chip_are_told_in_words_and_in_json(tmp_path):
    model, held = write_task(tmp_path), arrays()
    held["x_train"][5, 0, 0, 0] = 450
    np.savez(tmp_path / "samples.npz", **held)
    checked = json.loads(run("check", str(model), "--json").stdout)
    in_torch, compared = json.loads(run("compare", str(model), "--target", "generic-45nm,loihi2", "--json").stdout)
    assert checked["told"] == compared["told"] != in_torch["told"]
    (line,) = {*compared["told"]} - {*in_torch["told"]}
    assert line.startswith("model.pt on loihi2: ")
    assert " are sent as 0: " in line
    for verb in ("check", "compare"):
        assert line in " ".join(run(verb, str(model), "--target", "loihi2").stderr.split())


def test_a_models_own_data_is_found_beside_it_from_wherever_check_is_called(tmp_path, monkeypatch):
    write_task(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    content = json.loads(run("check", str(tmp_path / "model.pt"), "--samples", "3", "--json").stdout)
    assert content["measured"]["samples"] == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["profiles", "list"], 0),
        (["check", DIGITS, "--samples", "2"], 0),
        (["check", DIGITS, "--samples", "2", "--target", "xylo-a2"], 1),
        (["check", DIGITS, "--target", "lohi2"], 2),
        (["compare", DIGITS, "--samples", "2", "--target", "loihi2,xylo-a2"], 0),
        (["compare", DIGITS, "--sort", "colour"], 2),
        (["compare", "nothing.pt"], 2),
    ],
)
def test_the_command_ends_with_its_code(words, code, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_energy_parts_of_check_add_up():
    cost = json.loads(run("check", DIGITS, "--json").stdout)["cost"]
    total = sum(part["energy_pj"]["typical"] for part in cost["parts"])
    assert cost["energy_pj"]["typical"] == pytest.approx(total)


@pytest.mark.parametrize("name", known_profiles())
def test_every_price_and_time_that_was_used_is_shown_with_its_source(name):
    cost = json.loads(run("check", DIGITS, "--target", name, "--samples", "5", "--json").stdout)["cost"]
    figures = json.loads(run("profiles", "show", name, "--json").stdout)["figures"]
    priced = [key for part in cost["parts"] if part["energy_pj"] is not None for key in part["figures"]]
    for key in (*priced, *cost["timing"]["figures"]):
        assert figures[key]["source"]


def test_keys_of_prices_are_never_cut():
    shown = CliRunner().invoke(app, ["check", DIGITS, "--target", "loihi2", "--samples", "2"], env={"COLUMNS": "80"})
    assert "energy.neuron_update_inactive" in shown.stdout


def test_large_counts_leave_room_for_how_sure_a_price_is():
    (subject,) = subjects_of([Path(DIGITS)], None, 2, Reading(), lambda text: None)
    row = run_check(subject, load_profile("loihi1")).row
    cost = replace(row.cost, parts=tuple(replace(part, count=100 * part.count) for part in row.cost.parts))
    console = Console(width=80, record=True)
    console.print(check_text(replace(row, cost=cost)))
    energies, _ = console.export_text().split("energy of an inference")[1].split("time of a step")
    assert energies.count("published") == sum(part.status == "published" for part in cost.parts) > 0


def test_pictures_and_pages_of_ours_are_made_again_and_those_of_others_left_alone(tmp_path):
    kept = {"drawing.svg": "<svg/>", "thesis.html": "<!doctype html>", "net.pt": "weights"}
    for name, content in kept.items():
        (tmp_path / name).write_text(content)
    for name in kept:
        for words in (["check", "--target", "loihi2", "--svg"], ["compare", "--svg"], ["compare", "--html"]):
            refused = run(words[0], DIGITS, *words[1:], str(tmp_path / name))
            assert "was not written by spear-deploy; choose another name" in str(refused.exception)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == kept
    for words in (["check", "--target", "loihi2", "--svg"], ["compare", "--svg"], ["compare", "--html"]):
        for _ in range(2):
            assert run(words[0], DIGITS, *words[1:], str(tmp_path / "-".join(words))).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "lohi2"], "did you mean 'loihi2'"),
        (["--data", "nothing"], "no data set called 'nothing'"),
    ],
)
def test_bad_input_is_one_clear_message(words, message):
    result = run("compare", DIGITS, *words)
    assert isinstance(result.exception, SpearDeployError)
    assert message in str(result.exception)


def test_an_unknown_column_lists_the_known():
    result = run("compare", DIGITS, "--sort", "colour")
    assert result.exit_code == 2
    assert "known: target, fits, cores, energy, time, keep" in result.output


def test_inputs_may_be_said_to_be_spikes():
    analog = json.loads(run("check", DIGITS, "--target", "loihi1", "--json").stdout)
    assert not analog["fits"]
    spikes = json.loads(run("check", DIGITS, "--target", "loihi1", "--encoding", "rate", "--json").stdout)
    assert spikes["fits"]
    assert spikes["cost"]["analog_operations"] == 0


def test_a_network_that_needs_its_first_layer_on_the_host_fits_with_adapt():
    refused = run("check", DIGITS, "--target", "loihi1", "--json")
    assert refused.exit_code == 1
    assert "adapt=True" in refused.stdout
    result = run("check", DIGITS, "--target", "loihi1", "--adapt", "--json", "--samples", "5")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    (adaptation,) = shown["adaptations"]
    assert (adaptation["layer"], adaptation["to"]) == ("1_leaky", "on the host in float64")
    assert adaptation["spike_change_percent"] == 0.0
    assert {core["layer"] for core in shown["core_table"]} == {"3_leaky", "5_leaky", "8_leaky"}
    words = run("check", DIGITS, "--target", "loihi1", "--adapt", "--samples", "5").stdout
    assert "what the host computes is not priced" in words


def test_a_time_budget_that_means_alone_would_keep_is_kept_on_more_cores_alone():
    """The mean of the busiest core's work fits into 50 us on Loihi 2; the sum of each step's busiest core does not."""
    result = run("check", DIGITS, "--target", "loihi2", "--budget", "50us", "--budget", "core-step=1M", "--json")
    assert result.exit_code == 0
    found = {each["quantity"]: each for each in json.loads(result.stdout)["budgets"]}
    assert json.loads(result.stdout)["cost"]["time_ns"]["high"] > 50e3 > found["latency"]["used"]
    assert "cores instead of 1" in found["latency"]["moved"]
    assert (found["latency"]["kept"], found["core-step"]["kept"]) == (True, True)


def test_a_budget_that_no_placement_keeps_is_broken():
    result = run("check", DIGITS, "--target", "loihi2", "--budget", "1us", "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["budgets"]
    assert not found["kept"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--target", "loihi2"], 0),
        (["--target", "loihi2", "--fail-on", "unknown"], 1),
        (["--target", "loihi2", "--budget", "1us", "--fail-on", "misfit"], 0),
        (["--target", "speck2f", "--budget", "3uJ", "--fail-on", "budget"], 0),
        (["--target", "speck2f", "--budget", "3uJ", "--fail-on", "unknown"], 1),
    ],
)
@pytest.mark.parametrize("verb", ["check", "compare"])
def test_a_pipeline_stops_at_the_gates_that_it_names(verb, words, code):
    assert run(verb, DIGITS, "--samples", "3", *words).exit_code == code


def test_compare_stops_at_no_gate_that_is_not_named_and_says_so():
    told = run("compare", DIGITS, "--target", "loihi2", "--samples", "3", "--budget", "1us")
    assert ("BROKEN" in told.stdout, told.exit_code) == (True, 0)
    assert "every gate of --fail-on, by default none, on each target" in compare_verb.EPILOG


@pytest.mark.parametrize("verb", ["check", "compare"])
def test_a_gate_that_is_not_passed_is_named_with_why_not(verb):
    words = ["--budget", "1us", "--budget", "3uJ", "--fail-on", "misfit,budget,unknown", "--samples", "3"]
    told = run(verb, DIGITS, "--target", "loihi2", *words).stderr.splitlines()
    assert "digits.pt on loihi2: stopped at budget: broken: 1us, 3uJ" in told
    assert "digits.pt on loihi2: stopped at unknown: not known: input axons per core, output axons per core" in told
    told = run(verb, DIGITS, "--target", "speck2f", *words).stderr.splitlines()
    assert "digits.pt on speck2f: stopped at misfit: it does not fit" in told
    unknown = next(line for line in told if "stopped at unknown" in line)
    assert unknown.endswith("energy, time, budget 1us, budget 3uJ")
    assert "stopped" not in run(verb, DIGITS, "--target", "loihi2", "--fail-on", "misfit", "--samples", "3").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "50%"], "share of what a dense network uses.*such as 120k"),
        (["--budget", "min-accuracy=90%"], "speaks of answers"),
        (["--fail-on", "weather"], "'weather'; known: misfit, budget, unknown"),
    ],
)
def test_budgets_that_one_network_cannot_be_held_to_are_refused(words, message):
    result = run("check", DIGITS, "--samples", "3", *words)
    assert re.search(message, str(result.exception) + result.output, re.DOTALL)
    assert result.exit_code != 0


def test_energy_and_time_are_told_with_input_and_output_and_what_of_it_has_no_price():
    result = run("check", DIGITS, "--target", "loihi2", "--samples", "3")
    told = " ".join(result.stdout.split())
    assert re.search(
        r"with I/O above [\d.]+ uJ, above [\d.]+ us: with injecting the input \([\d,]+ events\) and host", told
    )
    assert "no price is known: time.input_event, energy.input_event, time.host_step, energy.host_step" in told
    cost = json.loads(run("check", DIGITS, "--target", "loihi2", "--samples", "3", "--json").stdout)["cost"]
    assert cost["with_io"]["terms"][0]["count"] == cost["input_messages"] > 0
    assert cost["with_io"]["time_ns"] == cost["time_ns"]
