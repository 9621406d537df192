"""Several results as each is judged: what nothing beats, and what the columns mean."""

from run_reports import answers, full_report

from spear_deploy.cli.summary import front
from spear_deploy.report.answers_part import AnswersReport
from spear_deploy.report.comparison import comparison_page
from spear_deploy.report.front import front_notes, front_rows, unbeaten
from spear_deploy.report.reading import RunFolder

FLOAT = "dense network"


def result(synops, accuracy, *, ok=True, target="loihi2", reference=FLOAT, model="m"):
    report = full_report()
    measured = report.measured[report.verdict.basis].model_copy(update={"synops": synops, "accuracy": accuracy})
    return report.model_copy(
        update={
            "measured": report.measured | {report.verdict.basis: measured},
            "verdict": report.verdict.model_copy(update={"ok": ok}),
            "answers": AnswersReport.model_validate(answers(reference, accuracy)),
            "target": target,
            "model_sha256": model,
        }
    )


def test_what_is_not_ok_has_no_star_and_takes_none_away():
    found = {"wide": result(60, 0.9), "ruined": result(50, 0.95, ok=False), "narrow": result(30, 0.8)}
    assert unbeaten(found) == {"wide", "narrow"}
    assert unbeaten({"ruined": found["ruined"]}) == set()


def test_one_that_costs_more_and_is_no_better_is_beaten():
    assert unbeaten({"a": result(60, 0.9), "b": result(50, 0.9), "c": result(50, 0.89)}) == {"b"}
    assert unbeaten({"a": result(50, 0.9), "b": result(50, 0.9)}) == {"a", "b"}


def test_results_on_other_chips_or_of_other_networks_are_not_held_against_each_other():
    best = result(50, 0.9)
    assert unbeaten({"a": best, "b": result(60, 0.8, target="loihi1"), "c": result(60, 0.8, model="other")}) == set(
        "abc"
    )


def test_the_notes_say_which_dense_network_accuracy_is_held_against_on_which_chip():
    found = {"a": result(60, 0.9), "b": result(50, 0.8), "c": result(60, 0.8, target="loihi1", reference="tuned one")}
    star, against = front_notes(found)
    arithmetic = found["a"].budget.arithmetic
    assert "that are OK" in star
    assert (
        against == f"to dense: against the dense network in {arithmetic} (loihi2); tuned one in {arithmetic} (loihi1)"
    )


def test_terminal_and_page_show_the_same_rows(tmp_path):
    found = {"60pct": result(60, 0.9), "30pct": result(30, 0.4, ok=False)}
    rows = front_rows(found)
    table, *notes = front({tmp_path / name: report for name, report in found.items()}).renderables
    shown = list(zip(*(list(column.cells) for column in table.columns), strict=True))
    assert [row[1:] for row in shown] == list(rows.values())
    assert [note.plain for note in notes] == front_notes(found)
    page = comparison_page([RunFolder(tmp_path / name, report, (), {}, ()) for name, report in found.items()])
    captioned = page.sections[0].tables[0]
    assert [row[2:] for row in captioned.table.rows] == list(rows.values())
    assert all(note in captioned.caption for note in front_notes(found))
