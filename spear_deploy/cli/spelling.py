"""Options as they are typed; what lies below the command line names them as Python does: `time_steps`, `adapt=True`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

IN_PYTHON = {
    "distillation": "plan.distillation",
    "dt": "dt_s",
    "memory": "memory_bytes",
    "out_folder": "folder",
    "plain_epochs": "plan.plain.epochs",
    "prune_multiple": "plan.prune_multiple",
    "target": "chip",
}
"""What options are called in Python, where that is not what verbs call them."""

FLAGS: dict[str, tuple[str, ...]] = {}
"""Those of all verbs that were loaded: one, and no two verbs call the same thing otherwise."""

_ELSEWHERE = {"adapt": ("spear-deploy check --adapt",)}
"""What is typed for an option that a verb tells of and does not have itself."""

_NAMED = re.compile(r"`([a-z][a-z0-9_.]*)(?:=([^`]*))?`")


def named(option: str) -> str:
    """An option of a verb as messages name it."""
    return f"`{IN_PYTHON.get(option, option)}`"


def flags_of(command: Any) -> dict[str, tuple[str, ...]]:
    """How the options of a command, or of all commands of a group, are typed, by their names in Python.

    An option that is on or off has a second flag where it can be switched off.
    """
    found: dict[str, tuple[str, ...]] = {}
    for below in getattr(command, "commands", {}).values():
        found |= flags_of(below)
    for option in command.params:
        flags = (*option.opts[:1], *option.secondary_opts[:1])
        if flags[0].startswith("-"):
            found[IN_PYTHON.get(option.name, option.name)] = flags
    return found


def spelled(text: str, flags: Mapping[str, tuple[str, ...]]) -> str:
    """A text in which every option that has a flag is named by it; other words between backticks stay."""
    return "".join(word for _, _, word in _parts(text, flags))


def spelled_text(text: Text, flags: Mapping[str, tuple[str, ...]]) -> Text:
    """The same of a text with styles, which stay."""
    found = text.blank_copy()
    for start, stop, word in _parts(text.plain, flags):
        part = text[start:stop]
        if word != part.plain:
            part.plain = word
        found.append_text(part)
    return found


def _parts(text: str, flags: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[int, int, str]]:
    """The text in parts: where each lies, and what is read there."""
    end = 0
    for named in _NAMED.finditer(text):
        word = _flag(flags.get(named[1], ()) or _ELSEWHERE.get(named[1], ()), named[2])
        if word:
            yield end, named.start(), text[end : named.start()]
            yield named.start(), named.end(), word
            end = named.end()
    yield end, len(text), text[end:]


def _flag(flags: tuple[str, ...], value: str | None) -> str:
    """What is typed for an option and its value; nothing where there is no such flag."""
    match value:
        case None | "True":
            return flags[0] if flags else ""
        case "False":
            return flags[1] if len(flags) > 1 else ""
        case _:
            plain = value.strip("'")
            return f"{flags[0]} {plain}" if flags else ""
