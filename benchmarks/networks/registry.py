"""All networks of the table."""

from __future__ import annotations

from benchmarks.networks import forms, nir_exporters, published, snntorch_layers, snntorch_tutorials, spikingjelly_zoo
from benchmarks.networks.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (snntorch_tutorials, forms, published, snntorch_layers, spikingjelly_zoo, nir_exporters)
    for case in module.CASES
}
