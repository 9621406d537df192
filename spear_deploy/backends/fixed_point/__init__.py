"""A network in a chip's integers: rounding it, and running it as the chip would."""

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.fake_quantized import fake_quantized
from spear_deploy.backends.fixed_point.formats import LOIHI1, LOIHI2, Format
from spear_deploy.backends.fixed_point.host import HostSplit, split_first_layer
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.quantiser import quantiser_for, quantiser_of
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses, Rounding

__all__ = [
    "LOIHI1",
    "LOIHI2",
    "Format",
    "HostSplit",
    "LoihiExecution",
    "QuantizedLayer",
    "QuantizedNetwork",
    "QuantizedSynapses",
    "Rounding",
    "States",
    "fake_quantized",
    "format_of",
    "quantiser_for",
    "quantiser_of",
    "quantize",
    "split_first_layer",
]
