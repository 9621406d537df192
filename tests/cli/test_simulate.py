"""The verb simulate, as a user types it."""

import json
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from made_networks import Chain
from made_task import arrays, chip, untrained

from spear_deploy.cli import main
from spear_deploy.network import Reset, Simulation, save_model_file

SAMPLES = 30


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    np.savez(folder / "samples.npz", **arrays(test=SAMPLES))
    save_model_file(untrained(), folder / "model.pt")
    return folder


@pytest.fixture
def run(task, tmp_path, monkeypatch, capsys):
    """Runs `simulate` where `model.pt` lies; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("model.pt", "samples.npz"):
        (tmp_path / name).symlink_to(task / name)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(("simulate", *arguments))
        return ended.value.code, *capsys.readouterr()

    return call


def spikes_in_torch():
    inputs = torch.from_numpy(arrays(test=SAMPLES)["x_test"].astype(np.float32)).double()
    model = untrained()
    with torch.no_grad():
        trace = Simulation(model.graph, torch.float64)(inputs.expand(model.time_steps, *inputs.shape))
    return {name: output.numpy() for name, output in trace.outputs.items()}


def test_torch_shows_accuracy_spikes_synops_and_membranes_of_every_layer(run):
    code, out, err = run("model.pt", "--json")
    assert code == 0, err
    (result,) = json.loads(out)["results"].values()
    outputs = spikes_in_torch()
    labels = arrays(test=SAMPLES)["y_test"]
    assert result["accuracy"] == (outputs["lif3"].sum(0).argmax(1) == labels).mean()
    assert [each["layer"] for each in result["layers"]] == list(outputs)
    for each in result["layers"]:
        assert each["spikes"] == pytest.approx(outputs[each["layer"]].sum() / SAMPLES)
        assert each["u"] is None
        assert each["v"][0] < each["v"][1] <= 0.5  # the threshold: what reaches it is reset
    assert "model.pt on torch (float64): accuracy" in run("model.pt")[1]


def test_layers_that_torch_shows_before_their_reset_are_named(run, tmp_path):
    chain = Chain((1, 6, 6), seed=2).conv("conv1", 8).neurons("late", reset=Reset.ZERO, reset_delay=True).pool("pool")
    chain.add("any", nir.Threshold(np.full((8, 3, 3), 0.5))).flatten().linear("fc", 4).neurons("last")
    save_model_file(chain.model(4, data="samples.npz"), tmp_path / "pooled.pt")
    code, out, err = run("pooled.pt", "--compare", "torch,chip")
    assert code in (0, 1), err
    assert "v of late, any: in torch before the reset, on other backends after it" in out
    _, printed, _ = run("pooled.pt", "--compare", "torch,chip", "--json")
    results = json.loads(printed)["results"]
    v = {name: {each["layer"]: each["v"] for each in result["layers"]} for name, result in results.items()}
    assert v["torch"]["any"][1] > 0.5
    assert v["torch"]["late"][1] > 0.5 >= v["chip"]["late"][1]
    assert [str(end) for end in v["chip"]["any"]] == ["0.0", "0.0"]  # a membrane of 0 has no sign
    assert "before the reset" not in run("pooled.pt", "--on", "torch")[1]
    assert "before the reset" not in run("model.pt", "--compare", "torch,chip")[1]


def test_saved_spikes_are_those_of_all_layers_steps_and_samples(run):
    code, _, err = run("model.pt", "--save", "deep/spikes.npz")
    assert code == 0, err
    with np.load("deep/spikes.npz") as saved:
        for name, output in spikes_in_torch().items():
            assert saved[f"torch/{name}"].dtype == bool
            np.testing.assert_array_equal(saved[f"torch/{name}"], output)
        np.testing.assert_array_equal(saved["labels"], arrays(test=SAMPLES)["y_test"])
        np.testing.assert_array_equal(saved["index"], range(SAMPLES))
        assert saved["torch/predictions"].shape == (SAMPLES,)
    assert sorted(path.name for path in Path("deep").iterdir()) == ["spikes.npz"]


def test_integers_come_with_what_rounding_lost_and_the_room_that_is_left(run):
    code, out, err = run("model.pt", "--on", "loihi", "--weight-bits", "5,fc=3", "--json")
    assert code == 0, err
    result = json.loads(out)["results"]["chip"]
    assert result["arithmetic"] == "loihi, 3- to 5-bit weights"
    assert {each["layer"]: each["weight_bits"] for each in result["rounding"]} == {"lif1": 5, "lif2": 5, "lif3": 3}
    for each in result["rounding"]:
        assert 0 < each["mean_error"] <= each["worst_error"]
        assert 0 < each["headroom"] < 1
    _, table, _ = run("model.pt", "--on", "loihi")
    assert "rounding: errors relative to the largest weight" in table


def test_loihi_is_another_spelling_of_the_chip(run):
    results = [json.loads(run("model.pt", "--on", name, "--samples", "5", "--json")[1]) for name in ("chip", "loihi")]
    assert results[0] == results[1]
    code, _, err = run("model.pt", "--compare", "chip,loihi")
    assert code == 2
    assert "two backends or more are compared" in err


def test_what_differs_ends_with_code_1_and_says_where(run):
    code, out, err = run("model.pt", "--compare", "torch,loihi", "--weight-bits", "2", "--json")
    assert code == 1, err
    (found,) = json.loads(out)["comparisons"]
    assert not found["equal"]
    place = found["first_difference"]
    assert place["layer"] == "lif1"
    each = found["layers"][0]
    both = each["spikes"]
    assert each["count_error_percent"] == pytest.approx(100 * (both["chip"] - both["torch"]) / both["torch"])
    code, out, _ = run("model.pt", "--compare", "torch,loihi", "--weight-bits", "2")
    where = f"neuron {place['neuron']}, step {place['step']}, sample {place['sample']}"
    assert f"torch and chip differ first in layer lif1: {where}" in out


@pytest.mark.lava
def test_lava_agrees_with_torch_and_its_fixed_point_with_our_integers(run):
    code, out, err = run("model.pt", "--compare", "torch,lava", "--samples", "6")
    assert code == 0, err
    assert "torch and lava: equal in all 3 layers" in out
    code, out, err = run(
        "model.pt", "--compare", "loihi,lava-fixed", "--samples", "6", "--json", "--lava-python", sys.executable
    )
    assert code == 0, err
    found = json.loads(out)
    ours, theirs = found["results"]["chip"], found["results"]["lava-fixed"]
    assert ours["layers"] == theirs["layers"]  # membrane ranges included
    assert ours["synops"] == theirs["synops"] > 0


def test_a_chip_of_four_bits_is_simulated_with_four_bits(run, tmp_path):
    own = chip(tmp_path, "narrow", synapses_weight_bits=(4, "bit"))
    code, out, err = run("model.pt", "--on", "loihi", "--target", str(own), "--json")
    assert code == 0, err
    assert json.loads(out)["results"]["chip"]["arithmetic"] == "loihi, 4-bit weights"
    code, _, err = run("model.pt", "--on", "loihi", "--target", str(own), "--weight-bits", "8")
    assert code == 2
    assert "weight bits 8: the chip's weights have 4 bits at most" in err


def subtracting(folder):
    chain = Chain((1, 6, 6), seed=2).conv("conv1", 8).neurons("lif1").flatten().linear("hidden", 12)
    chain.neurons("lif2", reset=Reset.SUBTRACT).linear("fc", 4).neurons("lif3")
    save_model_file(chain.model(4, data="samples.npz"), folder / "subtract.pt")
    return "subtract.pt"


def test_what_the_chip_forbids_is_refused_with_the_way_out_and_converted_with_adapt(run, tmp_path):
    name = subtracting(tmp_path)
    code, _, err = run(name, "--on", "loihi", "--target", "loihi1")
    assert code == 2
    assert "lif2: the chip resets the membrane to zero" in err
    assert "--adapt" in err
    code, out, err = run(name, "--on", "loihi", "--target", "loihi1", "--adapt", "--json")
    assert code == 0, err
    found = json.loads(out)
    host, reset = found["adaptations"]
    assert (host["layer"], host["rule"], host["spike_change_percent"]) == ("lif1", "analog input", 0.0)
    assert (reset["layer"], reset["from"], reset["to"]) == ("lif2", "reset subtract", "reset zero")
    assert reset["spike_change_percent"] < 0  # a membrane reset to zero starts lower
    layers = [each["layer"] for each in found["results"]["chip"]["layers"]]
    assert layers == ["lif1", "lif2", "lif3"]
    assert [each["layer"] for each in found["results"]["chip"]["rounding"]] == ["lif2", "lif3"]
    assert "lif2: reset subtract became reset zero (reset of loihi1); its spikes: -" in err


@pytest.mark.lava
def test_with_the_first_layer_on_the_host_lava_s_fixed_point_agrees_as_well(run, tmp_path):
    code, out, err = run(
        subtracting(tmp_path), "--compare", "loihi,lava-fixed", "--target", "loihi1", "--adapt", "--samples", "5"
    )
    assert code == 0, err
    assert "chip and lava-fixed: equal in all 3 layers" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on", "loihy"), "no backend called 'loihy'; known: torch, chip, lava, lava-fixed"),
        (("--compare", "torch"), "--compare torch: two backends or more"),
        (("--on", "torch,loihi"), "for several: --compare torch,chip"),
        (("--on", "loihi", "--compare", "torch,loihi"), "--compare names all backends; leave out --on loihi"),
        (("--weight-bits", "foo=3"), "--weight-bits: a chip's integers are chosen by it, and torch computes in none"),
        (
            ("--compare", "torch,lava", "--format", "netx"),
            "--format: a chip's integers are chosen by it, and torch, lava",
        ),
        (("--on", "loihi", "--weight-bits", "9"), "weight bits 9: give bits from 2 to 8"),
        (("--on", "loihi", "--weight-bits", "conv7=4"), "weight bits conv7: no such layer; known: lif1, lif2, lif3"),
        (("--on", "loihi", "--weight-bits", "conv1=4,lif1=5"), "all weights into lif1 have the same bits"),
        (("--on", "loihi", "--target", "generic-45nm"), "the profile names no arithmetic"),
        (("--data", "nowhere.npz"), "nowhere.npz: no such data file"),
        (("--split", "all"), "Invalid value for '--split'"),
        (("--on", "lava", "--lava-python", "/nowhere/python"), "/nowhere/python cannot be started"),
        (("--save", "model.pt/spikes.npz"), "cannot be written"),
    ],
)
def test_bad_input_ends_with_code_2_and_one_message(run, words, message):
    code, out, err = run("model.pt", *words)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_help_names_the_exit_codes_and_the_layout_of_the_file(run):
    code, out, _ = run("--help")
    assert code == 0
    for words in ("--compare chip,lava-fixed", "Exit code 0", "spikes.npz holds"):
        assert words in out
