import hashlib
import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
import torch
from made_task import CLASSES, write_task
from small_runs import PLAN, run

from spear_deploy.data import load_data
from spear_deploy.hardware import load_profile, place
from spear_deploy.network import Encoding, Simulation, load_any, save_model_file
from spear_deploy.report import Report
from spear_deploy.search import plan
from spear_deploy.training import Recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def half(model, tmp_path_factory):
    """Half of the SynOps on Loihi 2, verified in Lava: the folder and its report."""
    try:
        version("lava-nc")
    except PackageNotFoundError:
        pytest.skip("lava-nc is missing: spear-deploy lava install")
    out = tmp_path_factory.mktemp("runs") / "half"
    (report,) = run(model, out, lava=True)
    return out, report


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    """The same without Lava, from another run."""
    out = tmp_path_factory.mktemp("runs") / "plain"
    (report,) = run(model, out)
    return out, report


@pytest.mark.lava
def test_the_folder_holds_the_network_in_every_format_and_the_report(half):
    out, report = half
    assert {path.name for path in out.iterdir()} >= {"pruned.pt", "pruned.nir", "pruned.onnx", "report.json"}
    exports = {entry["format"]: entry for entry in json.loads((out / "export.json").read_text())["exports"]}
    assert set(exports) == {"nir", "onnx", "lava", "netx"}
    for name, entry in exports.items():
        assert entry["refused"] or entry["verification"]["equal"], name
        assert all((out / file).is_file() for file in entry["files"])
    assert Report.model_validate_json((out / "report.json").read_text()) == report
    assert [path.name for path in out.parent.iterdir()] == ["half"]


@pytest.mark.lava
def test_the_files_for_the_chip_hold_the_integers_that_the_report_is_about(half):
    out, report = half
    exports = {entry["format"]: entry for entry in json.loads((out / "export.json").read_text())["exports"]}
    assert exports["lava"]["notes"]["arithmetic"] == "fixed point, bit-accurate to Loihi"
    assert exports["lava"]["integers"]["scales"] == {loss.layer: loss.scale for loss in report.rounding}
    assert exports["nir"].get("integers") is None


@pytest.mark.lava
def test_the_reported_accuracy_is_that_of_the_written_network(half, model):
    out, report = half
    test = load_data(model.parent / "samples.npz").test
    for name in ("pruned.pt", "pruned.nir"):
        pruned = load_any(out / name)
        x = test.x.double().expand(pruned.time_steps, *test.x.shape)
        with torch.no_grad():
            counts = Simulation(pruned.graph, torch.float64)(x).output.sum(0)
        classes = np.array([row.tolist().index(max(row.tolist())) for row in counts])
        assert report.pruned.accuracy == np.mean(classes == test.y.numpy())
        assert report.pruned.parameters == sum(
            node.weight.size + node.bias.size for node in pruned.graph.nodes.values() if hasattr(node, "weight")
        )


@pytest.mark.lava
def test_the_pruned_network_is_smaller_and_keeps_half_of_the_synops(half):
    _, report = half
    assert report.pruned.parameters < report.dense.parameters
    assert 0 < report.pruned.synops <= report.budget.synops
    assert 0.4 * report.dense.synops < report.budget.synops < 0.6 * report.dense.synops
    assert report.verdict.within_budget
    assert (report.budget.source, report.budget.split) == ("50%", "validation")
    kept = report.pruned.keep_ratios
    assert kept["lif3"] == 1
    assert kept["lif1"] < 1 or kept["lif2"] < 1


@pytest.mark.lava
def test_lava_measures_what_torch_does(half):
    _, report = half
    lava, in_torch = report.measured["lava"], report.measured["torch"]
    assert report.agreement["torch_lava"].equal
    assert report.agreement["torch_lava"].layers == ["lif1", "lif2", "lif3"]
    assert lava.samples == in_torch.samples == 120
    assert lava.synops == in_torch.synops == report.pruned.synops
    assert [layer.spikes for layer in lava.per_layer] == [layer.spikes for layer in in_torch.per_layer]
    assert "lava" in report.versions


@pytest.mark.lava
def test_lava_in_fixed_point_does_what_the_chips_integers_do(half):
    _, report = half
    lava, loihi = report.measured["lava-fixed"], report.measured["chip"]
    assert report.agreement["chip_lava-fixed"].equal
    assert lava.samples == loihi.samples == 120
    assert lava.synops == loihi.synops
    assert lava.accuracy == loihi.accuracy
    assert report.verdict.basis == "chip"
    assert report.budget.arithmetic == loihi.arithmetic == "loihi, 8-bit weights"
    assert report.verdict.within_budget == (loihi.synops <= report.budget.synops)


@pytest.mark.lava
def test_the_verdict_follows_from_the_figures(half):
    _, report = half
    lre = report.lre
    assert lre.low < lre.predicted < lre.high
    check = lre.check["chip"]
    assert check.predicted == pytest.approx(lre.target_factor * lre.predicted)
    assert check.error_percent == pytest.approx(100 * (check.predicted - check.synops) / check.synops)
    assert check.covered == (check.low <= check.synops <= check.high)
    assert (report.verdict.covered, report.verdict.prediction_error_percent) == (check.covered, check.error_percent)
    assert report.verdict.ok


@pytest.mark.lava
def test_the_prediction_is_held_against_the_plain_fine_tune_and_the_budget_against_the_result(half):
    _, report = half
    assert set(report.lre.check) == {"torch", "chip", "lava"}
    assert report.lre.check["torch"].synops > report.budget.synops  # pruned to a multiple of the budget
    ratio = (
        report.lre.check["lava"].predicted / report.lre.check["torch"].predicted
    )  # of fewer samples, if time is short
    assert report.lre.check["lava"].synops == pytest.approx(report.lre.check["torch"].synops * ratio, rel=1e-12)
    assert report.measured["chip"].synops <= report.budget.synops


@pytest.mark.lava
def test_the_spread_between_inferences_is_told(half):
    _, report = half
    for measured in report.measured.values():
        spread = measured.distribution
        assert measured.synops < spread.bound99
        assert spread.p95 <= spread.p99 <= spread.maximum


def numbers(runs):
    """The samples that stand in a report as runs of neighbours, such as 0-2,5."""
    ends = [list(map(int, run.split("-"))) for run in runs.split(",")]
    return [number for run in ends for number in range(run[0], run[-1] + 1)]


@pytest.mark.lava
def test_the_report_says_what_is_needed_to_make_it_again(half, model):
    _, report = half
    assert report.model_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (report.target, report.seed, report.threads, report.time_steps) == ("loihi2", 0, 1, 4)
    train, validation = numbers(report.splits["train"].index), numbers(report.splits["validation"].index)
    assert sorted(train + validation) == list(range(160))
    assert abs(len(validation) - 0.15 * 160) <= 2  # taken class by class, of four classes
    assert report.splits["test"].index == "0-119"
    assert report.splits["test"].source == "x_test"
    assert report.versions["torch"] == version("torch")
    assert {"load", "measure", "LRE samples", "search", "fine-tune", "test", "Lava"} <= report.seconds.keys()
    assert report.evaluations == len(report.search.history)
    assert report.lre.samples == 8


@pytest.mark.lava
def test_the_layers_of_a_report_add_up(half):
    _, report = half
    for part in (report.dense, report.pruned, *report.measured.values()):
        assert sum(layer.synops for layer in part.per_layer) == pytest.approx(part.synops)
        assert part.per_layer[-1].neurons == CLASSES


def weights(path):
    return {
        (name, key): np.asarray(getattr(node, key)).tobytes()
        for name, node in load_any(path).graph.nodes.items()
        for key in ("weight", "bias")
        if hasattr(node, key)
    }


def test_the_same_seed_gives_the_same_weights_byte_for_byte(model, plain, tmp_path):
    for out, seed in (("second", 0), ("other", 4)):
        run(model, tmp_path / out, seed=seed)
    folders = plain[0], tmp_path / "second", tmp_path / "other"
    first, second, other = (weights(folder / "pruned.pt") for folder in folders)
    assert first == second
    assert first != other
    first, second = (json.loads((folder / "report.json").read_text()) for folder in folders[:2])
    for report in (first, second):
        del report["seconds"], report["peak_memory_mib"]
    assert first == second


def test_a_report_holds_the_whole_search_and_what_became_of_the_best(plain):
    _, report = plain
    assert report.search is not None
    assert len(report.search.history) == report.evaluations >= 4
    every = [tuple(one.keep_ratios) for one in report.search.history]
    assert len(set(every)) == len(every)
    assert set(report.search.groups) == {layer for layer in report.pruned.keep_ratios if layer != "lif3"}
    assert all(len(one.keep_ratios) == 2 for one in (*report.search.history, *report.finalists))
    for one in report.search.history:
        assert one.low < one.predicted < one.high
        assert one.reward == pytest.approx(one.accuracy - sum(one.penalties.values()))
        assert one.keeps_limits == (not one.penalties)
    (chosen,) = [one for one in report.finalists if one.chosen]
    kept = [report.pruned.keep_ratios[group] for group in report.search.groups]
    assert chosen.keep_ratios == kept
    assert chosen.synops <= chosen.synops_bound <= report.budget.synops
    allowed = report.search.budget_synops * report.lre.target_factor
    assert allowed == pytest.approx(PLAN.prune_multiple * report.budget.synops)
    assert any(line.startswith("LRE") for line in report.told)
    delivered = report.lre.delivered
    assert delivered is not None
    assert {name: one.synops for name, one in delivered.check.items()} == {
        name: one.synops for name, one in report.measured.items()
    }
    assert all(report.lre.check[name].synops != one.synops for name, one in delivered.check.items())
    assert delivered.predicted <= report.budget.synops / report.lre.target_factor


def test_a_report_tells_where_spikes_fire_and_what_cores_and_rounding_make_of_them(model, plain):
    out, report = plain
    assert report.spikes is not None
    counted = {layer.layer: layer for layer in report.pruned.per_layer}
    for rates, raster in zip(report.spikes.rates, report.spikes.raster, strict=True):
        layer = counted[rates.layer]
        assert sum(rates.bins) == layer.neurons == raster.neurons
        assert rates.mean * layer.neurons * report.time_steps == pytest.approx(layer.spikes)
        assert len(raster.fired) == report.time_steps
        assert {neuron for step in raster.fired for neuron in step} <= set(raster.shown)
    pruned = load_any(out / "pruned.nir")
    x = load_data(model.parent / "samples.npz").test.x[:1].double().expand(4, 1, 1, 6, 6)
    with torch.no_grad():
        outputs = Simulation(pruned.graph, torch.float64)(x).outputs
    for raster in report.spikes.raster:
        fired = {step: set(np.flatnonzero(outputs[raster.layer][step])) for step in range(4)}
        assert [set(step) for step in raster.fired] == [fired[step] & set(raster.shown) for step in range(4)]

    placement = place(pruned.network, load_profile("loihi2"))
    assert report.placement is not None
    assert report.placement.cores == placement.cores_needed == len(report.placement.core_table)
    assert [core.share for core in report.placement.core_table] == [core.binding.share for core in placement.cores]
    assert report.cost["pruned"].energy_status == "estimated"
    assert report.cost["pruned"].priced_pj.low < report.cost["dense"].priced_pj.low
    assert [row.layer for row in report.rounding] == ["lif1", "lif2", "lif3"]
    assert all(0 <= row.mean_error <= row.worst_error < 0.02 for row in report.rounding)
    assert report.peak_memory_mib > 50


def test_without_lava_the_result_stands_on_torch(plain):
    _, report = plain
    assert report.verdict.basis == "chip"
    assert set(report.measured) == {"torch", "chip"}
    assert report.agreement == {}


def test_a_chip_whose_arithmetic_is_not_known_is_judged_in_torch(model, tmp_path):
    (report,) = run(model, tmp_path / "run", "spinnaker2")
    assert (report.verdict.basis, report.budget.arithmetic) == ("torch", "float32")
    assert set(report.measured) == {"torch"}


@pytest.mark.parametrize("encoding", ["rate", "spikes"])
def test_spiking_input_counts_in_the_budget(model, tmp_path, encoding):
    content = dict(np.load(model.parent / "samples.npz"))
    if encoding == "spikes":
        rng = np.random.default_rng(0)
        for key in ("x_train", "x_test"):
            x = content[key][:, None]
            content[key] = (rng.random((len(x), 4, *x.shape[2:])) < x).astype(np.uint8)
    np.savez(tmp_path / "samples.npz", **content)
    save_model_file(replace(load_any(model), encoding=Encoding(encoding)), tmp_path / "model.pt")
    (report,) = run(tmp_path / "model.pt", tmp_path / "run")
    assert report.dense.synops_analog == 0
    assert report.dense.per_layer[0].synops > 0
    assert report.pruned.synops <= report.budget.synops


def test_a_network_that_fine_tuning_ruined_is_not_ok_though_it_keeps_its_budget(model, tmp_path):
    """Trained on labels that mean nothing, pruned and dense networks are ruined alike: the given one tells."""
    content = dict(np.load(model.parent / "samples.npz"))
    content["y_train"] = np.random.default_rng(0).integers(0, CLASSES, len(content["y_train"]))
    np.savez(tmp_path / "samples.npz", **content)
    save_model_file(load_any(model), tmp_path / "model.pt")
    (report,) = run(tmp_path / "model.pt", tmp_path / "run", budgets=("90%",))
    assert report.dense.accuracy > 0.9
    assert report.answers.reference == "dense network"
    assert report.answers.drop_low > 10
    assert not report.verdict.works
    assert not report.verdict.ok
    assert report.verdict.reason.startswith("the network ")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "NOT OK" in page


def test_where_lre_cannot_be_sure_networks_are_fine_tuned_at_the_limit_and_the_search_goes_by_them(
    model, tmp_path, monkeypatch
):
    monkeypatch.setattr(plan, "UNLEARNED", 1.0)  # a rate at which the dense network unlearns would be lowered
    wild = replace(PLAN, plain=Recipe(epochs=1, batch=8, learning_rate=0.3))
    (report,) = run(model, tmp_path / "run", plan=wild)
    assert any(
        line.startswith("LRE was not sure enough to search with after 8 samples: 4 more") for line in report.told
    )
    assert any("3 uniform networks were fine-tuned near the limit" in line for line in report.told)
    assert report.seconds["LRE at the limit"] > 0
    assert report.lre.estimator == "anchored"
    assert len(report.lre.anchors) == 3
    assert "anchored, 12 samples and 3 networks near the limit" in (tmp_path / "run" / "report.html").read_text()
    assert report.verdict.within_budget
    assert report.verdict.ok or report.verdict.reason
