"""Networks that others trained, through the exporters."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exporter_networks import judged

from spear_deploy.errors import ExportError
from spear_deploy.exporting import assert_faithful, exporter
from spear_deploy.network import Encoding, read_nir

CASES = Path(__file__).parents[3] / "shared" / "cases"

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES.is_dir(), reason="the folder of real networks is not beside the checkout"),
]

STEPS = 12


@pytest.fixture(scope="module")
def sinabs():
    """The CNN of the NIR paper: convolutions, sum pools and IF neurons, for events of 2 x 34 x 34."""
    model = read_nir(CASES / "nir" / "cnn_sinabs.nir", time_steps=STEPS, dt_s=1.0)  # sinabs: r = 1 a step
    return replace(model, encoding=Encoding.SPIKES)


def events(samples=2):
    """Bursts that move over the field, as a saccade moves a digit."""
    rng = np.random.default_rng(1)
    x = np.zeros((STEPS, samples, 2, 34, 34))
    for sample in range(samples):
        blob = rng.random((2, 14, 14)) < 0.5
        for t in range(STEPS):
            x[t, sample, :, 5 + t : 19 + t, 8 + sample : 22 + sample] = blob & (rng.random(blob.shape) < 0.8)
    return torch.from_numpy(x)


@pytest.mark.parametrize("form", ["step", "scan"])
def test_the_cnn_of_the_nir_paper_gives_every_spike_in_onnxruntime(sinabs, form):
    comparison = assert_faithful(exporter("onnx", {"form": form}), sinabs, events(8))
    assert comparison.spikes > 10_000
    assert comparison.ties == 0


@pytest.mark.lava
@pytest.mark.slow
def test_the_cnn_of_the_nir_paper_gives_every_spike_in_lava(sinabs):
    comparison = assert_faithful(exporter("lava"), sinabs, events(1))
    assert comparison.spikes > 1_000


def test_the_cnn_of_the_nir_paper_is_refused_by_netx_for_its_pools(sinabs):
    with pytest.raises(ExportError, match="no pools; found SumPool2d"):
        assert_faithful(exporter("netx", {"integers": judged(sinabs, samples=events(1))}), sinabs, events(1))


def test_the_recurrent_network_of_the_nir_paper_gives_every_spike_in_onnxruntime():
    model = read_nir(CASES / "nir" / "braille_noDelay_bias_zero.nir", time_steps=64)
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand((64, 8, *model.network.input_shape), generator=generator) < 0.1).double()
    comparison = assert_faithful(exporter("onnx"), model, x)
    assert comparison.spikes > 100
