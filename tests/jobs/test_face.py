"""The verbs from Python: no file is read, no folder is left, and the figures are those of the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_networks import Chain
from made_task import arrays, untrained

import spear_deploy
from spear_deploy.cli import main
from spear_deploy.data import load_data
from spear_deploy.errors import ArgumentError, BackendError, BudgetError, DataError, OutputError, ProfileError
from spear_deploy.hardware import SYNOPS, load_profile, parse_budget
from spear_deploy.jobs.deploy import deploy as deploying
from spear_deploy.jobs.deploy.request import DeployConfig
from spear_deploy.jobs.face import check, compare, deploy, deploy_front, export, simulate
from spear_deploy.jobs.simulate import SimulateConfig
from spear_deploy.network import load_any, save_model_file, write_nir
from spear_deploy.report import Report
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

pytestmark = pytest.mark.usefixtures("nothing_else_changes")

RECIPE = Recipe(epochs=1, batch=16, learning_rate=5e-3)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", **arrays())
    return load_data("samples.npz")


def typed(capsys, *arguments):
    with pytest.raises(SystemExit):
        main(arguments)
    return json.loads(capsys.readouterr().out)


def test_the_package_offers_them_and_reads_all_that_the_command_line_reads(data):
    assert set(spear_deploy.__all__) >= {"check", "compare", "simulate", "deploy", "load_model", "load_profile"}
    assert all(getattr(spear_deploy, name) is not None for name in spear_deploy.__all__)
    model = untrained()
    write_nir(model, "model.nir")
    assert spear_deploy.load_model("model.nir").network.layers == model.network.layers
    assert spear_deploy.check(spear_deploy.load_model("model.nir"), spear_deploy.load_profile("loihi2")).fits


def test_simulate_gives_what_the_command_line_prints(data, capsys):
    found = simulate(untrained(), "loihi2", data, ("torch", "chip"), SimulateConfig(samples=10), seed=3)
    save_model_file(untrained(), "model.pt")
    options = ("--compare", "torch,chip", "--samples", "10", "--seed", "3", "--json")
    printed = typed(capsys, "simulate", "model.pt", *options)["results"]
    for name, result in found.simulated.results.items():
        assert result.measurement.synops == printed[name]["synops"]
        assert result.measurement.accuracy == printed[name]["accuracy"]


def test_check_and_compare_give_what_the_command_line_prints(data, capsys):
    save_model_file(untrained(), "model.pt")
    printed = typed(capsys, "check", "model.pt", "--target", "loihi2", "--samples", "10", "--json")
    found = check(untrained(), "loihi2", data, samples=10)
    assert found.fits == printed["fits"]
    assert found.row.verdict.placement.cores_needed == printed["cores"]
    rows = compare({"net": untrained()}, ["loihi1", "loihi2"], data, samples=10)
    assert [row.profile.name for row in rows] == ["loihi1", "loihi2"]
    assert rows[1].cost.synops == found.row.cost.synops


def test_deploy_gives_the_network_the_report_and_the_integers_and_saves_where_asked(data, tmp_path):
    config = DeployConfig(
        budgets=("60%",),
        lre_samples=8,
        evaluations=4,
        finalists=1,
        plan=TuningPlan(RECIPE, RECIPE),
        lava=False,
    )
    result = deploy(untrained(), "loihi2", replace(data, notices=("is doubted",)), config)
    assert result.report.told.count("samples.npz: is doubted") == 1
    assert result.report.target == "loihi2"
    assert result.report.budget.source == "60%"
    assert (result.report.model, result.report.command) == ("model", [])
    assert result.integers.network.layers == result.model.network.layers
    assert sorted(path.name for path in tmp_path.iterdir()) == ["samples.npz"]
    seen = simulate(result.model, "loihi2", data, ("torch", "chip")).simulated.results
    for name, measured in result.report.measured.items():
        assert seen[name].measurement.synops == measured.synops, name
    result.save("mine")
    assert Report.model_validate_json((tmp_path / "mine" / "report.json").read_text()) == result.report
    assert load_any(tmp_path / "mine" / "pruned.nir").parameters == result.report.pruned.parameters
    with pytest.raises(OutputError, match="mine"):
        result.save("mine")


def test_export_gives_files_that_are_proven_on_the_data_and_saves_where_asked(data, tmp_path):
    found = export(untrained(), ("nir", "netx"), data, chip="loihi2", file_format="netx")
    assert {"model.nir", "model.net", "export.json"} <= set(found.files)
    for entry in found.entries:
        assert entry.verification.equal, entry.verification.fault
        assert entry.verification.inputs.startswith("samples.npz, first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["samples.npz"]
    found.save("exported")
    assert load_any(tmp_path / "exported" / "model.nir").network.layers == untrained().network.layers


def test_a_configuration_reads_its_budgets_at_once():
    config = DeployConfig(budgets=("30%", "latency=2ms"))
    assert [limit.granted for limit in config.limits] == ["30%", "latency=2ms"]
    assert config.limits[0].quantity is SYNOPS
    assert config == DeployConfig(budgets=(parse_budget("30%"), "latency=2ms"))  # and so is what a report holds of it
    with pytest.raises(BudgetError):
        DeployConfig(budgets=("thirty",))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_configuration_takes_no_number_without_end(value):
    for config, name in ((DeployConfig, "lava_seconds"), (SimulateConfig, "lava_seconds"), (DeployConfig, "lre_error")):
        with pytest.raises(ArgumentError, match=f"`{name}` is a finite number, found {value}"):
            config(**{name: value})


def test_what_does_not_suit_is_refused_in_one_line(data):
    wide = Chain((1, 8, 8)).conv("conv", 2).neurons("lif").flatten().linear("fc", 4).neurons("out").model(4)
    for call in (
        lambda: simulate(wide, "loihi2", data),
        lambda: check(wide, "loihi2", data),
        lambda: deploy(wide, "loihi2", data),
    ):
        with pytest.raises(DataError, match="samples are 1 x 6 x 6 a time step, the network takes 1 x 8 x 8"):
            call()
    with pytest.raises(ProfileError, match="lohi2"):
        check(untrained(), "lohi2")
    with pytest.raises(BackendError, match="no backend called 'abacus'"):
        simulate(untrained(), "loihi2", data, ("abacus",))


@pytest.mark.parametrize("config", [0, "", [], {}])
def test_what_is_no_configuration_is_none_by_default_either(data, config):
    for call in (spear_deploy.deploy, spear_deploy.deploy_front, spear_deploy.simulate):
        with pytest.raises(ArgumentError, match=r"`config` takes (Deploy|Simulate)Config, found"):
            call(untrained(), "loihi2", data, config=config)


@pytest.mark.parametrize("models", [{"net": None}, {"net": "net.pt"}])
def test_what_is_no_model_is_told_by_the_table_too(models):
    with pytest.raises(ArgumentError, match="compare: `models` takes a mapping of str to Model, found dict"):
        spear_deploy.compare(models, "loihi2")


FEW = {"lre_samples": 8, "evaluations": 4, "finalists": 1, "plan": TuningPlan(RECIPE, RECIPE), "lava": False}


def test_a_front_gives_what_the_command_line_writes(data, tmp_path, capsys):
    found = deploy_front(untrained(), "generic-45nm,loihi2", data, ["60%", "40%"], DeployConfig(**FEW))
    assert list(found.results) == [
        f"{chip}/{budget}" for chip in ("generic-45nm", "loihi2") for budget in ("60pct", "40pct")
    ]
    save_model_file(untrained(), "model.pt")
    options = ("--lre-samples", "8", "--evaluations", "4", "--finalists", "1", "--plain-epochs", "1", "--epochs", "1")
    front = (
        "--target",
        "generic-45nm,loihi2",
        "--pareto",
        "60%,40%",
        "--no-cache",
        "--no-lava",
        "--json",
        "--out",
        "typed",
    )
    printed = [Report.model_validate(each) for each in typed(capsys, "deploy", "model.pt", *front, *options)]
    assert [one.report.budget.synops for one in found.results.values()] == [one.budget.synops for one in printed]
    assert all(found.results[place].report.verdict.ok for place in found.unbeaten)
    found.save("mine")
    assert sorted(path.parent.relative_to("mine").as_posix() for path in Path("mine").rglob("report.json")) == sorted(
        found.results
    )


def test_several_chips_without_a_front_are_searched_for_with_the_budgets_of_the_configuration(data):
    config = DeployConfig(budgets=("60%",), **FEW)
    found = deploy_front(untrained(), ["generic-45nm", load_profile("loihi2")], data, config=config)
    assert [one.report.budget.source for one in found.results.values()] == ["60%", "60%"]
    alone = deploy(untrained(), "loihi2", data, config)
    assert found.results["loihi2"].report.measured == alone.report.measured


def failing(monkeypatch, fault, *keys):
    """Results of which one chip or budget has none, once its network is fine-tuned."""
    written = deploying.write_result

    def write(pruned, target, folder, *rest):
        if folder.name in keys:
            raise fault
        return written(pruned, target, folder, *rest)

    monkeypatch.setattr(deploying, "write_result", write)


def test_a_chip_without_a_result_is_named_with_the_reason_and_takes_none_from_the_others(data, monkeypatch):
    fault = BackendError("lif1: cannot be executed")
    fault.add_note("what there is was kept in there")
    failing(monkeypatch, fault, "loihi2")
    config = DeployConfig(budgets=("60%",), **FEW)
    found = deploy_front(untrained(), ["loihi2", "xylo-a2", "generic-45nm"], data, config=config)
    assert list(found.results) == ["generic-45nm"]
    assert found.left_out["loihi2"] == "lif1: cannot be executed\n  what there is was kept in there"
    assert "cannot run this network, however it is pruned" in found.left_out["xylo-a2"]


def test_a_budget_without_a_result_takes_none_from_the_others(data, monkeypatch):
    failing(monkeypatch, BudgetError("no longer spikes"), "40pct")
    found = deploy_front(untrained(), "generic-45nm", data, "60%,40%", DeployConfig(**FEW))
    assert (list(found.results), found.left_out) == (["60pct"], {"40pct": "no longer spikes"})


def test_where_no_chip_has_a_result_or_the_machine_fails_the_run_does(data, monkeypatch):
    config = DeployConfig(budgets=("60%",), **FEW)
    with monkeypatch.context() as patch:
        failing(patch, OutputError("the disk is full"), "loihi2")
        with pytest.raises(OutputError, match="the disk is full"):
            deploy_front(untrained(), "loihi2,generic-45nm", data, config=config)
    failing(monkeypatch, BudgetError("no longer spikes"), "loihi2", "generic-45nm")
    with pytest.raises(BudgetError, match="no longer spikes"):
        deploy_front(untrained(), "loihi2,generic-45nm", data, config=config)


def test_chips_of_one_name_and_a_front_beside_a_budget_are_refused(data):
    with pytest.raises(ProfileError, match="are both called 'loihi2'"):
        deploy_front(untrained(), ["loihi2", load_profile("loihi2")], data, "60%,40%")
    with pytest.raises(BudgetError, match="sets the budgets of SynOps itself"):
        deploy_front(untrained(), "loihi2", data, "60%,40%", DeployConfig(budgets=("30%",)))
    with pytest.raises(ProfileError, match="no chip is given"):
        deploy_front(untrained(), [], data, "60%,40%")
