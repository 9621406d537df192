import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_chips import unit_of

from spear_deploy.hardware import Profile, load_profile


@pytest.fixture
def chip(tmp_path: Path) -> Callable[..., Profile]:
    """A made-up chip with the given limits: cores=..., neurons=..., synapse_memory=... (bytes) and so on."""

    def make(cores: int = 1000, inherits: str | None = None, **limits: float) -> Profile:
        lines = ['name = "made-up"', 'title = "A made-up chip"']
        if inherits:
            lines.append(f'inherits = "{inherits}"')
        source = 'status = "published"\nsource = "made up for a test"'
        figures = {"chip.cores_per_chip": (cores, "cores"), "chip.usable_cores_per_chip": (cores, "cores")}
        if not inherits:
            figures |= {"synapses.packing": ('"plain"', "name"), "synapses.weight_bits": (8, "bit")}
        for name, value in limits.items():
            key = f"core.{name}"
            figures[key] = (value, "B" if name.endswith("memory") else unit_of(key))
        for key, (value, unit) in figures.items():
            lines.append(f'[{key}]\nvalue = {value}\nunit = "{unit}"\n{source}')
        path = tmp_path / "made_up.toml"
        path.write_text("\n".join(lines))
        return load_profile(path)

    return make


@pytest.fixture
def chip_file(tmp_path: Path) -> Callable[..., Path]:
    """The file of a made-up chip; figures by key: a value (None is unknown) and its unit, or low, value, high, unit."""

    def write(figures: dict[str, tuple[object, ...]], head: str = "", name: str = "made_up.toml") -> Path:
        lines = ['name = "made-up"\ntitle = "A made-up chip"', head]
        for key, (*values, unit) in figures.items():
            low, value, high = values if len(values) == 3 else (None, *values, None)
            ends = {"low": low, "value": value, "high": high}
            lines += [f"[{key}]", *(f"{end} = {_toml(each)}" for end, each in ends.items() if each is not None)]
            known = 'status = "published"\nsource = "made up for a test"'
            lines += [f'unit = "{unit}"', 'status = "unknown"' if value is None else known]
        path = tmp_path / name
        path.write_text("\n".join(lines))
        return path

    return write


def _toml(value: object) -> str:
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
