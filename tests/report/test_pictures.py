"""Figures hold the report's own numbers, and every way of drawing shows the same ones."""

from xml.etree import ElementTree

import plotly.graph_objects
import pytest
from matplotlib import rc_context
from run_reports import full_content, full_report

from spear_deploy.report import Report
from spear_deploy.report.lre_part import ScatterPoint
from spear_deploy.report.pictures import figures, plots
from spear_deploy.report.pictures.draw_matplotlib import canvas_bytes, draw
from spear_deploy.report.pictures.figure import STYLES, Axis, Figure, Mark, Panel, Series
from spear_deploy.report.pictures.prediction import lre_figure
from spear_deploy.report.pictures.search import pareto_front


@pytest.fixture(scope="module")
def drawn():
    return {figure.key: figure for figure in figures(full_report())}


def series(figure, panel, name):
    (found,) = [each for each in figure.panels[panel].series if each.name == name]
    return found


def test_all_figures_that_the_report_has_numbers_for_are_drawn(drawn):
    assert set(drawn) == {
        "measured", "search", "pareto", "layers", "rates", "raster", "cores", "energy", "rounding"
    }  # fmt: skip


def test_a_report_of_before_there_were_pictures_shows_what_it_has():
    content = full_content()
    for key in ("search", "finalists", "spikes", "placement", "cost", "rounding", "peak_memory_mib"):
        del content[key]
    del content["lre"]["check"]
    assert [figure.key for figure in figures(Report.model_validate(content))] == ["measured", "layers"]


def test_the_prediction_stands_in_the_arithmetic_of_each_backend(drawn):
    predicted = series(drawn["measured"], 0, "predicted (LRE)")
    assert dict(zip(predicted.x, predicted.y, strict=True)) == pytest.approx(
        {"torch": 32.0, "chip": 0.95 * 32.0, "lava": 32.0, "lava-fixed": 0.95 * 32.0}
    )
    assert predicted.low == pytest.approx((28.0, 0.95 * 28.0, 28.0, 0.95 * 28.0))
    assert series(drawn["measured"], 0, "measured, plain fine-tune").y == (33.0, 31.0, 33.0, 31.0)
    assert series(drawn["measured"], 0, "measured, final network").y == (30.0, 29.0, 30.0, 29.0)
    (budget,) = drawn["measured"].panels[0].levels
    assert budget.at == 35.0


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"finished": True}, "went through a second phase"),
        ({"finished": False}, "is the one after the plain fine-tune"),
        ({"undone": {"back_to": "plain", "accuracy": 0.2, "synops": 9.0}}, "is the one after the plain fine-tune"),
        ({"undone": {"back_to": "pruned", "accuracy": 0.2, "synops": 9.0}}, "is the one before it, which was undone"),
    ],
)
def test_which_network_is_final_follows_from_the_phases_that_it_went_through(chosen, told):
    content = full_content()
    content["finalists"][1] |= chosen
    (measured,) = [figure for figure in figures(Report.model_validate(content)) if figure.key == "measured"]
    assert f"the final network {told}" in measured.says.replace("The final", "the final")


def sample(pruned, synops, predicted):
    return ScatterPoint(
        keep_ratios=[0.5],
        pruned_synops=pruned,
        recalibrated_synops=pruned,
        synops=synops,
        accuracy=0.9,
        loo_predicted=predicted,
    )


def test_the_samples_stand_beside_the_line_and_this_runs_own_point():
    report = full_report()
    samples = [
        sample(10.0, 16.0, 15.0),
        sample(40.0, 50.0, 52.0),
    ]
    figure = lre_figure(report.model_copy(update={"lre": report.lre.model_copy(update={"scatter": samples})}))
    line = series(figure, 0, "line")
    assert line.y == pytest.approx(tuple(1.2 * x + 3.0 for x in line.x))
    own = series(figure, 0, "this run, measured")
    assert (1.2 * own.x[0] + 3.0, own.y[0]) == pytest.approx((30.5, 33.0))
    assert series(figure, 1, "samples, each predicted without itself").x == (15.0, 52.0)
    interval = series(figure, 1, "this run, 95 % interval")
    assert (interval.y, interval.low, interval.high) == ((32.0,), (28.0,), (36.0,))
    assert series(figure, 1, "this run, measured").y == (33.0,)
    assert lre_figure(report) is None


def test_the_search_is_shown_evaluation_by_evaluation(drawn):
    assert series(drawn["search"], 0, "reward").y == pytest.approx((0.8, 0.9, 0.95 - 1.5))
    assert series(drawn["search"], 0, "best so far").y == pytest.approx((0.8, 0.9, 0.9))
    assert series(drawn["search"], 2, "predicted").high == pytest.approx((36.0, 40.8, 72.0))
    assert drawn["search"].panels[2].levels[0].at == 36.8
    rows = drawn["search"].tables[0].rows
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert rows[2][6] == "synops 1.5"


def test_candidates_that_break_a_limit_stand_apart_from_those_that_keep_all(drawn):
    assert series(drawn["pareto"], 0, "keeps every limit").x == (30.0, 34.0)
    assert series(drawn["pareto"], 0, "breaks a limit").x == (60.0,)
    assert series(drawn["pareto"], 1, "chosen").y == (0.92,)
    assert series(drawn["pareto"], 1, "second phase").y == (0.88,)
    assert series(drawn["pareto"], 1, "plain fine-tune").x == (28.0, 33.0)


def test_the_front_holds_what_nothing_beats():
    points = [(3.0, 0.9), (1.0, 0.5), (2.0, 0.4), (2.0, 0.8), (4.0, 0.9), (5.0, 0.95)]
    front = pareto_front(points)
    assert front == [(1.0, 0.5), (2.0, 0.8), (3.0, 0.9), (5.0, 0.95)]
    for cost, gain in points:
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        assert beaten == ((cost, gain) not in front)


def test_layers_show_every_backend_beside_the_dense_network(drawn):
    spikes = {each.name: each.y for each in drawn["layers"].panels[1].series}
    assert spikes["dense, torch"] == (6.0, 2.0)
    assert spikes["pruned, lava-fixed"] == (3.0, 2.0)
    assert drawn["layers"].panels[0].series[0].y == (0.75, 1.0)


def test_the_raster_shows_each_spike_once(drawn):
    found = {
        (each.name, x, y) for each in drawn["raster"].panels[0].series for x, y in zip(each.x, each.y, strict=True)
    }
    assert found == {
        ("lif1", 1.0, 0.0),
        ("lif1", 1.0, 2.0),
        ("lif1", 2.0, 1.0),
        ("lif1", 3.0, 0.0),
        ("lif2", 2.0, 5.0),
        ("lif2", 3.0, 5.0),
        ("lif2", 3.0, 6.0),
    }
    assert ("lif1", "1", "0, 7") in drawn["raster"].tables[0].rows


def test_what_has_no_price_is_not_drawn_as_zero(drawn):
    pruned = series(drawn["energy"], 0, "pruned")
    assert dict(zip(pruned.x, pruned.y, strict=True)) == {
        "synapses": 2.0,
        "hops": None,
        "spikes": None,
    }
    assert "Prices are estimated: synapses; published: hops." in drawn["energy"].says
    assert "The total is not available: no price for spikes" in drawn["energy"].says
    assert "Nothing is spent on hops" in drawn["energy"].says
    table = {(row[0], row[1]): row for row in drawn["energy"].tables[0].rows}
    assert table["pruned", "spikes"][3:7] == ("not available", "not available", "not available", "unknown")
    assert table["pruned", "hops"][4] == "0 pJ"
    assert table["pruned", "total"][4] == "not available"


def test_every_figure_is_one_that_plotly_accepts_with_the_same_numbers(drawn):
    for figure in drawn.values():
        for panel, plot in zip(figure.panels, plots(figure), strict=True):
            made = plotly.graph_objects.Figure(plot)
            assert [list(trace.y) for trace in made.data] == [list(each.y) for each in panel.series]


def test_plotly_is_given_ranges_as_distances(drawn):
    trace = plots(drawn["measured"])[0]["data"][0]
    assert trace["error_y"]["array"][0] == pytest.approx(36.0 - 32.0)
    assert trace["error_y"]["arrayminus"][0] == pytest.approx(32.0 - 28.0)


def test_matplotlib_draws_the_same_points(drawn):
    canvas = draw(drawn["search"])
    (line, best) = canvas.axes[0].lines
    assert line.get_ydata() == pytest.approx([0.8, 0.9, -0.55])
    assert best.get_ydata() == pytest.approx([0.8, 0.9, 0.9])
    bars = [bar.get_height() for bar in draw(drawn["layers"]).axes[0].patches]
    assert bars == pytest.approx([0.75, 1.0])


def test_files_are_pictures_and_the_same_every_time(drawn):
    for figure in drawn.values():
        svg = canvas_bytes(figure, "svg")
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert svg == canvas_bytes(figure, "svg")
    assert canvas_bytes(drawn["energy"], "png").startswith(b"\x89PNG")


def test_names_are_drawn_as_they_stand():
    name = "<b>$x_1$</b> & more"
    axis = Axis(name, categories=(name,))
    figure = Figure("key", name, "", (Panel(axis, Axis("y"), (Series(name, (name,), (1.0,), Mark.BARS),)),))
    plot = plots(figure)[0]
    assert plot["data"][0]["x"] == plot["layout"]["xaxis"]["categoryarray"] == ["&lt;b&gt;$x_1$&lt;/b&gt; &amp; more"]
    assert [text.get_text() for text in draw(figure).axes[0].get_xticklabels()] == [name]
    canvas_bytes(figure, "svg")


def test_no_two_series_are_told_apart_by_colour_alone():
    for looks in ("colour", "marker", "pattern"):
        assert len({getattr(style, looks) for style in STYLES}) == len(STYLES)


def test_the_general_table_holds_all_that_is_drawn():
    first = Series("a", (1.0, 2.0), (0.5, None), low=(0.25, None), high=(0.75, None))
    panel = Panel(Axis("x"), Axis("y"), (first, Series("b", (1.0, 2.0), (3.0, 4.0))))
    (table,) = Figure("key", "title", "says", (panel,)).tables
    assert table.columns == ("x", "a", "a: low", "a: high", "b")
    assert table.rows == (
        ("1", "0.5", "0.25", "0.75", "3"),
        ("2", "not available", "not available", "not available", "4"),
    )


def test_settings_of_matplotlib_in_the_current_folder_change_no_picture(drawn):
    """Its `matplotlibrc` may have LaTeX set, which would be started with names out of a report."""
    before = canvas_bytes(drawn["measured"], "svg")
    with rc_context({"text.usetex": True, "font.size": 40, "axes.grid": True}):
        assert canvas_bytes(drawn["measured"], "svg") == before
