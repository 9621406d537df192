"""A device that computes otherwise than the CPU is found out on the first samples, and named."""

from dataclasses import replace

import pytest
import torch
from made_networks import plain

from spear_deploy.backends.backend import Executable
from spear_deploy.backends.fixed_point import LOIHI2
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import DeviceError
from spear_deploy.jobs.device_proof import prove_device

MODEL = plain().model()
IMAGES = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
DATA = EncodedSplit(SplitName.TEST, IMAGES.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
OTHER = DATA.on(torch.device("cpu:0"))
"""Stands for a device of its own: to torch it is another than `cpu`, and computes the same."""


class Wrong(ChipBackend):
    """Turns one output over, from the second run on."""

    def prepare(self, model, **options):
        ready, runs = super().prepare(model, **options), []

        class Turning(Executable):
            def run(self, inputs, **options):
                found = ready.run(inputs, **options)
                outputs = dict(found.outputs)
                runs.append(inputs)
                if len(runs) > 1:
                    outputs["b"] = outputs["b"].clone()
                    outputs["b"][2, 7, 3] = 1 - outputs["b"][2, 7, 3]
                return replace(found, outputs=outputs)

        return Turning()


def watched(backend):
    """The backend, and the number of samples of each run that is made on it."""
    runs, prepare = [], backend.prepare

    def watching(model, **options):
        ready = prepare(model, **options)

        class Seen(Executable):
            def run(self, inputs, **more):
                runs.append(inputs.shape[1])
                return ready.run(inputs, **more)

        return Seen()

    backend.prepare = watching
    return backend, runs


def test_a_device_that_computes_the_same_passes_in_torch_and_in_the_chip_s_integers(monkeypatch):
    (in_torch, floats), (on_chip, integers) = watched(TorchBackend()), watched(ChipBackend(LOIHI2, DATA.inputs))
    monkeypatch.setattr("spear_deploy.jobs.device_proof.TorchBackend", lambda: in_torch)
    prove_device(MODEL, in_torch, OTHER)
    assert (floats, integers) == ([16, 16], [])  # here and there
    prove_device(MODEL, on_chip, OTHER)
    assert (floats, integers) == ([16] * 4, [16, 16])


def test_one_integer_spike_that_differs_is_refused_with_its_place():
    with pytest.raises(
        DeviceError, match=r"cpu:0 does not compute what the CPU computes, in integers: b: 1 outputs diff"
    ):
        prove_device(MODEL, Wrong(LOIHI2, DATA.inputs), OTHER)


def test_the_cpu_needs_no_proof():
    backend, runs = watched(Wrong(LOIHI2, DATA.inputs))
    prove_device(MODEL, backend, DATA)
    assert runs == []
