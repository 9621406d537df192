"""Numbers and units as people write them."""

from __future__ import annotations

from decimal import Decimal

SPELLINGS = {
    "bits": "bit",
    "byte": "B",
    "bytes": "B",
    "Byte": "B",
    "Bytes": "B",
    "\N{MICRO SIGN}s": "us",
    "\N{MICRO SIGN}J": "uJ",
    "\N{MICRO SIGN}W": "uW",
    "neuron": "neurons",
    "core": "cores",
    "chip": "chips",
    "axon": "axons",
    "synapse": "synapses",
}
"""Other ways to write a unit that can mean nothing else."""

AMBIGUOUS = {
    "KB": "1,000 or 1,024 bytes: write kB or KiB",
    "K": "1,000 or 1,024 bytes: write kB or KiB",
    "Kb": "bits or bytes, 1,000 or 1,024 of them: write B, kB or KiB",
    "kb": "bits or bytes: write B, kB or KiB",
    "Mb": "1,000,000 or 1,048,576 bits, or bytes: write B, MB or MiB",
}
"""Units that mean different things to different people."""


def product(number: float | str, worth: float) -> float:
    """A number times what its unit is worth, both as they are written in decimals, and then the nearest float.

    A product of floats is of what they were rounded to: 1.001 times 1000 would be less than 1001.
    """
    return float(Decimal(str(number)) * Decimal(str(worth)))
