"""Print docs/api.md, made of the docstrings of the public names: python docs/make_api.py > docs/api.md."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import spear_deploy

CHAPTERS = {
    "Networks and data": ["load_model", "save_model", "check_convertible", "Model", "load_data", "Dataset", "Split"],
    "Back into PyTorch": ["to_torch", "TorchNetwork", "to_snntorch"],
    "Chips": ["load_profile", "check", "compare", "Checked"],
    "Running and deploying": [
        "simulate", "SimulateConfig", "deploy", "DeployConfig", "quickened", "DeployResult", "deploy_front", "Front",
        "Report", "reproduce", "Reproduced", "export", "Exported",
    ],
}  # fmt: skip

HEADING = """# From Python

Made of the docstrings: `python docs/make_api.py > docs/api.md`. All are names of `spear_deploy`. Every error is a
`spear_deploy.errors.SpearDeployError`; its text says in a line or two what is wrong and the way out. Shapes are
`[T, B, *input_shape]`: time, samples, one time step of one sample."""

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")


def main() -> None:
    """Write the document to standard output."""
    print("\n".join(document()))


def document() -> Iterator[str]:
    """The lines of docs/api.md."""
    yield HEADING
    for title, names in CHAPTERS.items():
        yield f"\n## {title}"
        for name in names:
            found = getattr(spear_deploy, name)
            yield f"\n### `{name}`"
            if not _has_values_of_its_own(found):
                yield f"\n```python\n{_call(name, found)}\n```"
            yield ""
            yield from _described(found)
            for key, member in _methods(found):
                yield f"\n`{key}`: {_first(member)}"


def _has_values_of_its_own(found: Any) -> bool:
    """Whether its fields, not its call, say what it is: a report, a result."""
    return inspect.isclass(found) and (hasattr(found, "model_fields") or found is spear_deploy.TorchNetwork)


def _call(name: str, found: Any) -> str:
    """The call with one parameter a line where it is long."""
    parameters, star = [], False
    for each in inspect.signature(found).parameters.values():
        if each.kind is each.KEYWORD_ONLY and not star and not inspect.isclass(found):
            parameters.append("*")
            star = True
        stars = {each.VAR_KEYWORD: "**", each.VAR_POSITIONAL: "*"}.get(each.kind, "")
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        parameters.append(f"{stars}{each.name}: {_type(each.annotation)}{default}")
    result = _type(inspect.signature(found).return_annotation)
    ending = "" if inspect.isclass(found) or not result else f" -> {result}"
    line = f"{name}({', '.join(parameters)}){ending}"
    if len(line) <= 110:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f"){ending}"])


def _type(annotation: Any) -> str:
    if annotation in (inspect.Parameter.empty, inspect.Signature.empty):
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    if repr(value) == "<factory>":
        return "..."
    if isinstance(value, tuple):
        return f"({', '.join(map(_default, value))}{',' if len(value) == 1 else ''})"
    if dataclasses.is_dataclass(value) or callable(value) or " object at " in repr(value):
        return f"{type(value).__name__}(...)"
    return repr(str(value)) if isinstance(value, Enum) else repr(value)


def _described(found: Any) -> Iterator[str]:
    """A docstring as Markdown: its sections become lists."""
    lines = (inspect.getdoc(found) or "").splitlines()
    inside = False
    for line in lines:
        if SECTION.match(line):
            inside, entry = True, None
            yield f"**{line[:-1]}**"
            yield ""
        elif inside and (entry := re.match(r"^ {4}(\w[\w, ]*): (.*)$", line)):
            yield f"- `{entry[1]}`: {entry[2]}"
        elif inside and line.startswith("    "):
            yield f"  {line.strip()}"
        else:
            inside = inside and not line
            yield line


def _methods(found: Any) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of a class, with their docstrings."""
    if not inspect.isclass(found) or hasattr(found, "model_fields"):
        return
    for key, member in vars(found).items():
        plain = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if key.startswith(("_", "extra_")) or not (inspect.isfunction(plain) and plain.__doc__):
            continue
        yield (key if isinstance(member, property) else f"{key}()"), plain


def _first(member: Any) -> str:
    """The first paragraph of a docstring in one line."""
    return " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())


if __name__ == "__main__":
    main()
