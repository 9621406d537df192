"""Pages of whole and several run folders."""

import itertools
import json
import re

import pytest
from page_text import Reader
from rich.console import Console
from run_reports import full_content, full_report, write_run_folder

from spear_deploy.cli.summary import summary
from spear_deploy.report import Report
from spear_deploy.report.checks import references
from spear_deploy.report.content import run_page
from spear_deploy.report.html import render
from spear_deploy.report.reading import read_run
from spear_deploy.report.tables import before_after
from spear_deploy.report.write import make_page

MOST_BYTES = 5_000_000


def test_the_page_leads_with_the_verdict_and_says_how_to_make_it_again(folder, call):
    code, out, err = call(folder)
    assert (code, err) == (0, "")
    assert f"written to {folder / 'report.html'}" in out.replace("\n", "")
    html = (folder / "report.html").read_text()
    assert len(html.encode()) < MOST_BYTES
    text = " ".join(Reader(html).text)
    assert text.index(
        "OK: model.pt pruned for loihi2 keeps its budget, and lava and lava-fixed repeat every spike"
    ) < text.index("Before and after")
    for said in ("91.00%", "-4.00 points", "29 of 35 SynOps", "spear-deploy --target loihi2 'my model.pt'", "ab" * 32):
        assert said in text
    assert "not available: no price for spikes; what is priced: 1.00 to 4.00 pJ" in text


def test_the_page_is_readable_for_machines_that_read_aloud(folder, call):
    call(folder)
    tags = Reader((folder / "report.html").read_text()).tags
    names = [tag for tag, _ in tags]
    assert dict(tags)["html"] == {"lang": "en"}
    assert names.count("h1") == names.count("main") == 1
    headings = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    plots = [attributes for tag, attributes in tags if tag == "div" and attributes.get("class") == "plot"]
    assert plots
    assert all(plot["role"] == "img" and plot["aria-label"] and plot["tabindex"] == "0" for plot in plots)
    assert (
        names.count("details")
        == names.count("summary")
        == sum(1 for tag, attributes in tags if tag == "figure" and "id" in attributes)
    )
    assert not [attributes for _, attributes in tags if "src" in attributes]
    assert all(attributes["href"].startswith("#") for tag, attributes in tags if tag == "a")


def test_a_folder_of_several_targets_gives_one_comparison(tmp_path, call):
    runs = tmp_path / "runs"
    for name, synops in (("first", 30.0), ("second", 20.0)):
        (runs / name).mkdir(parents=True)
        report = full_report()
        pruned = report.pruned.model_copy(update={"synops": synops})
        write_run_folder(runs / name, report.model_copy(update={"pruned": pruned}))
    code, _, _ = call(runs)
    assert code == 0
    text = " ".join(Reader((runs / "comparison.html").read_text()).text)
    assert "2 of 2 runs are OK; LRE's 95 % interval holds the measured SynOps in 2 of 2." in text
    assert "70 to 30" in text
    assert "70 to 20" in text
    page = make_page([read_run(runs / name) for name in ("first", "second")])
    (outcome, predicted) = page.sections[0].figures
    assert outcome.panels[1].series[0].y == pytest.approx((30 / 70.25, 20 / 70.25))
    one = predicted.panels[0].series[0]
    assert one.y[0] == pytest.approx(0.95 * 32 / 31)
    assert (one.low[0], one.high[0]) == pytest.approx((0.95 * 28 / 31, 0.95 * 36 / 31))


def test_a_run_that_lacks_its_report_does_not_hide_the_others(tmp_path, call):
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        write_run_folder(tmp_path / name, full_report())
    (tmp_path / "broken" / "report.json").write_text("{")
    code, _, err = call(tmp_path, "--out", tmp_path / "page.html")
    assert code == 1
    assert "broken" in err
    assert "1 of 2 runs are OK" in (tmp_path / "page.html").read_text()


def test_figures_are_written_as_files(folder, call):
    code, _, _ = call(folder, "--plot")
    assert code == 0
    written = {path.name for path in (folder / "plots").iterdir()}
    assert {"measured.svg", "measured.png", "energy.svg", "core_map.svg"} <= written
    assert len([name for name in written if name.endswith(".svg")]) == 10


def test_what_was_converted_and_every_estimator_are_told(folder):
    content = full_content()
    content["adaptations"] = [
        {"layer": "lif1", "rule": "reset", "from": "subtract", "to": "zero", "spike_change_percent": None}
    ]
    errors = {"loo_mean_error_percent": 2.5, "loo_worst_error_percent": 9.0, "loo_coverage": 0.75}
    content["lre"]["estimators"] = {"ridge": {"predicted": 32.0, "low": 28.0, "high": 36.0, **errors}}
    content["lre"]["extrapolated"] = "lif1 (0.05, samples from 0.1)"
    (folder / "report.json").write_text(json.dumps(content))
    page = run_page(read_run(folder))
    rows = {row for section in page.sections for each in section.tables for row in each.table.rows}
    assert ("lif1", "reset", "subtract", "zero", "was silent") in rows
    assert ("ridge (used)", "32 (28 to 36)", "2.5 %", "9.0 %", "75%") in rows
    assert "Neurons were converted to what loihi2 can run: lif1." in page.warnings
    assert any("lif1 (0.05, samples from 0.1)" in warning for warning in page.warnings)


def test_that_figures_are_held_against_a_converted_network_is_told_on_the_page_and_on_the_terminal(folder):
    line = "the dense network is the given one adapted to loihi2 (lif1), not that itself"
    content = full_content() | {"adapted": line}
    (folder / "report.json").write_text(json.dumps(content))
    run = read_run(folder)
    assert f"{line.capitalize()}." in run_page(run).warnings
    console = Console(width=200, record=True)
    with console.capture() as captured:
        console.print(summary(run.report, folder))
    assert f"adapted    {line}" in captured.get()


def test_a_profile_that_rests_on_another_says_so_on_the_page(folder):
    content = json.loads((folder / "report.json").read_text())
    own = "39 of 45 figures are those of loihi1"
    (folder / "report.json").write_text(json.dumps(content | {"target": "mine", "profile": own}))
    page = run_page(read_run(folder))
    assert f"The profile mine rests on another: {own}." in page.warnings
    assert ("target", f"mine: {own}") in [
        row for section in page.sections for each in section.tables for row in each.table.rows
    ]


def test_energy_and_time_say_what_share_pruning_left(folder):
    rows = {row[0]: row for each in run_page(read_run(folder)).sections[0].tables for row in each.table.rows}
    assert rows["time / inference"][3] == "100.0%"
    assert rows["energy / inference"][3] == ""  # a part has no price, so there is no total to take a share of


def test_the_same_run_gives_the_same_page(folder):
    assert render(run_page(read_run(folder))) == render(run_page(read_run(folder)))


def test_the_core_map_shows_every_core(folder):
    (chip,) = [section for section in run_page(read_run(folder)).sections if section.key == "chip"]
    assert chip.drawn.svg.count("neurons per core 10.0%") == 1
    assert chip.drawn.svg.count("neurons per core 20.0%") == 1


def test_what_was_lost_stands_against_both_dense_networks_in_one_arithmetic():
    report = full_report()
    rows = {row[1]: row for row in before_after(report).table.rows}
    tuned, given = rows["96.00% (dense network, same fine-tune)"], rows["95.00% (dense network)"]
    assert tuned[0] == given[0] == f"accuracy (test, {report.budget.arithmetic})"
    assert (tuned[2], tuned[3]) == ("91.00%", "-5.00 points, 95 % interval -9.00 to -1.00")
    assert given[3] == "-4.00 points, 95 % interval -8.00 to +0.00"


def test_where_nothing_was_lost_no_minus_stands():
    report = full_report()
    nothing = report.answers.model_copy(update={"drop_points": 0.0, "drop_low": -0.001, "drop_high": 0.001})
    rows = {row[1]: row for row in before_after(report.model_copy(update={"answers": nothing})).table.rows}
    assert rows["96.00% (dense network, same fine-tune)"][3] == "+0.00 points, 95 % interval +0.00 to +0.00"


def test_where_the_fine_tune_did_the_dense_network_harm_both_are_shown_once():
    content = full_content()
    tuned = content["answers"]
    content |= {"answers_to_tuned": tuned, "answers": content["answers_to_given"]}
    assert [each.reference for each in references(Report.model_validate(content))] == [
        "dense network",
        "dense network, same fine-tune",
    ]
    del content["answers_to_tuned"]  # as reports were before
    assert len(references(Report.model_validate(content))) == 1


def test_a_page_replaces_a_page_and_nothing_else(folder, call):
    page = folder.parent / "page.html"
    assert call(folder, "--out", page)[0] == call(folder, "--out", page)[0]
    (folder.parent / "net.pt").write_bytes(b"PK a model")
    code, _, err = call(folder, "--out", folder.parent / "net.pt")
    assert code == 2
    assert "net.pt: is there already and was not written by spear-deploy" in err
    assert (folder.parent / "net.pt").read_bytes() == b"PK a model"
