"""A `.net` file (HDF5) as lava-dl's netx loads it: dense, recurrent and convolutional blocks in integers, in a chain.

    layer/<i>/{type, shape, weight, bias, neuron/{type, iDecay, vDecay, vThMant, ...}, stride, ...}

netx has one weight exponent (0) and one bias exponent (6), and reads du = iDecay - 1, dv = vDecay. A layer may hear
itself (`dense_rec`, `weight_rec`), and its axons may be late by whole steps (`delay`).
Source: lava-dl 0.6.0, netx/hdf5.py, Network.get_neuron_params, create_dense, create_dense_rec, create_conv.

Beside that, attributes that lava-dl does not read: how the network is used, and each layer's name and scale.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import LOIHI2, NETX_BIAS_EXPONENT, held_by_netx
from spear_deploy.backends.fixed_point.given import given_levels
from spear_deploy.backends.fixed_point.loihi import LoihiExecution
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses
from spear_deploy.backends.lava.job import check_format
from spear_deploy.errors import BackendError, ExportError, ModelError
from spear_deploy.exporters.lava.integers import integers_of
from spear_deploy.exporting import Exporter, JudgedIntegers
from spear_deploy.exporting.exporter import Outputs
from spear_deploy.exporting.judged import needed
from spear_deploy.network import Model, Reset
from spear_deploy.network.importing.netx import read_netx
from spear_deploy.network.importing.netx_use import attributes_of
from spear_deploy.network.linear import padding_of, pair, weighted
from spear_deploy.network.resampling import Resample
from spear_deploy.system.outside.hdf5 import open_hdf5
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError

MOST_DELAY = 62
"""Steps that an axon may be late in lava-dl's netx."""


class NetxExporter(Exporter):
    """Writes `.net` files of integers, which lava-dl runs bit-accurate to Loihi.

    The judged integers are written as they are. A weight exponent, for which netx has no field, is
    multiplied into the weights where they stay within netx's range; else the layer is refused.

    Args:
        integers: what is written.
        no_integers: why there are none; empty where that is not known.

    """

    name = "netx"
    suffix = ".net"
    family = "lava"
    says = "a netx file (HDF5) for lava-dl, in a Loihi's integers"
    arithmetic = "integers"
    fixed = True

    def __init__(self, *, integers: JudgedIntegers | None = None, no_integers: str = "") -> None:
        self.integers = integers
        self.no_integers = no_integers

    def refuses(self, model: Model) -> tuple[str, ...]:
        """What is no chain of dense and convolutional blocks of Lava's own LIF, or integers that netx cannot hold."""
        try:
            quantized = self._judged.quantized
            check_format(quantized.format)
        except (BackendError, ExportError) as error:
            return (str(error),)
        layers: dict[str, list[str]] = {}
        for index, layer in enumerate(quantized.layers):
            for reason in _reasons(quantized, index):
                layers.setdefault(reason, []).append(layer.name)
        return tuple(f"{', '.join(names)}: {why}; export the script (lava) instead" for why, names in layers.items())

    def write(self, model: Model, path: Path) -> None:
        """Write the integers to a file."""
        quantized = self._judged.quantized
        image = io.BytesIO()  # HDF5 ends the process where a disk is full
        with h5py.File(image, "w") as file:
            file.attrs.update(attributes_of(model))
            file.attrs["layers"] = [layer.name for layer in quantized.layers]
            file.attrs["scales"] = [layer.scale for layer in quantized.layers]
            if quantized.levels is not None:
                file.attrs["input_levels"] = quantized.levels.of_one
                file.attrs["input_signed"] = quantized.levels.least < 0
                file.attrs["graded_bits"] = quantized.format.graded_bits
            groups = file.create_group("layer")
            finer = LOIHI2.decay_bits - quantized.format.decay_bits
            for index, layer in enumerate(quantized.layers):
                behind = quantized.layers[index + 1 : index + 2]
                _write_layer(groups, layer, finer, delay=sum(_forward(each).late for each in behind))
        path.write_bytes(image.getvalue())

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Read the file with our reader of netx files, and execute its integers."""
        names, quantized = read_integers(path)
        outputs = LoihiExecution(quantized).run(inputs).outputs
        return {name: outputs[layer.name] for name, layer in zip(names, quantized.layers, strict=True)}

    def expected(self, model: Model, inputs: Tensor) -> Outputs:
        """What the chip does with the judged integers."""
        return self._judged.run(inputs)

    def notices(self, model: Model) -> tuple[str, ...]:
        """What lava-dl, which reads layers and nothing else, has to be told."""
        quantized, found = self._judged.quantized, []
        if (levels := quantized.levels) is not None:
            factor = repr(levels.of_one).removesuffix(".0")
            found.append(
                f"send each input times {factor}, rounded and cut to {levels.least} to {levels.most}"
                f" (in lava-dl with input_message_bits={quantized.format.graded_bits})"
            )
        if model.population > 1:
            found.append(f"{model.population} outputs, one after the other, stand for each answer: add up their spikes")
        if not model.objective.tells_classes:
            found.append(
                f"answers are values: {model.objective.scale:g} times the spikes a time step of each output"
                " (the mean of those that stand for one)"
            )
        return tuple(found)

    @property
    def _judged(self) -> JudgedIntegers:
        return needed(self.integers, "a netx file", self.no_integers)


def read_integers(path: Path) -> tuple[list[str], QuantizedNetwork]:
    """The layers' names and the integers of a file that `NetxExporter` wrote.

    Raises:
        ExportError: it is damaged.

    """
    try:
        with open_hdf5(path) as file:
            held = dict(file.attrs)
        names = [str(name) for name in held["layers"]]
        model = read_netx(path, time_steps=None, input_shape=None, dt_s=None)
        chip = replace(LOIHI2, graded_bits=int(held.get("graded_bits", LOIHI2.graded_bits)))
    except (*READ_ERRORS, RefusedError, ModelError) as error:
        raise ExportError(f"{path}: cannot be read back ({error})") from None
    return names, integers_of(model.network, given_levels(model.network, chip), chip)


def _reasons(quantized: QuantizedNetwork, index: int) -> list[str]:
    """Why a layer is no netx block."""
    layer = quantized.layers[index]
    before = quantized.layers[index - 1].name if index else quantized.network.input
    found = []
    forward, recurrent = _forward(layer), _recurrent(layer)
    if {each.connection.source for each in layer.synapses} - {layer.name} != {before} or len(layer.synapses) > 2:
        found.append("netx has one chain of layers, without branches and loops over several")
    elif not index and forward.late:
        found.append("netx has delays behind neurons only")
    elif forward.late > MOST_DELAY:
        found.append(f"netx has delays of up to {MOST_DELAY} steps, this one has {forward.late}")
    if recurrent is not None and (recurrent.late != 1 or not _is_dense(recurrent, layer)):
        found.append("netx has recurrence through one dense matrix, a step late")
    if not layer.spikes or layer.reset is not Reset.ZERO:
        found.append("netx has neurons that spike and reset to zero only")
    constants = [layer.du, layer.dv, *([] if layer.vth is None else [layer.vth])]
    if any((values != values.flat[0]).any() for values in constants):
        found.append("netx has one decay and one threshold a layer")
    if layer.axon is not None:
        found.append("netx puts a bias into the membrane, this layer's passes a synaptic current")
    others = "" if quantized.format == held_by_netx(quantized.format) else " (choose others: `file_format='netx'`)"
    weights = [_weights(each) for each in layer.synapses if _is_weighted(each)]
    if not all(map(_has_room, weights)):
        found.append(f"netx has no weight exponent, and these weights have one{others}")
    elif not all(map(_is_kept, weights)):
        found.append("netx has no -256 where no weight is positive")
    step = 1 << NETX_BIAS_EXPONENT
    if (layer.bias % step).any() or np.abs(layer.bias).max() > step * LOIHI2.bias_mantissa_max:
        found.append(f"netx has biases in multiples of {step}, up to {LOIHI2.bias_mantissa_max} of them{others}")
    if not _is_block(layer):
        kinds = ", ".join(type(node).__name__ for node in forward.nodes) or "none"
        enlarges = any(isinstance(node, Resample) for node in forward.nodes)
        found.append(
            "lava-dl's netx runs no transposed convolution, and no padding or enlarging before one"
            if enlarges
            else f"netx has one convolution or one dense matrix before a layer, no pools; found {kinds}"
        )
    elif layer.bias.ndim == 3 and (layer.bias != layer.bias[:, :1, :1]).any():
        found.append("netx has one bias a channel")
    return found


def _weights(synapses: QuantizedSynapses) -> NDArray[np.float64]:
    """The weights with their exponent in them."""
    (weights,) = (node.weight for node in synapses.nodes if hasattr(node, "weight"))
    scaled: NDArray[np.float64] = np.asarray(weights, dtype=np.float64) * 2.0**synapses.exponent
    return scaled


def _has_room(weights: NDArray[np.float64]) -> bool:
    """Whether netx has room for these weights: whole numbers of 8 bits, even where they need a sign."""
    held = LOIHI2.lattice(mixed=bool(weights.min() < 0))
    return not (weights % held.step).any() and held.low <= weights.min() and weights.max() <= held.high


def _is_kept(weights: NDArray[np.float64]) -> bool:
    """Whether the chip that reads them finds the sign mode in which none is clipped.

    Source: lava-nc 0.10.0, utils/weightutils.py, determine_sign_mode and clip_weights (INHIBITORY ends at -255).
    """
    return bool(weights.max() > 0 or weights.min() > LOIHI2.lattice(mixed=True).low)


def _forward(layer: QuantizedLayer) -> QuantizedSynapses:
    """The synapses from other neurons or the input, the first of several."""
    return next((each for each in layer.synapses if each.connection.source != layer.name), layer.synapses[0])


def _recurrent(layer: QuantizedLayer) -> QuantizedSynapses | None:
    """The synapses of a layer to itself."""
    return next((each for each in layer.synapses if each.connection.source == layer.name), None)


def _is_weighted(synapses: QuantizedSynapses) -> bool:
    return sum(hasattr(node, "weight") for node in synapses.nodes) == 1


def _is_dense(synapses: QuantizedSynapses, layer: QuantizedLayer) -> bool:
    """Whether there is one dense matrix, perhaps behind a Flatten."""
    flat = all(isinstance(node, nir.Flatten) for node in synapses.nodes[:-1])
    dense = bool(synapses.nodes) and isinstance(synapses.nodes[-1], nir.Affine | nir.Linear)
    return flat and dense and len(layer.shape) == 1


def _is_block(layer: QuantizedLayer) -> bool:
    nodes = _forward(layer).nodes
    if nodes and isinstance(nodes[-1], nir.Conv2d):
        return len(nodes) == 1 and not isinstance(padding_of(nodes[-1]), str)
    return _is_dense(_forward(layer), layer)


def _write_layer(groups: h5py.Group, layer: QuantizedLayer, finer: int, *, delay: int) -> None:
    """Append a layer whose axons are late by `delay` steps."""
    forward, recurrent = _forward(layer), _recurrent(layer)
    node = forward.nodes[-1]
    if any(isinstance(each, nir.Flatten) for each in forward.nodes):
        groups.create_group(str(len(groups)))["type"] = _text("flatten")
    group = groups.create_group(str(len(groups)))
    group["shape"] = np.array(layer.shape)
    group["weight"] = _weights(forward).astype(np.float32)
    if recurrent is not None:
        group["weight_rec"] = _weights(recurrent).astype(np.float32)
    if delay:
        group["delay"] = np.full(layer.shape, delay)
    bias = layer.bias >> NETX_BIAS_EXPONENT
    if bias.any():
        group["bias"] = (bias[:, 0, 0] if bias.ndim == 3 else bias).astype(np.float32)
    if isinstance(node, nir.Conv2d):
        group["type"] = _text("conv")
        group["inChannels"] = node.weight.shape[1] * int(node.groups)
        group["outChannels"] = node.weight.shape[0]
        group["kernelSize"] = np.array(node.weight.shape[2:])
        for key, value in (("stride", node.stride), ("padding", padding_of(node)), ("dilation", node.dilation)):
            group[key] = np.array(pair(value))
        group["groups"] = int(node.groups)
    else:
        group["type"] = _text("dense" if recurrent is None else "dense_rec")
        group["outFeatures"], group["inFeatures"] = weighted(node).weight.shape
    assert layer.vth is not None  # refused otherwise
    neuron: dict[str, Any] = {
        "type": "CUBA",
        "iDecay": (int(layer.du.flat[0]) + LOIHI2.current_decay_offset) << finer,
        "vDecay": int(layer.dv.flat[0]) << finer,
        "vThMant": int(layer.vth.flat[0]),
        "refDelay": 1,
        "gradedSpike": False,
    }
    for key, value in neuron.items():
        group[f"neuron/{key}"] = value


def _text(word: str) -> Any:
    """As slayer writes it: an array of one fixed-length string."""
    return np.array([word.encode("ascii")], dtype="S10")
