"""A trained agent in a file: arrays of numbers and a text in JSON, and nothing that a reader would have to run."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy import __version__
from spear_deploy.errors import SearchError, quoted
from spear_deploy.search.strategies.front import AgentConstants, TrainedAgent, TrainedOn
from spear_deploy.search.strategies.front_state import ACTION, STATE
from spear_deploy.search.strategies.policy import Policy
from spear_deploy.system.outside.npz import read_npz
from spear_deploy.system.outside.plain import parse_json, read_bytes
from spear_deploy.system.outside.refusal import RefusedError
from spear_deploy.system.values import from_plain, to_plain

AGENT_FILE = "agent.npz"
"""What it is called in the folder of a run that trained it."""

FORMAT = "spear-deploy agent"
VERSION = 1
"""Of the file and of what the entries of the state mean; another one is refused."""

LARGEST = 64 << 20
"""Bytes that such a file may have; ours have four hundred thousand."""

MOST_LAYERS = 8

ABOUT = "about"
"""The member that holds the JSON, as bytes of UTF-8."""


@dataclass(frozen=True)
class AgentFile:
    """An agent as it was read, and the SHA-256 of its file."""

    agent: TrainedAgent
    sha256: str


def agent_bytes(agent: TrainedAgent) -> bytes:
    """The content of an agent's file, an npz: the same for the same agent."""
    policy = agent.policy
    about = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"spear-deploy {__version__}",
        "state": list(STATE),
        "action": list(ACTION),
        "lowest": policy.lowest,
        "layers": len(policy.weights),
        "trained_on": to_plain(agent.trained_on),
        "constants": to_plain(agent.constants),
    }
    arrays: dict[str, NDArray[Any]] = {ABOUT: np.frombuffer(json.dumps(about, indent=1).encode(), dtype=np.uint8)}
    for name, layers in (("weight", policy.weights), ("bias", policy.biases)):
        arrays |= {f"{name}{number}": layer for number, layer in enumerate(layers)}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def read_agent(path: Path) -> AgentFile:
    """The agent of a file that anybody may have written.

    Raises:
        SearchError: it is none, is damaged, or is of another version or state, in one line.

    """
    try:
        sha256 = hashlib.sha256(read_bytes(path, LARGEST)).hexdigest()
        named = {f"{name}{number}" for name in ("weight", "bias") for number in range(MOST_LAYERS)}
        arrays, _ = read_npz(path, {ABOUT, *named})
        return AgentFile(_agent(arrays), sha256)
    except OSError as error:
        raise SearchError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (RefusedError, SearchError, ValueError, TypeError) as error:
        raise SearchError(f"{path}: no agent that can be used: {str(error).splitlines()[0][:300]}") from None


def _agent(arrays: Mapping[str, NDArray[Any]]) -> TrainedAgent:
    about = _about(arrays)
    count = from_plain(int, about.get("layers"))
    if not 1 <= count <= MOST_LAYERS:
        raise RefusedError(f"it has {count} layers, where 1 to {MOST_LAYERS} are read")
    policy = Policy(
        weights=tuple(_layer(arrays, f"weight{number}") for number in range(count)),
        biases=tuple(_layer(arrays, f"bias{number}") for number in range(count)),
        lowest=from_plain(float, about.get("lowest")),
    )
    if policy.inputs != len(STATE):
        raise RefusedError(f"its network takes a state of {policy.inputs} entries, where {len(STATE)} are given")
    trained_on: TrainedOn = from_plain(TrainedOn, about.get("trained_on"))
    constants: AgentConstants = from_plain(AgentConstants, about.get("constants"))
    return TrainedAgent(policy, trained_on, constants)


def _about(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """What the file says of itself, if it is one of ours and of the version that is read here."""
    member = arrays.get(ABOUT)
    if member is None or member.dtype != np.uint8:
        raise RefusedError(f"it holds no text called {ABOUT}")
    about = parse_json(member.tobytes().decode())
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise RefusedError("it does not say that it is an agent of spear-deploy")
    version = about.get("version")
    if version != VERSION:
        raise RefusedError(f"it is of version {quoted(version)}, and version {VERSION} is read here; train it anew")
    for name, entries in (("state", STATE), ("action", ACTION)):
        if about.get(name) != list(entries):
            raise RefusedError(f"its {name} is another: {quoted(about.get(name))} where {', '.join(entries)} is given")
    return about


def _layer(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    if name not in arrays or arrays[name].dtype != np.float32:
        raise RefusedError(f"it holds no {name} of float32")
    return arrays[name]
