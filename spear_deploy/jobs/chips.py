"""Chips by the names and files that people give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spear_deploy.errors import ProfileError
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.chip.profile_files import known_profiles, load_profile, profile_text

DEFAULT_TARGET = "loihi2"
"""Where none is named, and no run says which."""


def chip_of(chip: Profile | str | Path) -> Profile:
    """A chip: as it is, or by its name or TOML file.

    Raises:
        ProfileError: it is not known, or the file holds none.

    """
    return chip if isinstance(chip, Profile) else load_profile(chip)


def checked_chip(chip: str | Path) -> Profile:
    """The chip of a file, held to all that later work asks of one: the integers that it names too.

    Raises:
        ProfileError: it is not known, or something in it cannot be.

    """
    from spear_deploy.backends.fixed_point.chip_format import format_of  # which brings torch, for this check alone

    profile = load_profile(chip)
    format_of(profile)
    return profile


def chips_of(text: str) -> tuple[Profile, ...]:
    """The chips that a list such as `loihi2,my_chip.toml` or `all,my_chip.toml` names.

    Raises:
        ProfileError: it names none, an unknown one, or two of one name.

    """
    words = [name.strip() for name in text.split(",") if name.strip()]
    names = [name for word in words for name in (known_profiles() if word == "all" else [word])]
    if not names:
        raise ProfileError(f"'{text}' names no chip; known: {', '.join(known_profiles())}, or a TOML file")
    return _apart([(name, load_profile(name)) for name in dict.fromkeys(names)])


def chips_given(chips: Sequence[Profile | str | Path] | str) -> tuple[Profile, ...]:
    """The chips of a list, each as `chip_of` takes it, or of a text; see `chips_of`.

    Raises:
        ProfileError: there is none, one is not known, or two have one name.

    """
    if isinstance(chips, str):
        return chips_of(chips)
    if not chips:
        raise ProfileError("no chip is given")
    return _apart([(chip.name if isinstance(chip, Profile) else str(chip), chip_of(chip)) for chip in chips])


def _apart(chips: Sequence[tuple[str, Profile]]) -> tuple[Profile, ...]:
    """The chips, which must not share a name; each comes with the word that it was asked for by."""
    profiles: dict[str, tuple[str, Profile]] = {}
    for word, profile in chips:
        if profile.name in profiles:
            raise ProfileError(
                f"{profiles[profile.name][0]} and {word} are both called '{profile.name}';"
                " their results would share a folder; give one of them another name"
            )
        profiles[profile.name] = word, profile
    return tuple(profile for _, profile in profiles.values())


def keys_of(chip: Profile, text: str = "") -> list[str]:
    """The keys of a chip's figures that hold a text, such as `energy` or `time.barrier`.

    Raises:
        ProfileError: none does.

    """
    known = list(chip.figures())
    found = [key for key in known if text in key]
    if not known:
        raise ProfileError(f"{chip.name} has no figure; every key that one may have: spear-deploy profiles schema")
    if not found:
        parts = dict.fromkeys(key.partition(".")[0] for key in known)
        raise ProfileError(f"{chip.name} has no figure whose key holds '{text}'; its figures are of {', '.join(parts)}")
    return found


def template_of(chip: str) -> str:
    """The TOML of a chip, to start one's own from.

    Raises:
        ProfileError: it is not known.

    """
    return profile_text(chip)
