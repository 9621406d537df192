"""Values that change over time, and counts of events, through all that runs a network."""

import pickle
import re
from dataclasses import replace

import pytest
import torch
from made_networks import Chain
from network_builders import leaky, run_by_snntorch
from torch import nn

from spear_deploy.backends.fixed_point import LOIHI1, LoihiExecution, quantize
from spear_deploy.backends.lava.job import floating_job
from spear_deploy.errors import BackendError, ModelError
from spear_deploy.exporters.onnx import Form, OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.exporting.samples import sample_inputs
from spear_deploy.hardware import load_profile
from spear_deploy.network import (
    Encoding,
    Simulation,
    from_snntorch,
    load_model_file,
    read_nir,
    save_model_file,
    write_nir,
)
from spear_deploy.targets.adapt import adapt

T, B = 6, 10
TIMED = [Encoding.SEQUENCE, Encoding.COUNTS]


def made():
    chain = Chain((3, 5, 5), seed=2).conv("conv", 4).neurons("a").flatten().linear("fc", 6).neurons("b")
    return chain.linear("last", 4).neurons("c")


def inputs(encoding):
    generator = torch.Generator().manual_seed(4)
    shape = (T, B, 3, 5, 5)
    if encoding == Encoding.SEQUENCE:
        return torch.randn(shape, generator=generator).double()
    return torch.poisson(torch.full(shape, 0.3), generator=generator).double()


@pytest.mark.parametrize("encoding", TIMED)
def test_a_network_on_values_that_change_gives_the_spikes_of_snntorch(encoding):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), leaky(threshold=0.4), nn.Flatten(), nn.Linear(36, 5), leaky(threshold=0.1))
    model = from_snntorch(net, input_shape=(3, 5, 5), time_steps=T, encoding=str(encoding))
    x = inputs(encoding)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    with torch.no_grad():
        assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


@pytest.mark.parametrize("encoding", TIMED)
def test_a_chip_with_graded_spikes_runs_them_in_integers(encoding):
    model, x = made().model(T, encoding), inputs(encoding)
    found = LoihiExecution(quantize(model, calibration=x)).run(x).outputs
    with torch.no_grad():
        wanted = Simulation(model.graph, torch.float64)(x).outputs
    for layer in model.network.layers:
        assert (found[layer].double() != wanted[layer]).double().mean() < 0.05
    with pytest.raises(BackendError, match="the chip's spikes carry none"):
        quantize(model, LOIHI1, calibration=x)


@pytest.mark.parametrize("encoding", TIMED)
@pytest.mark.parametrize("form", list(Form))
def test_onnx_takes_them_step_by_step(encoding, form):
    assert assert_faithful(OnnxExporter(form=form), made().model(T, encoding)).layers


@pytest.mark.parametrize("encoding", [*TIMED, Encoding.CLIPPED])
def test_files_keep_the_encoding_and_lava_takes_it(encoding, tmp_path):
    model = made().model(T, encoding)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    assert load_model_file(tmp_path / "net.pt").encoding == read_nir(tmp_path / "net.nir").encoding == encoding
    first = floating_job(model.network, analog_input=encoding.analog).layers[0]
    assert first.synapses[0].graded is encoding.analog


def test_a_chip_without_graded_spikes_is_given_counts_that_are_clipped():
    adapted = adapt(made().model(T, Encoding.COUNTS), load_profile("loihi1"))
    assert adapted.model.encoding == Encoding.CLIPPED
    assert not adapted.host_first
    (change,) = [each for each in adapted.changes if each.layer == "input"]
    assert (change.rule, change.before, change.after) == ("graded input", "event counts", "events, counts clipped to 1")
    assert quantize(adapted.model, LOIHI1).levels is None


def test_a_chip_without_graded_spikes_leaves_values_that_change_to_the_host():
    adapted = adapt(made().model(T, Encoding.SEQUENCE), load_profile("loihi1"))
    assert adapted.host_first


def test_an_unknown_encoding_lists_the_known_ones():
    with pytest.raises(ModelError, match="direct, rate, spikes, sequence, counts, clipped, latency, delta"):
        from_snntorch(nn.Sequential(nn.Linear(3, 2), leaky()), input_shape=(3,), time_steps=T, encoding="morse")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("latency", "latency"),
        ("latency:", "latency"),
        ("latency:tau=1", "latency"),
        ("latency: linear, tau=5.0,clip", "latency:tau=5,linear,clip"),
        ("delta:threshold=0.25,padding=true", "delta:threshold=0.25,padding"),
        ("delta:off_spike=False", "delta"),
    ],
)
def test_an_encoding_with_settings_is_one_text_whichever_way_it_was_typed(text, plain, tmp_path):
    encoding = Encoding(text)
    assert encoding == plain
    assert Encoding(encoding).settings == encoding.settings
    assert pickle.loads(pickle.dumps(encoding)) == encoding
    model = replace(made().model(T), encoding=text)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    assert load_model_file(tmp_path / "net.pt").encoding == read_nir(tmp_path / "net.nir").encoding == plain
    assert type(load_model_file(tmp_path / "net.pt").encoding) is Encoding


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "latncy",
            "'latncy': no such encoding; known: direct, rate, spikes, sequence, counts, clipped, latency, delta",
        ),
        ("rate:gain=2", "encoding rate has no settings, found 'gain=2'"),
        ("latency:speed=2", "encoding latency: no setting 'speed'; known: threshold, tau, first_spike_time"),
        ("latency:tau=fast", "encoding latency: tau is a number, found 'tau=fast'"),
        ("latency:tau=nan", "encoding latency: tau must be above 0, found nan"),
        ("latency:tau", "encoding latency: tau is a number, found 'tau'"),
        ("latency:first_spike_time=1.5", "first_spike_time is a whole number, found 'first_spike_time=1.5'"),
        ("latency:threshold=0", "encoding latency: threshold must lie between 0 and 1, found 0"),
        ("latency:linear=maybe", "linear is a switch: it is there or not, found 'linear=maybe'"),
        ("delta:threshold=-1", "encoding delta: threshold must be above 0, found -1"),
    ],
)
def test_an_encoding_that_cannot_be_is_told_with_those_that_there_are(text, said):
    with pytest.raises(ModelError, match=re.escape(said)):
        Encoding(text)


@pytest.mark.parametrize("encoding", ["latency:normalize", "delta", "delta:off_spike"])
def test_latency_and_delta_go_through_files_integers_and_lava(encoding):
    model = replace(made().model(T), encoding=encoding)
    assert assert_faithful(OnnxExporter(), model).layers
    x = sample_inputs(model)
    assert set(x.unique().tolist()) == ({-1.0, 0.0, 1.0} if model.encoding.analog else {0.0, 1.0})
    assert quantize(model, calibration=x).layers
    graded = floating_job(model.network, analog_input=model.encoding.analog).layers[0].synapses[0].graded
    assert graded is model.encoding.analog
    assert adapt(model, load_profile("loihi1")).host_first is model.encoding.analog
