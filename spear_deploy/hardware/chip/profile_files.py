"""Finding, inheriting and checking profile files."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spear_deploy.errors import ProfileError, quoted
from spear_deploy.hardware.chip.faults import amount_faults, core_faults, mesh_faults, time_faults
from spear_deploy.hardware.chip.figures import Choice, Count, Figure, Name, Sizes
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.system.outside.plain import LARGEST_TOML, parse_toml, read_text
from spear_deploy.system.outside.refusal import RefusedError

PACKINGS = ("axon lists", "plain")
"""Names of the packing formulas; `hardware.placement.packing` has them."""

SCOPES = ("per operation", "all-in")
"""What an energy price covers."""

ARITHMETICS = ("loihi1", "loihi2")
"""Integers that a chip may compute in; `backends.fixed_point.chip_format` has them."""

MODELS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI", "I", "Threshold")
"""Neurons, as NIR calls them."""

RESETS = ("zero", "zero_hold", "subtract", "subtract_once", "none")
"""What a neuron may do when it fires; `network.Reset` has them."""

KINDS = (
    *("dense", "conv1d", "conv2d", "sum pool", "average pool", "max pool"),
    *("resampling", "flatten", "unflatten", "scale", "delay"),
)
"""What connects neurons; `hardware.rules.layer_rules` has them."""

_MEMORIES = (
    *("core.memory", "core.synapse_memory", "core.kernel_memory", "core.neuron_memory"),
    "chip.synapse_memory",
)
"""What a network takes some of on every chip that limits it, as it does of whatever is counted."""

_CORES = ("chip.cores_per_chip", "chip.usable_cores_per_chip", "chip.chips")
"""Counts whose product is held above 0."""

_NAMES = {
    "synapses.packing": PACKINGS,
    "energy.scope": SCOPES,
    "neurons.arithmetic": ARITHMETICS,
    "neurons.models": MODELS,
    "neurons.resets": RESETS,
    "layers.kinds": KINDS,
}
"""Names that figures may have, by their keys."""

_SHIPPED = "spear_deploy.hw_profiles"


def known_profiles() -> list[str]:
    """Names of the profiles that come with spear-deploy."""
    folder = resources.files(_SHIPPED)
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_profile(target: str | Path) -> Profile:
    """The profile of a chip: a name that `known_profiles` lists, or a TOML file of one's own.

    Raises:
        ProfileError: no such profile or file; TOML that cannot be read; an unknown key or unit,
            a figure without source, a negative limit; inheritance that loops. One message names
            the file and every faulty key.

    """
    if not isinstance(target, str | Path):
        raise ProfileError(f"a chip is a name or the path of its TOML file, found {type(target).__name__}")
    where, content, own = _inherited(target, ())
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        lines = _faults(error, where)
        with suppress(ValidationError):  # what is sound may break rules that join figures: those too are told
            lines += _joint_faults(Profile.model_validate(_without(content, error)), where)
        raise ProfileError("\n".join(lines)) from None
    lines = _joint_faults(profile, where)
    if lines:
        raise ProfileError("\n".join(lines))
    return profile if own is None else profile.with_own(own)


def check_no_loop(target: str, child: Path) -> None:
    """Hold that a profile does not inherit, through others or itself, from a file that shall inherit from it.

    Raises:
        ProfileError: it does.

    """
    _inherited(target, (str(child.resolve()),))


def _joint_faults(profile: Profile, where: str) -> list[str]:
    """One line for each rule that figures break together."""
    lines = [*_wrong_names(profile, where), *_unpacked(profile, where), *_empty(profile, where)]
    faults = (*amount_faults(profile), *core_faults(profile), *time_faults(profile), *mesh_faults(profile))
    lines += [f"{where}: {fault}" for fault in faults]
    cores = profile.cores_available
    if cores is not None and cores < 1:
        lines.append(f"{where}: chip: no cores left: cores x chips = {cores}; a network needs at least 1")
    return lines


def _without(content: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """A profile's content without its faulty figures."""
    faulty = {fault["loc"][:2] for fault in error.errors(include_url=False)}
    sound: dict[str, Any] = {"name": "sound", "title": ""}
    for key, value in content.items():
        if (key,) in faulty:
            continue
        if isinstance(value, Mapping):
            value = {inner: figure for inner, figure in value.items() if (key, inner) not in faulty}
        sound[key] = value
    return sound


def profile_text(chip: str | Profile) -> str:
    """The TOML text of a shipped profile or of a file, as a start for one's own; or of a profile at hand."""
    if not isinstance(chip, Profile):
        return _source(chip)[1]
    content = chip.model_dump(mode="json", exclude_none=True)
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for section, block in content.items():
        if isinstance(block, Mapping) and block:
            lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in block.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value of TOML; texts and numbers are written as JSON has them."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _source(target: str | Path) -> tuple[str, str]:
    """Where a profile stands, and its text."""
    known = known_profiles()
    named_as_file = isinstance(target, Path) or str(target).lower().endswith(".toml") or "/" in str(target)
    if named_as_file or (target not in known and os.path.isfile(target)):
        path = Path(target)
        if not path.is_file():
            raise ProfileError(f"{path}: no such profile file; the shipped profiles are {', '.join(known)}")
        try:
            return str(path), read_text(path, LARGEST_TOML)
        except (OSError, RefusedError) as error:
            raise ProfileError(f"{path}: cannot be read as text ({error})") from None
    if target not in known:
        raise ProfileError(unknown_profile(str(target), known))
    name = f"{target}.toml"
    return name, resources.files(_SHIPPED).joinpath(name).read_text(encoding="utf-8")


def unknown_profile(name: str, known: list[str]) -> str:
    """The message for a profile that does not exist: those that do, and the nearest."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    lines = [f"no profile called '{name}'", f"  known: {', '.join(known)}"]
    own = "your own chip: give its TOML file (start from: spear-deploy profiles show loihi2 --toml)"
    lines.append(f"  did you mean '{near[0]}'? {own[0].upper()}{own[1:]}" if near else f"  {own}")
    return "\n".join(lines)


def _inherited(target: str | Path, chain: tuple[str, ...]) -> tuple[str, dict[str, Any], list[str] | None]:
    """Where a profile stands, its content over that of the profile it inherits from, and the keys of
    the figures that are its own; None where it inherits from none.
    """
    where, text = _source(target)
    key = str(Path(where).resolve()) if Path(where).is_file() else where
    if key in chain:
        loop = " -> ".join(Path(step).name for step in (*chain, key))
        raise ProfileError(f"{where}: inherits: the profiles inherit from each other: {loop}")
    try:
        content = parse_toml(text)
    except RefusedError as error:
        raise ProfileError(f"{where}: {error}") from None
    parent = content.get("inherits")
    if parent is None:
        return where, content, None
    if not isinstance(parent, str):
        raise ProfileError(f"{where}: inherits: needs the name of a profile or a TOML file, found {quoted(parent)}")
    beside = Path(where).parent / parent
    source: str | Path = beside if parent.lower().endswith(".toml") and beside.is_file() else parent
    try:
        _, base, _ = _inherited(source, (*chain, key))
    except ProfileError as error:
        raise ProfileError(f"{where}: inherits: {error}" if not chain else str(error)) from None
    own = [f"{section}.{name}" for section, block in content.items() if isinstance(block, Mapping) for name in block]
    name = content.get("name", Path(where).stem)  # what differs from its parent is not called by its parent's name
    titled = {**base, "name": name, "title": f"{name}, from {base.get('title')}"}
    return where, _over(_without_curve(titled, own), content), own


def _without_curve(base: dict[str, Any], own: list[str]) -> dict[str, Any]:
    """A barrier of one's own stands instead of the curve that goes with the one it replaces."""
    if "time.barrier" not in own or not isinstance(base.get("time"), Mapping):
        return base
    return {**base, "time": {key: each for key, each in base["time"].items() if key != "barrier_by_routers"}}


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` laid over `base`; a figure is replaced whole, so that no value keeps another's source."""
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and not _is_figure(value):
            merged[key] = value if _is_figure(below) else _over(below, value)
        else:
            merged[key] = value
    return merged


def _is_figure(block: Any) -> bool:
    return isinstance(block, Mapping) and ("status" in block or "unit" in block)


def _faults(error: ValidationError, where: str) -> list[str]:
    """One line for each fault: file, key, what is wrong, what is valid."""
    lines = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"]) or "file"
        if fault["type"] == "extra_forbidden":
            message = f"unknown key; valid here: {', '.join(_valid_keys(fault['loc'][:-1]))}"
        elif fault["type"] == "missing":
            message = "is missing"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            if fault["type"] != "value_error":
                message = f"{message[0].lower()}{message[1:]}, found {quoted(fault['input'])}"
        lines.append(f"{where}: {key}: {message}")
    return lines


def _valid_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Profile
    for part in location:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(option for option in options if hasattr(option, "model_fields"))
    return list(model.model_fields)


def _unpacked(profile: Profile, where: str) -> list[str]:
    """Memory says nothing without how synapses lie in it, and what a neuron takes beside them."""
    core, synapses = profile.core, profile.synapses
    packing = {"synapses.packing": synapses.packing, "synapses.weight_bits": synapses.weight_bits}
    needed: dict[str, tuple[Figure | None, Mapping[str, Figure | None]]] = {
        "core.synapse_memory": (core.synapse_memory, packing),
        "core.memory": (core.memory, packing | {"core.state_variable": core.state_variable}),
        "chip.synapse_memory": (profile.chip.synapse_memory, packing),
    }
    lines = []
    for key, (limit, figures) in needed.items():
        missing = [name for name, figure in figures.items() if figure is None]
        if limit is not None and limit.known and missing:
            lines.append(
                f"{where}: {key}: cannot be checked without {' and '.join(missing)};"
                f" give {'it' if len(missing) == 1 else 'them'}, or status 'unknown' (packings: {', '.join(PACKINGS)})"
            )
    uncounted = [name for name, figure in packing.items() if figure is None or not figure.known]
    read = profile.time.memory_read
    if read is not None and read.known and uncounted:
        lines.append(
            f"{where}: time.memory_read: what is read cannot be counted without {' and '.join(uncounted)};"
            f" give {'it' if len(uncounted) == 1 else 'them'}, or leave the time out"
        )
    return lines


def _empty(profile: Profile, where: str) -> list[str]:
    return [
        f"{where}: {key}: a limit of 0 holds no network; leave it out where the chip has none, or give its value"
        for key, figure in profile.figures().items()
        if figure.known and (key in _MEMORIES or (isinstance(figure, Count) and key not in _CORES))
        if not (any(figure.value or ()) if isinstance(figure, Sizes) else figure.value)
    ]


def _wrong_names(profile: Profile, where: str) -> list[str]:
    figures = profile.figures()
    return [
        f"{where}: {key}: '{name}' is not known; valid: {', '.join(known)}"
        for key, known in _NAMES.items()
        if isinstance(figure := figures.get(key), Name | Choice)
        for name in _names(figure)
        if name not in known
    ]


def _names(figure: Name | Choice) -> tuple[str, ...]:
    return (figure.value,) if isinstance(figure.value, str) else figure.value or ()
