"""The verb compare, as a user types it."""

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import typer
from typer.testing import CliRunner

from spear_deploy.cli import check as check_verb
from spear_deploy.cli import compare as compare_verb
from spear_deploy.hardware import known_profiles

DIGITS = str(Path(__file__).parents[2] / "examples" / "digits.pt")

app = typer.Typer()
app.command("check")(check_verb.check)
app.command("compare")(compare_verb.compare)


def run(*words):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def test_compare_has_a_row_for_each_chip():
    rows = json.loads(run("compare", DIGITS, "--target", "all", "--json").stdout)
    assert sorted(row["target"] for row in rows) == known_profiles()
    by_name = {row["target"]: row for row in rows}
    assert by_name["loihi2"]["fits"]
    assert by_name["loihi2"]["cost"]["energy_status"] == "estimated"
    assert by_name["speck2f"]["cost"]["energy_pj"] is None


def test_compare_as_csv_is_read_back_with_empty_cells_where_nothing_is_known():
    table = list(csv.DictReader(io.StringIO(run("compare", DIGITS, "--target", "loihi2,speck2f", "--csv").stdout)))
    assert [row["target"] for row in table] == ["loihi2", "speck2f"]
    assert float(table[0]["energy_low_pj"]) < float(table[0]["energy_high_pj"])
    assert table[1]["energy_low_pj"] == ""
    assert {row["encoding"] for row in table} == {"direct"}


def test_compare_as_csv_holds_budgets_and_names_files_of_one_name_apart(tmp_path):
    again = tmp_path / "digits.pt"
    again.write_bytes(Path(DIGITS).read_bytes())
    words = ("--target", "loihi2", "--budget", "core-step=1k", "--samples", "5", "--csv")
    first, second = csv.DictReader(io.StringIO(run("compare", DIGITS, str(again), *words).stdout))
    assert first["model"].endswith("examples/digits.pt")
    assert second["model"] == f"{tmp_path.name}/digits.pt"
    used = float(first["budget core-step: used [SynOps]"])
    assert (used <= float(first["budget core-step: allowed [SynOps]"])) == (first["budget core-step: kept"] == "True")


def test_six_chips_are_compared_at_80_columns_without_a_cut_word():
    six = "akd1000,loihi1,loihi2,reckon,speck2f,truenorth"
    words = ["compare", DIGITS, "--target", six, "--samples", "5"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "80"}).stdout
    assert "\u2026" not in shown
    table, _, _ = shown.partition("\ndigits.pt")  # lines below it stay whole where they are not shown on a terminal
    assert all(len(line) <= 80 for line in table.splitlines())
    assert all(re.search(rf"^ *{name} ", table, re.MULTILINE) for name in six.split(","))
    assert re.search(r"digits.pt on loihi2: [\d,]+ SynOps an inference", shown)


def test_rows_are_ordered_by_energy_with_the_unpriced_last():
    rows = json.loads(run("compare", DIGITS, "--target", "all", "--sort", "energy", "--json").stdout)
    energies = [row["cost"]["energy_pj"]["typical"] for row in rows if row["cost"]["energy_pj"] is not None]
    assert energies == sorted(energies)
    assert [row["cost"]["energy_pj"] for row in rows[len(energies) :]] == [None] * (len(rows) - len(energies))


def test_several_models_are_compared_at_once():
    rows = json.loads(run("compare", DIGITS, DIGITS, "--target", "loihi1,loihi2", "--json").stdout)
    assert len(rows) == 4


def test_compare_draws_a_plot_and_a_page(tmp_path):
    svg, html = tmp_path / "plot.svg", tmp_path / "page.html"
    result = run("compare", DIGITS, "--target", "loihi2,generic-45nm,speck2f", "--svg", str(svg), "--html", str(html))
    assert result.exit_code == 0
    root = ElementTree.parse(svg).getroot()
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "digits.pt, loihi2" in texts
    assert "no price for synapses, input values" in texts
    page = html.read_text()
    assert page.count("<tr>") == 4
    assert "spear-deploy report" in page  # the frame of a run's page: style, headings, no source from elsewhere
    assert "a disc where it fits, a ring where it does not" in page


BUDGETS = ("--budget", "core-step=1k", "--budget", "cores=40", "--budget", "1nJ", "--budget", "1us")


def test_the_page_of_a_comparison_holds_every_budget_as_the_terminal_does(tmp_path):
    html = tmp_path / "page.html"
    words = ["compare", DIGITS, "--target", "loihi1,speck2f", "--encoding", "rate", "--samples", "3", *BUDGETS]
    shown = run(*words, "--html", str(html)).stdout
    page = html.read_text()
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    held = [row for row in rows if row[2] in BUDGETS]
    assert len(held) == 8
    for model, target, budget, name, used, allowed, outcome, moved in held:
        line = next(line for line in shown.splitlines() if line.startswith(f"{model} on {target}: budget {budget}: "))
        assert outcome in line
        if used != "not available":
            number, _, unit = allowed.partition(" ")
            assert f"({name}: {used.removesuffix(unit).strip()} of {number} {unit})" in line
        assert line.endswith(f", with {moved}") == bool(moved)
    broken, unknown = shown.count("BROKEN"), shown.count("cannot be held")
    assert broken
    assert unknown
    assert f"rows fit; {broken} of 8 budgets BROKEN, {unknown} cannot be held." in page


def test_compare_as_csv_says_on_which_cores_a_budget_is_held():
    words = ("compare", DIGITS, "--target", "loihi1", "--encoding", "rate", "--samples", "3", *BUDGETS)
    (row,) = csv.DictReader(io.StringIO(run(*words, "--csv").stdout))
    (content,) = json.loads(run(*words, "--json").stdout)
    budgets = {each["quantity"]: each for each in content["budgets"]}
    assert {key: row[f"budget {key}: moved"] or None for key in budgets} == {
        key: each["moved"] for key, each in budgets.items()
    }
    bounds = {key: row[f"budget {key}: bound"] for key in budgets}
    assert bounds == {"core-step": "", "cores": "", "energy": "at least", "latency": ""}  # a price is a minimum
    assert "instead of" in row["budget core-step: moved"]
    assert float(row["budget cores: used [cores]"]) > float(row["cores"])
    assert row["budget cores: moved"] == row["budget core-step: moved"]
