"""The number formats of a chip that computes in integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from spear_deploy.errors import ProfileError

WIDTHS = {
    "weight_bits": (2, 8),
    "state_bits": (23, 32),
    "decay_bits": (1, 16),
    "threshold_bits": (1, 24),
    "bias_mantissa_bits": (2, 16),
    "graded_bits": (0, 16),
}
"""Widths that the execution computes exactly: an input of one step fits into a state, products into float64."""


@dataclass(frozen=True)
class Lattice:
    """Integers from `low` to `high` that are multiples of `step`."""

    step: int
    low: int
    high: int


@dataclass(frozen=True)
class Format:
    """Widths of the integers of Loihi's leaky integrate-and-fire neuron and its synapses.

    Source of the defaults: lava-nc 0.10.0, proc/lif/models.py (AbstractPyLifModelFixed,
    PyLifModelBitAcc), proc/dense/process.py and utils/weightutils.py; the same widths stand in
    nengo-loihi's discretize.py.

    Attributes:
        weight_bits: of a synapse; with mixed signs one of them is the sign, so that the
            mantissas are multiples of 2^(9 - bits) between -256 and 254.
        weight_exponent_min: smallest exponent that a weight matrix may have.
        weight_exponent_max: largest.
        input_bits: of what synapses hand to a neuron in one step, with sign.
        input_shift: how far that is shifted left when it is added to the current.
        state_bits: of current and membrane, with sign.
        decay_bits: a state keeps (2^bits - d) / 2^bits of its value in a step.
        current_decay_offset: what the chip adds to du: a du of 0 forgets 1/4096.
        threshold_bits: without sign; compared after shifting left by `input_shift`.
        bias_mantissa_bits: with sign.
        bias_exponent_min: a bias is mantissa * 2^exponent; the smallest exponent.
        bias_exponent_max: the largest.
        graded_bits: of a spike that carries a value; 0 where there are none. Loihi 2 allows up
            to 32 and in general uses 8 (Intel, Loihi 2 technology brief, 2021).
        subtract: whether a reset can subtract the threshold (programmable neurons, Loihi 2).
        negative_alone: whether a matrix of negative weights alone needs no bit for the sign, as one of positive ones.

    """

    weight_bits: int = 8
    weight_exponent_min: int = -8
    weight_exponent_max: int = 7
    input_bits: int = 16
    input_shift: int = 6
    state_bits: int = 24
    decay_bits: int = 12
    current_decay_offset: int = 1
    threshold_bits: int = 17
    bias_mantissa_bits: int = 13
    bias_exponent_min: int = 0
    bias_exponent_max: int = 7
    graded_bits: int = 8
    subtract: bool = True
    negative_alone: bool = True

    def __post_init__(self) -> None:
        for field, (low, high) in WIDTHS.items():
            found = getattr(self, field)
            if not low <= found <= high:
                what = field.removesuffix("_bits").replace("_", " ")
                raise ProfileError(f"a {what} can have {low} to {high} bits here, found {found}")
        room = self.state_bits - self.input_shift - 1
        if self.threshold_bits > room:
            raise ProfileError(
                f"a threshold of {self.threshold_bits} bits, shifted by {self.input_shift}, does not fit into a state"
                f" of {self.state_bits} bits; give neurons.threshold_bits at most {room}"
            )

    @property
    def state_limit(self) -> int:
        """States lie between plus and minus this."""
        return 1 << (self.state_bits - 1)

    @property
    def unity(self) -> int:
        """A decay of this much forgets all."""
        return 1 << self.decay_bits

    @property
    def input_max(self) -> int:
        """Largest input of one step."""
        return (1 << (self.input_bits - 1)) - 1

    def graded_range(self, *, signed: bool) -> tuple[int, int]:
        """The least and the most that a spike with a value carries; of values of both signs one bit is the sign."""
        most = (1 << (self.graded_bits - int(signed))) - 1
        return (-most if signed else 0), most

    @property
    def threshold_max(self) -> int:
        """Largest threshold."""
        return (1 << self.threshold_bits) - 1

    @property
    def bias_mantissa_max(self) -> int:
        """Largest mantissa of a bias."""
        return (1 << (self.bias_mantissa_bits - 1)) - 1

    @property
    def bias_max(self) -> int:
        """Largest bias."""
        return self.bias_mantissa_max << self.bias_exponent_max

    def lattice(self, *, mixed: bool) -> Lattice:
        """The mantissas that the weights of a matrix can have; `mixed`: of both signs."""
        step = 1 << (8 - self.weight_bits + int(mixed))
        return Lattice(step, -256 if mixed else step - 256, 256 - step)


LOIHI1 = Format(graded_bits=0, subtract=False)
LOIHI2 = Format()


NETX_BIAS_EXPONENT = 6
"""Source: lava-dl 0.6.0, netx/hdf5.py, Network.get_neuron_params (bias_exp)."""


def held_by_netx(chip: Format) -> Format:
    """Those of a chip's integers that a netx file has fields for: no weight exponent, one for all biases.

    Its reader takes zeros among negative weights for a second sign, so that all matrices with negative ones are alike.
    Source: lava-dl 0.6.0, netx/utils.py, optimize_weight_bits (INHIBITORY below 0 only).
    """
    return replace(
        chip,
        negative_alone=False,
        weight_exponent_min=0,
        weight_exponent_max=0,
        bias_exponent_min=NETX_BIAS_EXPONENT,
        bias_exponent_max=NETX_BIAS_EXPONENT,
    )


FILE_FORMATS: dict[str, Callable[[Format], Format]] = {"netx": held_by_netx}
"""File formats that cannot hold all of a chip's integers, and those that they can hold."""


def held_by(file_format: str | None, chip: Format) -> Format:
    """The integers of a chip that a file format can hold; all of them where None is named.

    Raises:
        ProfileError: a format that needs no integers of its own, or is not known.

    """
    if file_format is None:
        return chip
    if file_format not in FILE_FORMATS:
        raise ProfileError(
            f"integers are chosen for {', '.join(sorted(FILE_FORMATS))}, not for {file_format!r}; other formats hold"
            " all of a chip's integers, and need no choice"
        )
    return FILE_FORMATS[file_format](chip)
