from collections.abc import Callable
from pathlib import Path

import pytest

from spear_deploy.hardware import Profile, load_profile


@pytest.fixture
def chip(tmp_path: Path) -> Callable[..., Profile]:
    """A made-up chip with the given limits: cores=..., neurons=..., synapse_memory=... (bytes) and so on."""

    def make(cores: int = 1000, inherits: str | None = None, **limits: float) -> Profile:
        lines = ['name = "made-up"', 'title = "A made-up chip"']
        if inherits:
            lines.append(f'inherits = "{inherits}"')
        units = {"neurons": "neurons", "synapse_memory": "B", "memory": "B"}
        source = 'status = "published"\nsource = "made up for a test"'
        figures = {"chip.cores_per_chip": (cores, "cores"), "chip.usable_cores_per_chip": (cores, "cores")}
        if not inherits:
            figures |= {"synapses.packing": ('"plain"', "name"), "synapses.weight_bits": (8, "bit")}
        for name, value in limits.items():
            figures[f"core.{name}"] = (value, units.get(name, "axons"))
        for key, (value, unit) in figures.items():
            lines.append(f'[{key}]\nvalue = {value}\nunit = "{unit}"\n{source}')
        path = tmp_path / "made_up.toml"
        path.write_text("\n".join(lines))
        return load_profile(path)

    return make
