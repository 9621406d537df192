import os
import re
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from made_networks import plain
from made_task import arrays, change_graph, chip, untrained, write_task

from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import known_profiles
from spear_deploy.network import save_model_file

QUICK = (
    "--lre-samples",
    "8",
    "--evaluations",
    "4",
    "--finalists",
    "1",
    "--plain-epochs",
    "1",
    "--epochs",
    "2",
    "--no-lava",
)


def test_an_unknown_strategy_is_told_with_the_known_ones(refused):
    message = refused("--strategy", "evolve", "model.pt")
    assert (
        message
        == "no search strategy called 'evolve'; known: auto, ddpg, evolution, greedy, random, uniform, agent, spear"
    )


def test_a_device_that_is_not_there_is_told_with_those_that_are(refused):
    assert "no device called 'cuda:99' here; there are: cpu" in refused("--device", "cuda:99", "model.pt")


def test_a_minimum_width_that_a_layer_does_not_have_is_told(refused):
    message = refused("--min-channels", "9", "model.pt")
    assert message == "at least 9 channels a layer cannot be kept: lif1 has 8"


def test_an_unknown_chip_is_told_with_the_known_ones_and_the_nearest(refused):
    message = refused("--target", "lohi2", "model.pt")
    assert message.startswith("no profile called 'lohi2'\n")
    assert f"known: {', '.join(known_profiles())}\n" in message
    assert "did you mean 'loihi2'?" in message


@pytest.mark.parametrize("target", ["my_chip.toml", "chips/mine.toml"])
def test_a_missing_profile_file_is_named(refused, target):
    assert refused("--target", target, "model.pt").startswith(f"{target}: no such profile file; the shipped profiles")


def test_a_file_of_another_kind_is_no_unknown_chip(refused):
    assert refused("--target", "model.pt", "model.pt").startswith("model.pt: ")


@pytest.mark.parametrize("target", ["", ",", " , "])
def test_a_target_that_names_nothing_is_refused(refused, target):
    known = ", ".join(known_profiles())
    assert f"names no chip; known: {known}, or a TOML file" in refused("--target", target, "model.pt")


def test_two_chips_of_one_name_are_refused_before_the_work(refused, task):
    path = chip(task, "loihi2", inherits="loihi1")
    assert "loihi2 and loihi2.toml are both called 'loihi2'" in refused("--target", f"loihi2,{path.name}", "model.pt")


def test_a_profile_with_a_typing_error_is_told_by_key(refused, task):
    path = chip(task, "typo", core_nuerons=(12, "neurons"))
    message = refused("--target", path.name, "model.pt")
    assert re.match(r"typo\.toml: core\.nuerons: unknown key; valid here: .*neurons", message)


def test_a_missing_model_is_named(refused):
    assert refused("nothing.pt") == "nothing.pt: no such model file"


def test_a_folder_is_no_model(refused, task):
    (task / "empty").mkdir()
    message = "empty: a folder, where a model file is needed"
    assert refused("empty") == refused("check", "empty") == message


def test_the_folder_of_a_run_is_told_with_its_network(refused, task):
    (task / "run").mkdir()
    (task / "run" / "pruned.pt").write_bytes(Path("model.pt").read_bytes())
    message = "run: a folder, where a model file is needed; it holds pruned.pt"
    assert refused("check", "run") == refused("simulate", "run") == message


def test_a_bound_on_memory_is_told_in_its_own_unit(refused):
    assert refused("check", "--memory", "1KiB", "model.pt").endswith("--memory allows 1 KiB")


@pytest.mark.parametrize("kept", [0, 100, 3000])
def test_a_corrupt_model_is_told(refused, kept):
    Path("model.pt").write_bytes(Path("model.pt").read_bytes()[:kept])
    assert re.match(r"model\.pt: .*damaged", refused("model.pt"))


def test_a_file_of_another_kind_is_no_model(refused):
    assert re.match(r"samples\.npz: ", refused("samples.npz"))


class _Bomb:
    def __reduce__(self):
        return open, ("executed", "w")


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(refused):
    torch.save({"format": "spear-deploy model", "graph": _Bomb()}, "model.pt")
    message = refused("model.pt")
    assert message.startswith("model.pt: refused, because it is damaged or reading it would run code")
    assert "spear_deploy.save_model(net, path, ...)" in message
    assert not Path("executed").exists()


def test_an_onnx_file_is_told_as_what_is_written_and_not_read(refused):
    Path("model.onnx").write_bytes(b"\x08\x08\x12\x0cspear-deploy")
    message = refused("model.onnx")
    assert message.startswith("model.onnx: ONNX files are written, not read; read are model files")


def test_a_name_of_a_layer_that_no_file_can_have_is_told_before_the_work(refused):
    change_graph(lambda nodes: nodes.update({"conv/1": nodes.pop("conv1")}))
    message = refused("model.pt")
    assert message == "model.pt: 'conv/1': no name of a node: names are printable and hold no '/', as files need it"


def test_weights_that_are_not_numbers_are_told_by_node(refused):
    change_graph(lambda nodes: nodes["conv2"]["weight"].view(-1)[5].fill_(float("nan")))
    assert refused("model.pt") == "model.pt: conv2: weight must be finite, found nan"


def test_a_network_that_never_spikes_is_told(refused):
    change_graph(lambda nodes: [nodes[name]["v_threshold"].fill_(1e6) for name in ("lif1", "lif2")])
    assert refused("model.pt").startswith("model.pt: the network never spikes on samples.npz")


def test_a_network_that_the_chip_s_rounding_silences_is_told_before_the_work(refused, monkeypatch):
    """No run of such a network can end well: LRE has nothing to be held against there."""

    def nothing(backend, model, split, **options):
        found = measure_on(backend, model, split, **options)
        return replace(found, synops=0.0) if backend.name == "chip" else found

    monkeypatch.setattr("spear_deploy.targets.target.measure_on", nothing)
    message = refused("--target", "loihi2", "model.pt")
    assert re.fullmatch(
        r"loihi2: 0 SynOps on \d+ validation samples in .*, where torch counts [\d,]+: the chip's rounding silences the"
        r" network, so nothing can be pruned",
        message,
    )


def test_a_network_with_nothing_to_prune_is_told(refused):
    graph = {"input": nir.Input(np.array([3])), "lif": plain().nodes["a"]}
    weight = {"fc": nir.Linear(np.ones((9, 3)))}
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output"), ("lif", "lif")]
    nodes = graph | weight | {"output": nir.Output(np.array([9]))}
    model = untrained().with_graph(nir.NIRGraph(nodes, edges, type_check=False))
    save_model_file(model, "model.pt")
    np.savez("samples.npz", **arrays(shape=(3,), train=40, test=20))
    message = refused("--no-lava", "model.pt")
    assert message == ("model.pt: no layer of the network can be pruned (lif: the output's channels are the answers)")


@pytest.mark.parametrize("asked", [("--keep", "*=all"), ("--channel-multiple", "1000"), ("--min-channels", "8")])
def test_where_all_channels_are_to_stay_that_is_told_before_anything_is_measured(refused, asked, monkeypatch):
    if asked[0] == "--min-channels":
        asked = (*asked, "--keep", "conv2=all")
    monkeypatch.setattr("spear_deploy.search.CandidateFactory.measure", None)
    assert refused(*asked, "--no-lava", "model.pt") == (
        "model.pt: nothing is left to prune: what is asked to be kept (--keep, --freeze, the fewest channels and"
        " their multiples) is every channel of lif1 8, lif2 12"
    )


def test_a_network_that_lava_cannot_run_is_told_before_the_work(refused):
    made = plain()
    made.nodes["a"].metadata["reset"] = "none"
    model = made.model(data="samples.npz")
    save_model_file(model, "model.pt")
    np.savez("samples.npz", **arrays(shape=model.network.input_shape, train=40, test=20))
    message = refused("model.pt")
    what = "Lava's LIF resets the membrane after a spike, this layer never does"
    assert message.startswith(f"model.pt, for loihi2: a: {what}")
    assert message.endswith("run the network in torch instead: --no-lava")


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("half", "budget 'half' is not understood; understood are"),
        ("50 apples", "budget '50 apples': unknown unit 'apples'; understood are"),
        ("0%", "budget '0%' grants nothing; a budget must be above zero"),
        ("120%", "budget '120%': a share of the dense SynOps lies between 0% and 100%"),
        ("-3", "budget '-3' is not understood"),
        ("cores=1.5", "budget 'cores=1.5': cores come in whole numbers"),
    ],
)
def test_a_budget_that_is_not_understood_is_told(refused, budget, message):
    assert refused(f"--budget={budget}", "model.pt").startswith(message)


def test_two_budgets_of_one_kind_are_told(refused):
    assert "budgets '50%' and '3k' both speak of SynOps per inference; give one" in refused(
        "--budget", "50%", "--budget", "3k", "model.pt"
    )


def test_a_budget_out_of_reach_is_told_with_the_least_that_is_tried(refused):
    message = refused("--budget", "1", *QUICK, "model.pt")
    found = re.fullmatch(
        r"model\.pt: a budget of 1 SynOps is out of reach: one channel in every layer still takes ([\d.,]+)"
        r" \(([\d.]+)% of the dense network's\) after a plain fine-tune, and no later one is held to less than 50% of"
        r" its spikes; budgets from ([\d.]+)% on are tried",
        message,
    )
    assert found
    assert float(found[1].replace(",", "")) > 1
    assert float(found[3]) < float(found[2])


@pytest.mark.parametrize("options", [("--keep", "conv1=all"), ("--min-channels", "4")])
def test_a_budget_that_is_impossible_for_want_of_channels_that_may_go_is_told_so(refused, task, options):
    write_task(task)
    message = refused("--budget", "1", *options, *QUICK, "model.pt")
    assert (
        "a network of the fewest channels that are allowed (keep, freeze, min-channels, channel-multiple) still"
        in message
    )


@pytest.mark.parametrize("budget", ["p99=1", "step=1"])
def test_a_tail_that_not_even_one_channel_keeps_is_told(refused, task, budget):
    write_task(task)
    message = refused("--budget", budget, *QUICK, "model.pt")
    assert re.match(
        rf"budget {budget}: not even one channel in every layer fits: .* [\d,.]+ SynOps, allowed 1 ", message
    )


def test_fewer_cores_than_the_chip_needs_for_one_channel_a_layer_are_told(refused):
    message = refused("--budget", "cores=2", *QUICK, "model.pt")
    assert message == "budget cores=2: not even one channel in every layer fits: cores 3 cores, allowed 2 cores"


def test_more_cores_than_the_chip_has_do_not_widen_it(refused, task):
    path = chip(task, "tiny", chip_usable_cores_per_chip=(2, "cores"))
    message = refused("--target", path.name, "--budget", "cores=4", *QUICK, "model.pt")
    assert message.startswith("profile tiny: not even one channel in every layer fits: cores 3 cores, allowed 2")


def test_a_chip_on_which_not_even_one_channel_fits_is_told(refused, task):
    path = chip(task, "tiny", core_neurons=(1, "neurons"), chip_usable_cores_per_chip=(2, "cores"))
    message = refused("--target", path.name, *QUICK, "model.pt")
    assert message.startswith("profile tiny: not even one channel in every layer fits: ")


def test_a_place_that_cannot_be_written_to_is_told_before_the_work(refused):
    assert not os.access("/proc/self/fd/none", os.F_OK)
    message = refused("--out", "/proc/results", "model.pt")
    assert re.fullmatch(r"/proc: cannot write there \(.*\); choose another folder \(--out\)", message)


def test_earlier_results_are_not_overwritten(refused):
    Path("results").mkdir()
    Path("results", "report.json").write_text("earlier")
    message = refused("--out", "results", "model.pt")
    assert message == "results: exists and is not empty; choose another folder (--out), or --force"
    assert Path("results", "report.json").read_text() == "earlier"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a model file, or an unfinished run: --resume RUN"),
        (("model.pt", "--sed", "3"), "No such option: --sed"),
        (("model.pt", "--pareto", ""), "--pareto names no budget; give two or more, such as 50%,30%"),
        (("model.pt", "--pareto", ","), "--pareto names no budget; give two or more, such as 50%,30%"),
        (("model.pt", "--seed", "three"), "'--seed': Input should be a valid integer"),
        (("model.pt", "--seed", "-1"), "'--seed': Input should be greater than or equal to 0"),
        (("model.pt", "--lre-samples", "7"), "'--lre-samples': Input should be greater than or equal to 8"),
        (("model.pt", "more.pt"), "(more.pt)"),
        (("model.pt", "--target"), "Option '--target' requires an argument"),
    ],
)
def test_wrong_usage_is_told_with_a_way_to_help(refused, arguments, message):
    found = refused("deploy", *arguments)
    assert message in found
    assert found.endswith("see: spear-deploy deploy --help")


@pytest.mark.parametrize(
    ("flag", "value"), [("--weight-bits", "6"), ("--weight-bits", "nolayer=4"), ("--format", "nix")]
)
def test_integers_that_no_file_would_hold_are_not_chosen_in_silence(refused, flag, value, tmp_path):
    message = refused("export", "model.pt", "--to", "nir,onnx", flag, value)
    assert message.startswith(f"{flag}: a chip's integers are chosen by it, and nir, onnx would hold none: write netx,")
    assert not list(tmp_path.rglob("*.onnx"))


def test_an_unknown_format_is_told_with_the_known_ones(refused):
    known = "known: lava, netx, nir, onnx, bundle"
    assert refused("export", "model.pt", "--to", "tflite") == f"no format called 'tflite'; {known}"


def test_an_export_does_not_overwrite(refused):
    Path("model.nir").write_text("earlier")
    message = refused("export", "model.pt", "--to", "nir")
    assert message == "model.nir: exists; choose another folder (--out), or --force"
    assert Path("model.nir").read_text() == "earlier"


def test_an_export_that_cannot_be_written_is_told(refused):
    assert "/proc/out: cannot be written" in refused("export", "model.pt", "--to", "nir", "--out", "/proc/out")


@pytest.mark.parametrize("shape", ["²x4", "0", "4x", "many"])
def test_sizes_that_are_no_numbers_are_told_with_the_form_that_is_meant(refused, shape):
    said = " ".join(refused("simulate", "model.pt", "--on", "torch", "--input-shape", shape).split())
    assert f"--input-shape {shape!r}: give sizes joined by x" in said
