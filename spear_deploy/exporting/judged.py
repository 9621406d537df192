"""The integers that a verdict is about: what every file for the chip holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from spear_deploy.backends.fixed_point.loihi import LoihiExecution
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork
from spear_deploy.errors import ExportError
from spear_deploy.exporting.exporter import Outputs


@dataclass(frozen=True)
class JudgedIntegers:
    """A network in a chip's integers, and where they come from.

    Attributes:
        quantized: the integers.
        target: the chip.
        arithmetic: its own, with the bits of the weights.
        calibration: the samples that the scales were chosen on.
        cut: what the chip's spikes do not carry of the inputs of test, in words.

    """

    quantized: QuantizedNetwork
    target: str
    arithmetic: str
    calibration: str
    cut: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """In words: target, arithmetic and calibration."""
        return f"{self.target} ({self.arithmetic}), calibrated on {self.calibration}"

    @property
    def sha256(self) -> str:
        """SHA-256 over all integers, in hexadecimal: the same where the chip does the same."""
        digest = hashlib.sha256(repr(self.quantized.levels).encode())
        for layer in self.quantized.layers:
            digest.update(_digest(layer))
        return digest.hexdigest()

    def run(self, inputs: Tensor) -> Outputs:
        """What the chip does with inputs `[T, B, *input_shape]`, by neuron layer."""
        return LoihiExecution(self.quantized).run(inputs).outputs


NOT_GIVEN = "none are given: they are chosen on training samples of the data"


def needed(integers: JudgedIntegers | None, file: str, no_integers: str = "") -> JudgedIntegers:
    """The integers for a kind of file that cannot be written without; `no_integers` says why there are none, if known.

    Raises:
        ExportError: none are given.

    """
    if integers is None:
        why = f"there are none: {no_integers}" if no_integers else NOT_GIVEN
        raise ExportError(f"{file} holds a chip's integers, and {why}")
    return integers


def _digest(layer: QuantizedLayer) -> bytes:
    arrays = [layer.du, layer.dv, layer.vth, layer.bias, layer.axon]
    arrays += [getattr(node, "weight", None) for synapses in layer.synapses for node in synapses.nodes]
    digest = hashlib.sha256(repr((layer.name, layer.shape, layer.axon_exponent, layer.reset)).encode())
    digest.update(repr([(synapses.exponent, synapses.late) for synapses in layer.synapses]).encode())
    for values in arrays:
        held = None if values is None else np.ascontiguousarray(np.asarray(values, dtype=np.int64))
        digest.update(b"none" if held is None else repr(held.shape).encode() + held.tobytes())
    return digest.digest()
