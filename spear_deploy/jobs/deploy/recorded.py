"""A request as plain values: what a run is repeated from, and what an unfinished one is found by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError

from spear_deploy import __version__
from spear_deploy.errors import SpearDeployError
from spear_deploy.hardware import QUANTITIES, Limit, Profile
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.network.device import describe, device_named
from spear_deploy.report.asked import BY_CONTENT, HOW_RUN, PLACES
from spear_deploy.search.strategies.agent_file import read_agent
from spear_deploy.system.values import Form, from_plain, to_plain

FORMAT = 4
"""Version of what steps of a run are; those of another are made anew."""

NO_MATTER = (*HOW_RUN, *BY_CONTENT, "agent", "reading")
"""Of a request, what its result does not depend on, or is told by the content of files: see `surroundings`."""

TOOLS = ("lava", "lava_seconds", "lava_python")
"""What only programs beside this package depend on: another choice there goes on from the same steps."""

Plain = dict[str, Any]


def plain_request(request: DeployRequest) -> Plain:
    """The request as numbers and texts, for `request_from`."""
    plain: Plain = to_plain(request, _FORMS)
    return plain


def repeatable(request: DeployRequest) -> Plain:
    """The same without where its result goes."""
    return {key: value for key, value in plain_request(request).items() if key not in PLACES}


def request_from(plain: object) -> DeployRequest:
    """The request that `plain_request` wrote.

    Raises:
        ValueError: it is none, or one that is refused, as an earlier version may not have done.

    """
    try:
        found: DeployRequest = from_plain(DeployRequest, plain, _FORMS)
    except SpearDeployError as error:
        raise ValueError(str(error)) from None
    return found


def target_from(plain: object, name: str) -> Profile | None:
    """The chip of that name among those of a request that `plain_request` wrote; None where it tells of none."""
    targets = plain.get("targets") if isinstance(plain, Mapping) else None
    try:
        found: tuple[Profile, ...] = from_plain(tuple[Profile, ...], targets, _FORMS)
    except (ValueError, TypeError):
        return None
    return next((each for each in found if each.name == name), None)


def what_matters(plain: Mapping[str, Any]) -> Plain:
    """Of a request as plain values, what its result depends on, but for the network and the samples."""
    return {key: value for key, value in plain.items() if key not in NO_MATTER}


def surroundings(request: DeployRequest, network_sha256: str, data_sha256: str) -> dict[str, str]:
    """What the steps of a run depend on beside what was asked for, by what it is called."""
    agent = {} if request.agent is None else {"the agent": read_agent(request.agent).sha256}
    return {
        "the network": network_sha256,
        "the samples": data_sha256,
        **agent,
        "spear-deploy": __version__,
        "torch": torch.__version__,
        "the device": describe(device_named(request.device)),
    }


def digest(request: DeployRequest, around: Mapping[str, str]) -> str:
    """A hash of all that the steps of a run depend on; `around` are its surroundings."""
    asked = {key: value for key, value in what_matters(plain_request(request)).items() if key not in TOOLS}
    text = json.dumps([FORMAT, dict(around), asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plain_limit(limit: Limit) -> Plain:
    return {"quantity": limit.quantity.key, "allowed": limit.allowed, "origin": limit.origin, "share": limit.share}


def _limit(plain: object) -> Limit:
    if not isinstance(plain, Mapping) or plain.get("quantity") not in QUANTITIES:
        raise ValueError("no limit")
    rest = {"allowed": float, "origin": str, "share": bool}
    given = {name: from_plain(kind, plain.get(name)) for name, kind in rest.items()}
    return Limit(QUANTITIES[plain["quantity"]], **given)


def _plain_profile(profile: Profile) -> Plain:
    own = sorted(set(profile.figures()) - set(profile.inherited)) if profile.inherited else None
    return {"content": profile.model_dump(mode="json", exclude_unset=True), "own": own}


def _profile(plain: object) -> Profile:
    if not isinstance(plain, Mapping):
        raise ValueError("no profile")
    try:
        profile = Profile.model_validate(plain.get("content"))
    except ValidationError as error:
        raise ValueError(str(error)) from None
    own: list[str] | None = from_plain(list[str] | None, plain.get("own"))
    return profile if own is None else profile.with_own(own)


_FORMS = {Limit: Form(_plain_limit, _limit), Profile: Form(_plain_profile, _profile)}
