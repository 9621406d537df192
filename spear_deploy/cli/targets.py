"""The option that names chips, the same for every verb that takes several."""

from __future__ import annotations

from typing import Annotated

import typer

from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Profile, known_profiles, load_profile

Target = Annotated[
    str, typer.Option("--target", help="Chips, separated by commas: names, TOML files, or all.", metavar="NAME|FILE,..")
]


def read_targets(text: str) -> tuple[Profile, ...]:
    """The profiles that `--target` names.

    Raises:
        ProfileError: it names none, an unknown one, or two of one name.

    """
    names = known_profiles() if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ProfileError(f"--target '{text}' names no chip; known: {', '.join(known_profiles())}, or a TOML file")
    profiles: dict[str, tuple[str, Profile]] = {}
    for name in dict.fromkeys(names):
        profile = load_profile(name)
        if profile.name in profiles:
            raise ProfileError(
                f"--target: {profiles[profile.name][0]} and {name} are both called '{profile.name}';"
                " their results would share a folder; give one of them another name"
            )
        profiles[profile.name] = name, profile
    return tuple(profile for _, profile in profiles.values())
