"""Figures of made-up chips."""

from pydantic import BaseModel

from spear_deploy.hardware import Profile

SECTIONS = {name: type(block) for name, block in Profile(name="any", title="") if isinstance(block, BaseModel)}


def figure_keys():
    """Keys of all figures that a profile may have."""
    return [f"{section}.{name}" for section, block in SECTIONS.items() for name in block.model_fields]


def kind_of(key):
    """What a figure is, such as a Count, and the unit of all figures of that key; None where it may have several."""
    section, name = key.split(".")
    (kind, _) = SECTIONS[section].model_fields[name].annotation.__args__
    held = getattr(kind, "__metadata__", None)
    return (kind, None) if held is None else (kind.__origin__, held[0].unit)


def unit_of(key):
    """The unit of a figure, the first of several."""
    kind, unit = kind_of(key)
    return unit or next(iter(kind.units))
