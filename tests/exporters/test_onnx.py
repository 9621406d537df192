import json
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exporter_networks import chain, constants, dyadic, dyadic_inputs, neuron
from random_networks import random_chain

from spear_deploy.cli import main
from spear_deploy.data import encode, load_data
from spear_deploy.errors import ExportError
from spear_deploy.exporters.onnx import Form, OnnxExporter
from spear_deploy.exporters.onnx.weights import rounded_to_int8
from spear_deploy.exporting import assert_faithful, check_faithful, compare, sample_inputs, simulate
from spear_deploy.network import Encoding, Reset, load_model_file, node_of, save_model_file

FORMS = list(Form)
DOMAINS = {"", "ai.onnx"}


def conv_model(rng=None, **use):
    """Convolution, pool, convolution, dense; constants for each neuron, biases."""
    rng = rng or np.random.default_rng(5)
    conv1 = nir.Conv2d(None, rng.normal(0, 0.5, (4, 2, 3, 3)), (1, 1), "same", (1, 1), 1, rng.normal(0, 0.1, 4))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    conv2 = nir.Conv2d(None, rng.normal(0, 0.3, (6, 2, 3, 3)), (2, 2), (1, 1), (1, 1), 2, rng.normal(0, 0.1, 6))
    return chain(
        (2, 8, 8),
        ("conv1", conv1),
        ("lif1", neuron((4, 8, 8), rng)),
        ("pool", pool),
        ("conv2", conv2),
        ("lif2", neuron((6, 2, 2), rng, alpha=True, reset=Reset.SUBTRACT)),
        ("flatten", nir.Flatten({"input": np.array([6, 2, 2])}, 0, -1)),
        ("dense", nir.Affine(rng.normal(0, 0.5, (5, 24)), rng.normal(0, 0.1, 5))),
        ("out", neuron((5,), rng)),
        **use,
    )


def written(model, tmp_path, **options):
    path = tmp_path / "net.onnx"
    OnnxExporter(**options).write(model, path)
    return path


@pytest.mark.parametrize("seed", range(50))
def test_a_random_network_gives_torchs_spikes_in_onnxruntime(seed):
    rng = np.random.default_rng(seed)
    model = random_chain(rng).model(int(rng.choice([1, 3, 6])))
    comparison = assert_faithful(OnnxExporter(form=FORMS[seed % 3], int8=seed % 4 == 0), model)
    assert comparison.layers


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.SPIKES])
def test_on_a_coarse_dyadic_grid_there_are_no_ties(form, encoding):
    """Sums of small multiples of 2^-4 are exact in float32: no order of summation can change them."""
    model = dyadic(conv_model(encoding=encoding, time_steps=4))
    inputs = dyadic_inputs(model) if encoding == Encoding.DIRECT else sample_inputs(model)
    exact, single = simulate(model, inputs, torch.float64), simulate(model, inputs, torch.float32)
    assert all(torch.equal(exact[name].float(), single[name]) for name in exact)
    comparison = assert_faithful(OnnxExporter(form=form), model, inputs)
    assert comparison.spikes > 100
    assert comparison.ties == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_shipped_network_gives_every_spike_of_torch_on_real_digits(form):
    model = load_model_file("examples/digits.pt")
    inputs = encode(load_data("digits").test.first(100), model.encoding, model.time_steps).inputs
    comparison = assert_faithful(OnnxExporter(form=form), model, inputs)
    assert comparison.samples == 100
    assert comparison.spikes > 10_000
    assert comparison.ties == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_batch_size_is_free(tmp_path, form):
    model, exporter = conv_model(), OnnxExporter(form=form)
    path = written(model, tmp_path, form=form)
    for count in (1, 3):
        x = sample_inputs(model)[:, :count]
        found = exporter.run(path, x)
        assert {name: list(values.shape) for name, values in found.items()} == {
            name: [6, count, *model.network.shapes[name]] for name in ("lif1", "lif2", "out")
        }


def test_a_scan_over_spikes_runs_for_any_number_of_steps(tmp_path):
    model = conv_model(encoding=Encoding.SPIKES, time_steps=3)
    longer = replace(model, time_steps=11)
    inputs = sample_inputs(longer)
    found = OnnxExporter().run(written(model, tmp_path, form=Form.SCAN), inputs)
    assert torch.equal(found["out"], simulate(longer, inputs, torch.float32)["out"])


def test_a_file_for_static_samples_refuses_inputs_that_change_over_time(tmp_path):
    model = conv_model()
    with pytest.raises(ExportError, match="these inputs change over time; give the model the encoding 'spikes'"):
        OnnxExporter().run(written(model, tmp_path, form=Form.SCAN), torch.rand(6, 2, *model.network.input_shape))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("opset", [18, 21])
def test_only_standard_operators_are_used_and_onnx_checks_them(tmp_path, form, opset):
    made = onnx.load(written(conv_model(), tmp_path, form=form, opset=opset))
    onnx.checker.check_model(made, full_check=True)
    assert {node.domain for node in made.graph.node} <= DOMAINS
    assert [(each.domain, each.version) for each in made.opset_import] == [("", opset)]


def test_layers_keep_their_names_and_states_are_inputs_and_outputs(tmp_path):
    made = onnx.load(written(conv_model(), tmp_path))
    inputs = [each.name for each in made.graph.input]
    outputs = [each.name for each in made.graph.output]
    assert inputs == ["input", "lif1.v", "lif2.v", "lif2.u", "out.v"]
    assert outputs == ["lif1", "lif2", "out", "lif1.v.next", "lif2.v.next", "lif2.u.next", "out.v.next"]
    names = {output for node in made.graph.node for output in node.output}
    assert names >= {"conv1", "pool", "conv2", "flatten", "dense"}


def test_states_carry_an_inference_over_two_calls(tmp_path):
    """Calling the step function by hand, as a user of the file does."""
    model = conv_model(encoding=Encoding.SPIKES, time_steps=5)
    x = sample_inputs(model).float()
    session = onnxruntime.InferenceSession(written(model, tmp_path), providers=["CPUExecutionProvider"])
    states = {each.name: np.zeros((4, *each.shape[1:]), np.float32) for each in session.get_inputs()[1:]}
    names = [each.name for each in session.get_outputs()]
    for t, expected in enumerate(simulate(model, x, torch.float32)["out"]):
        found = dict(zip(names, session.run(None, {"input": x[t].numpy(), **states}), strict=True))
        states = {name: found[f"{name}.next"] for name in states}
        assert np.array_equal(found["out"], expected.numpy())


def test_the_metadata_says_how_to_use_the_network(tmp_path):
    made = onnx.load(written(conv_model(encoding=Encoding.RATE), tmp_path, profile="loihi2"))
    found = {each.key.removeprefix("spear_deploy."): each.value for each in made.metadata_props}
    assert json.loads(found.pop("reset")) == {"lif1": "zero", "lif2": "subtract", "out": "zero"}
    assert len(found.pop("model_sha256")) == 64
    assert found == {
        "form": "step",
        "time_steps": "6",
        "dt_s": "0.0001",
        "encoding": "rate",
        "read_out": "count of out",
        "weights": "float32",
        "profile": "loihi2",
    }


class TestInt8:
    def test_weights_are_bytes_in_the_file(self, tmp_path):
        made = onnx.load(written(conv_model(), tmp_path, int8=True))
        kinds = {each.name: each.data_type for each in made.graph.initializer}
        assert kinds["conv1.weight_int8"] == onnx.TensorProto.INT8
        assert "conv1.weight" not in kinds

    def test_no_weight_moves_by_more_than_half_a_step_of_its_channel(self):
        model = conv_model()
        rounded = rounded_to_int8(model).graph.nodes["conv2"].weight
        weight = model.graph.nodes["conv2"].weight
        step = np.abs(weight).reshape(6, -1).max(1) / 127
        assert (np.abs(rounded - weight).reshape(6, -1).max(1) <= step / 2 * (1 + 1e-6)).all()

    def test_digits_keep_their_classes_and_the_record_counts_spikes(self):
        model = load_model_file("examples/digits.pt")
        test = load_data("digits").test
        inputs = encode(test, model.encoding, model.time_steps).inputs
        exporter = OnnxExporter(int8=True)
        notes = exporter.notes(model, inputs)
        right = {
            arithmetic: (outputs["8_leaky"].sum(0).argmax(1) == test.y).double().mean().item()
            for arithmetic, outputs in (
                ("float32", simulate(model, inputs, torch.float32)),
                ("int8", exporter.expected(model, inputs)),
            )
        }
        assert abs(right["int8"] - right["float32"]) <= 0.01
        counts = notes["spikes"]["1_leaky"]
        assert counts["int8"] != counts["float32"]
        assert abs(counts["int8"] - counts["float32"]) < 0.02 * counts["float32"]

    def test_the_record_and_the_terminal_name_the_rounded_weights_and_the_networks_own_spikes(self, tmp_path, capsys):
        save_model_file(conv_model(), tmp_path / "net.pt")
        with pytest.raises(SystemExit):
            main(["export", str(tmp_path / "net.pt"), "--to", "onnx", "--int8", "--out", str(tmp_path)])
        (entry,) = json.loads((tmp_path / "export.json").read_text())["exports"]
        found, counts = entry["verification"], entry["notes"]["spikes"].values()
        assert found["reference"] == "the network with its weights rounded to int8"
        assert found["spikes"] == sum(each["int8"] for each in counts)
        assert found["model_spikes"] == sum(each["float32"] for each in counts) != found["spikes"]
        told = f"{found['spikes']:,} spikes where the network itself has {found['model_spikes']:,} (float32)"
        said = " ".join(capsys.readouterr().out.split())
        assert f"equal to the network with its weights rounded to int8 in 3 layers, {told}" in said

    def test_a_tie_is_one_of_the_rounded_network(self):
        """A membrane of exactly the threshold, where the network's own is 0.4 % above it."""
        weight = np.array([[0.498, 1.0]])
        out = node_of(constants((1,), np.random.default_rng(0), beta=np.zeros(1)))
        model = chain((2,), ("dense", nir.Linear(weight)), ("out", out), time_steps=1)
        rounded = rounded_to_int8(model).graph.nodes["dense"].weight[0, 0]
        inputs = torch.tensor([[[0.5 / rounded, 0.0], [0.0, 1.0]]]).double()

        class Above(OnnxExporter):
            def run(self, path, inputs):
                outputs = self.expected(model, inputs)["out"]
                outputs[0, 0] = 1 - outputs[0, 0]
                return {"out": outputs}

        agreed = check_faithful(Above(int8=True), model, Path("unread"), inputs)
        assert (agreed.equal, agreed.ties) == (True, 1)


def test_of_a_regression_the_file_says_its_scale_and_the_record_by_how_much_values_change(tmp_path):
    model = replace(conv_model(), objective="regression:scale=3")
    made = onnx.load(written(model, tmp_path, int8=True))
    assert ("spear_deploy.objective", "regression:scale=3") in {(each.key, each.value) for each in made.metadata_props}
    exporter, inputs = OnnxExporter(int8=True), sample_inputs(model)
    rates = [
        each["out"].double().mean(0)
        for each in (simulate(model, inputs, torch.float32), exporter.expected(model, inputs))
    ]
    largest = 3 * float((rates[0] - rates[1]).abs().max())
    assert exporter.notes(model, inputs)["largest_change"] == pytest.approx(largest)


class TestTies:
    """A neuron whose membrane stands at the threshold may fire or not; no other may differ."""

    model = chain(
        (1,),
        ("dense", nir.Linear(np.array([[1.0], [0.5]]))),
        ("hidden", node_of(constants((2,), np.random.default_rng(0), threshold=np.full(2, 0.5)))),
        ("dense2", nir.Linear(np.array([[1.0, 1.0]]))),
        ("out", node_of(constants((1,), np.random.default_rng(0)))),
        time_steps=2,
    )

    def compared(self, x, arithmetic="float32"):
        inputs = torch.tensor([[[x], [0.0]]], dtype=torch.float64).expand(2, 2, 1)
        expected = simulate(self.model, inputs, torch.float32)
        found = {name: values.clone() for name, values in expected.items()}
        found["hidden"][0, 0, 0] = 1 - found["hidden"][0, 0, 0]
        found["out"][1, 0] = 1 - found["out"][1, 0]
        return compare(self.model, inputs, expected, found, arithmetic)

    def test_a_membrane_at_the_threshold_is_a_tie_and_what_follows_is_not_compared(self):
        comparison = self.compared(0.5 * (1 + 5e-6))
        assert comparison.equal
        assert (comparison.ties, comparison.after_ties) == (1, 1)

    def test_a_membrane_away_from_the_threshold_is_a_fault(self):
        comparison = self.compared(0.5 * (1 + 2e-5))
        assert not comparison.equal
        assert comparison.fault.startswith("hidden: 1 outputs differ, first in time step 0 of sample 0")

    def test_float64_and_fixed_point_know_no_ties(self):
        assert not self.compared(0.5 * (1 + 5e-6), "float64").equal
        assert not self.compared(0.5 * (1 + 5e-6), "integers").equal


@pytest.mark.parametrize("opset", [17, 1000])
def test_an_opset_that_is_too_old_or_unknown_is_refused(opset):
    with pytest.raises(ExportError, match=f"opset {opset} cannot be written; 18 is the oldest"):
        OnnxExporter(opset=opset)


def test_a_network_that_exceeds_protocol_buffers_is_refused():
    model = conv_model()
    model.graph.nodes["dense"].weight = np.broadcast_to(np.float32(0), (5, 10**8))
    assert OnnxExporter().refuses(model) == ("500,000,195 parameters: an ONNX file ends at 2 GB",)


@pytest.mark.parametrize("content", [b"", b"no onnx", onnx.ModelProto().SerializeToString()])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ExportError, match=r"net\.onnx: onnxruntime cannot read it"):
        OnnxExporter().run(tmp_path / "net.onnx", torch.zeros(1, 1, 1))


def test_the_command_line_takes_form_and_opset(tmp_path, capsys):
    arguments = ["export", "examples/digits.pt", "--to", "onnx", "--form", "unroll", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "equal to the network in 4 layers" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--opset", "9", "--force"])
    assert ended.value.code == 2
    assert "opset 9 cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("form", FORMS)
def test_a_threshold_that_is_subtracted_once_a_spike_stays_below_for_as_many_steps(form):
    """Strong currents: membranes rise above twice the threshold, where `subtract` would take it off again."""
    model = conv_model(time_steps=5)

    def with_reset(reset):
        strong = {
            name: node_of(replace(layer, gain=4 * layer.gain, reset=reset, reset_delay=False))
            for name, layer in model.network.neurons.items()
        }
        return model.with_graph(nir.NIRGraph({**model.graph.nodes, **strong}, model.graph.edges, type_check=False))

    once, again = with_reset(Reset.SUBTRACT_ONCE), with_reset(Reset.SUBTRACT)
    x = sample_inputs(once)
    assert not torch.equal(*(simulate(each, x, torch.float64)["lif2"] for each in (once, again)))
    assert assert_faithful(OnnxExporter(form=form), once).layers


def test_onnxruntime_sends_nothing_home(tmp_path, monkeypatch):
    """Its telemetry is on by default where a build has it."""
    switched = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: switched.append("off"))
    assert_faithful(
        OnnxExporter(),
        chain((4,), ("dense", nir.Linear(np.eye(3, 4))), ("out", neuron((3,), np.random.default_rng(0)))),
    )
    assert switched
