"""A job, and a call from Python, leave the process as they found it."""

from contextlib import contextmanager

import pytest
import snntorch
import torch
from made_task import arrays, untrained
from torch import nn

import spear_deploy
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network.device import flushes_denormals


@pytest.fixture(params=[False, True])
def flushed(request):
    before = flushes_denormals()
    torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(before)


@pytest.mark.parametrize("fails", [False, True])
def test_threads_and_denormals_are_those_of_the_job_inside_and_the_callers_own_after_it(flushed, fails):
    before = torch.get_num_threads()
    try:
        with torch_settings(threads=2):
            assert torch.get_num_threads() == 2
            assert flushes_denormals()
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert torch.get_num_threads() == before
    assert flushes_denormals() == flushed


class Recurrent(nn.Module):
    """Its forward draws random numbers, as networks do that code their own inputs."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(4, 3), snntorch.RLeaky(beta=0.9, linear_features=3, threshold=0.2)

    def forward(self, x):
        spk, mem = self.lif.init_rleaky()
        found = []
        for step in x:
            spk, mem = self.lif(self.fc(torch.nn.functional.dropout(step, 0.5, training=self.training)), spk, mem)
            found.append(spk)
        torch.rand(1)
        return torch.stack(found)


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """Two networks, and weights of a third in a file."""
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Sequential(nn.Linear(4, 3), snntorch.Leaky(0.9, init_hidden=True)).state_dict(), "weights.pt")
    return Recurrent(), Recurrent()


def test_networks_are_read_converted_and_written_without_a_trace(nets, nothing_else_changes):
    """That nothing else changes is asserted by the fixture, when all is done."""
    net, other = nets
    model = spear_deploy.save_model(net, "net.pt", input_shape=(4,), time_steps=5, encoding="rate")
    spear_deploy.check_convertible(other, input_shape=(4,), time_steps=5)
    spear_deploy.load_model("net.pt")
    spear_deploy.load_model("weights.pt", time_steps=5)
    for network in (model, untrained()):
        spear_deploy.to_torch(network)
        spear_deploy.to_snntorch(network)
    spear_deploy.check(model, "loihi2")


AROUND = {
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64 by default": lambda: default(torch.set_default_dtype, torch.float64, torch.float32),
    "another device by default": lambda: default(torch.set_default_device, "meta", None),
}


@contextmanager
def default(setting, value, before):
    setting(value)
    try:
        yield
    finally:
        setting(before)


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_what_a_caller_set_in_torch_changes_no_result_and_stays(around, tmp_path):
    data = spear_deploy.Dataset.of_arrays(**arrays())
    spear_deploy.save_model(untrained(), tmp_path / "net.pt")

    def found():
        model = spear_deploy.load_model(tmp_path / "net.pt")
        seen = spear_deploy.simulate(model, "loihi2", data, "torch,chip").simulated.results.values()
        return [result.measurement.synops for result in seen]

    wanted = found()
    with around():
        assert found() == wanted
        set_by_caller = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()
    with around():
        assert set_by_caller == (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype())


def test_a_job_trains_though_its_caller_switched_gradients_off():
    with torch.no_grad(), torch_settings():
        weight = torch.ones(3, requires_grad=True)
        (weight * 2).sum().backward()
    assert weight.grad.tolist() == [2, 2, 2]
