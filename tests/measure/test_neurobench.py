import pytest
import snntorch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from spear_deploy.measure import measure
from spear_deploy.network import from_snntorch

neurobench = pytest.importorskip("neurobench", reason="neurobench is missing: pip install neurobench")

STEPS, SAMPLES = 4, 6


def leaky(**options):
    return snntorch.Leaky(
        beta=0.6, threshold=0.3, init_hidden=True, reset_delay=False, reset_mechanism="zero", **options
    )


def dense():
    return (5,), [nn.Linear(5, 12), leaky(), nn.Linear(12, 8), leaky(), nn.Linear(8, 4), leaky(output=True)]


def strided():
    convolutions = [nn.Conv2d(2, 4, 3, padding=1), leaky(), nn.Conv2d(4, 6, 3, stride=2, padding=1), leaky()]
    return (2, 6, 6), [*convolutions, nn.Flatten(), nn.Linear(54, 4), leaky(output=True)]


def depthwise():
    convolutions = [nn.Conv2d(2, 6, 3), leaky(), nn.Conv2d(6, 6, 3, padding=1, groups=6), leaky(), nn.Conv2d(6, 3, 1)]
    return (2, 6, 6), [*convolutions, leaky(), nn.Flatten(), nn.Linear(48, 4), leaky(output=True)]


def by_neurobench(layers, x):
    """Effective_ACs and Effective_MACs of inputs `[T, B, *shape]`."""
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.workload import SynapticOperations
    from neurobench.models import SNNTorchModel

    samples = TensorDataset(x.transpose(0, 1).contiguous(), torch.zeros(x.shape[1]))
    loader = DataLoader(samples, batch_size=3)
    model = SNNTorchModel(nn.Sequential(*layers))
    with torch.no_grad():
        return Benchmark(model, loader, [], [], [[], [SynapticOperations]]).run(verbose=False)["SynapticOperations"]


@pytest.mark.parametrize("network", [dense, strided, depthwise])
@pytest.mark.parametrize("analog", [True, False])
def test_synops_equal_neurobenchs_effective_operations(network, analog):
    torch.manual_seed(5)
    shape, layers = network()
    x = torch.rand(STEPS, SAMPLES, *shape)
    x = x * (x > 0.2) if analog else (x > 0.6).float()
    model = from_snntorch(nn.Sequential(*layers), input_shape=shape, time_steps=STEPS)
    found = measure(model, x, torch.zeros(SAMPLES), analog_input=analog)
    expected = by_neurobench(layers, x)
    assert found.synops > 0
    assert found.synops == pytest.approx(expected["Effective_ACs"], rel=1e-12)
    assert found.synops_analog == pytest.approx(expected["Effective_MACs"], rel=1e-12)
