"""What the main job makes of budgets of cores, energy and accuracy, of a kind of one's own, and of a chip's limits."""

import numpy as np
import pytest
from made_task import CLASSES, chip, write_task
from small_runs import run

from spear_deploy.backends.backend import CALIBRATION_SAMPLES, measure_on
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.errors import BudgetError
from spear_deploy.hardware import QUANTITIES, Follows, Quantity, load_profile, place
from spear_deploy.jobs.data_place import data_for
from spear_deploy.jobs.task import Task
from spear_deploy.network import load_any


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


def test_a_smaller_chip_gives_another_and_smaller_network(model, tmp_path):
    few_cores = chip(tmp_path, "few-cores", core_neurons=(64, "neurons"), chip_usable_cores_per_chip=(4, "cores"))
    little_memory = chip(
        tmp_path, "little-memory", core_synapse_memory=(96, "B"), chip_usable_cores_per_chip=(8, "cores")
    )
    targets = ("loihi2", str(few_cores), str(little_memory))
    free, cores, memory = run(model, tmp_path / "runs", *targets, budgets=("90%",))
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["few-cores", "little-memory", "loihi2"]
    dense = load_any(model).network
    for report, name in ((cores, "few-cores"), (memory, "little-memory")):
        profile = load_profile(tmp_path / f"{name}.toml")
        assert not place(dense, profile).fits
        pruned = load_any(tmp_path / "runs" / name / "pruned.nir").network
        assert place(pruned, profile).fits
        assert report.pruned.parameters < free.pruned.parameters
        (binding,) = [limit for limit in report.budget.limits if limit.binds]
        assert binding.origin == f"profile {name}"
        assert binding.pruned <= binding.allowed < binding.dense
    (binding,) = [limit for limit in free.budget.limits if limit.binds]
    assert (binding.name, binding.origin) == ("SynOps per inference", "budget 90%")
    assert len({tuple(report.pruned.keep_ratios.values()) for report in (free, cores, memory)}) == 3


def test_a_budget_of_cores_is_kept_as_the_chips_own(model, tmp_path):
    (report,) = run(model, tmp_path / "run", budgets=("90%", "neurons=150"))
    limit = next(limit for limit in report.budget.limits if limit.origin == "budget neurons=150")
    assert limit.pruned <= limit.allowed == 150 < limit.dense
    assert limit.binds


def energy(report):
    (limit,) = [limit for limit in report.budget.limits if limit.name.startswith("energy")]
    return limit


def test_a_budget_of_energy_is_kept_where_it_is_measured_and_said_to_be_an_estimate(model, tmp_path):
    (narrow,) = run(model, tmp_path / "narrow", budgets=("30%", "1mJ"))
    granted = (energy(narrow).dense + energy(narrow).pruned) / 2
    (report,) = run(model, tmp_path / "run", budgets=(f"energy={granted:.0f}pJ",))
    limit = energy(report)
    assert limit.name == "energy per inference, high end (estimated)"
    assert (limit.unit, limit.origin) == ("pJ", f"budget energy={granted:.0f}pJ")
    assert limit.pruned <= limit.allowed < limit.dense == energy(narrow).dense
    assert limit.binds or report.placement.needed  # more cores may keep it without pruning: less time at rest


def test_a_budget_of_energy_is_refused_on_a_chip_without_prices(model, tmp_path):
    with pytest.raises(BudgetError, match="budget '3uJ' cannot be held on spinnaker2: no price for"):
        run(model, tmp_path / "run", "spinnaker2", budgets=("3uJ",))


def test_an_energy_below_what_the_idle_chip_takes_is_refused_before_the_work(model, tmp_path):
    with pytest.raises(
        BudgetError, match=r"budget 1nJ: not even one channel in every layer fits: energy per inference"
    ):
        run(model, tmp_path / "run", budgets=("1nJ",))


def test_a_front_has_one_result_for_each_budget(model, tmp_path):
    half, third = run(model, tmp_path / "run", budgets=(), pareto=("50%", "30%"))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["30pct", "50pct"]
    assert (half.budget.source, third.budget.source) == ("50%", "30%")
    assert third.measured["chip"].synops < half.measured["chip"].synops
    assert third.budget.synops == pytest.approx(0.6 * half.budget.synops)


def test_the_smallest_budget_within_a_drop_is_looked_for(model, tmp_path):
    (report,) = run(model, tmp_path / "run", budgets=("max-drop=10",))
    found = report.max_drop
    assert found.points == 10
    assert 1 <= len(found.tried) <= 6
    good = [one.share for one in found.tried if one.drop_points <= 10 and one.keeps_limits]
    assert report.budget.synops == pytest.approx(min(good) * report.budget.limits[0].dense, rel=0.15)
    assert all(one.share < min(good) for one in found.tried if one.share not in good)
    dense, basis = load_any(model), report.measured["chip"]
    assert dense.network.classes == CLASSES
    assert report.verdict.limits_kept == (found.test_drop_points <= 10 and basis.synops <= report.budget.synops)


def test_an_accuracy_that_no_budget_keeps_is_told_with_the_nearest(model, tmp_path, monkeypatch):
    monkeypatch.setattr("spear_deploy.jobs.deploy.max_drop.MOST_TRIES", 1)
    monkeypatch.setattr("spear_deploy.jobs.deploy.max_drop.FIRST_SHARE", 0.05)
    with pytest.raises(BudgetError, match=r"no budget that was tried keeps accuracy within 0 points .* the nearest, 5"):
        run(model, tmp_path / "run", budgets=("max-drop=0",))


def test_two_ways_to_set_the_budget_are_refused_before_the_work(model, tmp_path):
    with pytest.raises(BudgetError, match=r"a front over 30% sets the budgets of SynOps itself, and budget 50% gives"):
        run(model, tmp_path / "run", budgets=("50%",), pareto=("30%",))
    with pytest.raises(BudgetError, match=r"a front over cores=4: is no budget of SynOps"):
        run(model, tmp_path / "run", budgets=(), pareto=("cores=4",))
    with pytest.raises(BudgetError, match=r"a front over 30% alone: give two budgets or more"):
        run(model, tmp_path / "run", budgets=(), pareto=("30%",))


def test_beside_a_budget_the_largest_drop_is_judged_and_the_least_accuracy_too(model, tmp_path):
    (report,) = run(model, tmp_path / "run", budgets=("50%", "max-drop=100", "min-accuracy=99.9%"))
    assert report.max_drop is not None
    shares = [one.share for one in report.max_drop.tried]
    accuracies = [one.accuracy for one in report.max_drop.tried]
    assert shares == sorted(shares)
    assert accuracies == sorted(set(accuracies))
    drop, least = (
        next(one for one in report.budget.limits if one.name == name) for name in ("accuracy lost", "accuracy")
    )
    answers, dense = report.answers, load_any(model)
    assert (drop.allowed, drop.dense, drop.pruned) == (100, 0, answers.drop_points)
    assert (least.allowed, least.pruned, least.least) == (99.9, 100 * answers.accuracy, True)
    assert answers.accuracy == report.measured["chip"].accuracy == report.answers_to_given.accuracy
    assert answers.drop_points >= report.answers_to_given.drop_points
    assert report.answers_to_given.reference == "dense network"
    assert answers.drop_points == pytest.approx(100 * (answers.reference_accuracy - answers.accuracy))
    assert answers.most_by_guessing > 1 / dense.network.classes
    assert report.verdict.limits_kept == (answers.accuracy >= 0.999 and report.verdict.within_budget)


def test_a_budget_of_another_kind_is_one_row_and_is_searched_for_measured_and_judged(model, tmp_path, monkeypatch):
    def spikes(on_chip):
        return float(sum(on_chip.measured.spikes[layer].sum() for layer in on_chip.network.layers))

    row = Quantity("spikes", "spikes per inference", "spikes", Follows.ACTIVITY, spikes, {"": 1.0}, share=True)
    monkeypatch.setitem(QUANTITIES, "spikes", row)
    (report,) = run(model, tmp_path / "run", budgets=("90%", "spikes=60%"))
    limit = next(limit for limit in report.budget.limits if limit.name == "spikes per inference")
    assert (limit.unit, limit.origin) == ("spikes", "budget spikes=60%")
    assert limit.pruned <= limit.allowed < limit.dense
    assert limit.pruned == pytest.approx(sum(layer.spikes for layer in report.measured["chip"].per_layer))
    assert limit.binds


def test_what_the_search_predicted_of_tails_and_of_time_stands_beside_what_that_network_used_on_test(model, tmp_path):
    budgets = ("p99=70%", "step=80%", "latency=1s", "throughput=1/s", "cores=100")
    (report,) = run(model, tmp_path / "run", budgets=budgets)
    by_key = {limit.origin.removeprefix("budget ").partition("=")[0]: limit for limit in report.budget.limits}
    plain = load_any(tmp_path / "run" / "plain.pt")
    task = Task(plain, data_for(plain, report.data), report.seed)
    chip_integers = arithmetic_of(load_profile("loihi2"), task.calibration(CALIBRATION_SAMPLES))
    found = measure_on(chip_integers, plain, task.test)
    each, steps = np.sort(found.per_sample.numpy()), found.peak_step_synops.numpy()
    assert by_key["p99"].prediction.measured == pytest.approx(each[int(np.ceil(0.99 * len(each))) - 1])
    assert by_key["step"].prediction.measured == pytest.approx(steps.max())
    for key in ("p99", "step", "latency", "throughput"):
        told = by_key[key].prediction
        assert 0 < told.low < told.predicted < told.high
        assert told.kept == (told.measured >= told.low if key == "throughput" else told.measured <= told.high)
    assert by_key["cores"].prediction is None, "structure is known, not predicted"
    assert report.budget.limits[0].prediction is None, "of mean SynOps the report has more, under lre"


def test_a_layer_lies_on_more_cores_only_where_what_pruning_left_of_it_needs_them(model, tmp_path):
    """The dense network keeps a limit of the busiest core only when its first layer is spread."""
    for name, granted, cores in (("wide", 2000, 3), ("narrow", 1300, 4)):
        (report,) = run(model, tmp_path / name, budgets=("40%", f"core-step={granted}"))
        (limit,) = [each for each in report.budget.limits if each.origin == f"budget core-step={granted}"]
        assert limit.pruned <= limit.allowed == granted < limit.dense
        assert report.placement.cores == cores
        assert place(load_any(tmp_path / name / "pruned.nir").network, load_profile("loihi2")).cores_needed == 3
