"""snnTorch checkpoints: a state_dict, bare or as Lightning wraps it, and its architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.faults import first_line
from spear_deploy.network.importing.architecture import Architecture, from_factory, from_toml, inferred
from spear_deploy.network.model import Model
from spear_deploy.network.objective import CLASSIFICATION, Objective, doubt
from spear_deploy.network.snntorch_nets import from_snntorch
from spear_deploy.network.widen import widen

_PREFIXES = ("model.", "module.", "_orig_mod.", "net.")
"""What Lightning, DataParallel and torch.compile put before every key."""

_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net_state_dict",
    "net",
    "network",
    "weights",
    "params",
)
"""Where training scripts keep the weights, beside their optimizer and counters."""

_STATES = ("mem", "syn", "spk", "reset")
"""Neuron states that older snnTorch versions wrote; they start at zero anyway."""


def is_checkpoint(content: Any) -> bool:
    """Whether the content of a torch file is a state_dict, bare or wrapped."""
    return bool(_states_in(content))


def _states_in(content: Any) -> dict[str, Mapping[str, Tensor]]:
    """The state_dicts in a checkpoint by their keys: under common ones first; a bare one has an empty key."""
    if _is_state(content):
        return {"": content}
    found = (
        {str(key): value for key, value in content.items() if _is_state(value)} if isinstance(content, Mapping) else {}
    )
    return {key: found[key] for key in sorted(found, key=lambda key: _KEYS.index(key) if key in _KEYS else len(_KEYS))}


def _is_state(content: Any) -> bool:
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(key, str) and isinstance(each, Tensor) for key, each in content.items())


def read_checkpoint(
    content: Any,
    name: str,
    *,
    arch: str | None,
    input_shape: Sequence[int] | None,
    time_steps: int | None,
    dt_s: float | None,
    encoding: str | None = None,
    read_out: str | None = None,
    objective: str | None = None,
) -> Model:
    """Build the model of a checkpoint; see `load_any` for the arguments.

    Raises:
        ModelError: an architecture that is needed or does not fit, or an argument that is
            needed.

    """
    notices: list[str] = []
    (key, held), *others = _states_in(content).items()
    if others:
        notices.append(f"of the weights under {', '.join((key, *dict(others)))} those under {quoted(key)} are taken")
    state = _cleaned(held, notices)
    try:
        built = _architecture(arch, state)
        if arch is not None and not arch.endswith(".toml"):
            _load(built, state, arch)
        given = {
            "input_shape": input_shape,
            "time_steps": time_steps,
            "dt_s": dt_s,
            "encoding": encoding,
            "read_out": read_out,
            "objective": objective,
        }
        use = built.use | {key: value for key, value in given.items() if value is not None}
        stated = Objective(built.use.get("objective", CLASSIFICATION))
        asked = stated if objective is None else Objective(objective)
        if "objective" in use:
            use["objective"] = asked.over(stated)
        for key in ("input_shape", "time_steps"):
            if key not in use:
                raise ModelError(f"a checkpoint does not say its {key.replace('_', ' ')}: give `{key}`")
        model = from_snntorch(built.net, **use)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    if stated.names_scale and (objective is None or not asked.names_scale):
        said = (built.use.get("time_steps", model.time_steps), built.use.get("read_out", str(model.read_out)))
        notices += doubt(model.objective, said, (model.time_steps, str(model.read_out)))
    return replace(model, notices=(*notices, *built.notices, *model.notices))


def _cleaned(state: Mapping[str, Tensor], notices: list[str]) -> dict[str, Tensor]:
    """The checkpoint in wide floats, without what wrappers put before its keys."""
    found = dict(state)
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    clean: dict[str, Tensor] = {}
    for key, value in found.items():
        last = key.rpartition(".")[2]
        if last in _STATES:
            continue
        if last in ("reset_mechanism_val", "num_batches_tracked"):
            clean[key] = value
            continue
        array, notice = widen(value, key)
        clean[key] = torch.from_numpy(array.astype("float64"))
        if notice is not None and value.dim():
            notices.append(notice)
    return clean


def _architecture(arch: str | None, state: dict[str, Tensor]) -> Architecture:
    if arch is None:
        return inferred(state)
    return from_toml(Path(arch), state) if arch.endswith(".toml") else from_factory(arch)


def _load(built: Architecture, state: dict[str, Tensor], arch: str) -> None:
    try:
        missing, unexpected = built.net.double().load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip() if str(error) else first_line(error)
        raise ModelError(f"`arch` {arch}: the checkpoint does not fit ({reason})") from None
    if missing or unexpected:
        what = [f"no {key} in the checkpoint" for key in missing[:3]]
        what += [f"no {key} in the network" for key in unexpected[:3]]
        raise ModelError(f"`arch` {arch}: the checkpoint does not fit: {', '.join(what)}")
