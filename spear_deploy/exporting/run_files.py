"""The exports that every run folder holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from spear_deploy.errors import BackendError, ExportError, ModelError
from spear_deploy.exporting.exporter import Exporter
from spear_deploy.exporting.judged import JudgedIntegers
from spear_deploy.exporting.registry import exporter
from spear_deploy.exporting.writing import Export, export_model
from spear_deploy.network import Model

FORMATS = ("onnx", "lava", "netx")
"""Beside NIR. What holds integers is left out for a target without."""


def export_nir(model: Model, source: Path, inputs: Tensor, *, inputs_name: str) -> None:
    """Write a model as NIR beside its own file, proven and recorded; see `export_run`.

    Raises:
        ExportError: the NIR file differs from the model.

    """
    export_model(Export(model, source, source.stem, inputs, inputs_name), [exporter("nir")], source.parent, force=True)


def export_run(
    model: Model,
    source: Path,
    inputs: Tensor,
    name: str,
    notice: Callable[[str], None],
    *,
    inputs_name: str,
    profile: str,
    integers: JudgedIntegers | None,
    run_tools: bool,
    lava_python: Path | None = None,
) -> None:
    """Write a model in one of `FORMATS` beside its own file, proven and recorded.

    A format that is refused, fails or is not installed costs the run nothing but a notice.

    Args:
        model: the network.
        source: its own file; the others are called after it.
        inputs: samples to prove them on `[T, B, *input_shape]`.
        name: of the format.
        notice: told what could not be written.
        inputs_name: what the samples are.
        profile: the chip it was pruned for.
        integers: what was judged, for a target that computes in integers: a format of both kinds, such as the Lava
            script, holds them then, unless it cannot.
        run_tools: whether files that programs beside this package run, such as Lava, may be run; they are written in
            any case.
        lava_python: an interpreter that has Lava; None for this one.

    """
    options = {"profile": profile, "python": lava_python, "samples": inputs, "integers": integers}
    try:
        made = _chosen(model, name, options, notice)
        if made is None:
            return
        proven = Export(model, source, source.stem, inputs, inputs_name, integers=integers)
        unproven = replace(proven, inputs=None, why_not=f"{made.tool} is not wanted")
        export = unproven if made.tool and not run_tools else proven
        export_model(export, [made], source.parent, force=True, record_refusal=True)
    except (ModelError, BackendError, ExportError) as error:
        notice(f"not written as {name}: {error}")


def _chosen(model: Model, name: str, options: Mapping[str, object], notice: Callable[[str], None]) -> Exporter | None:
    """What writes a format, with the judged integers where it can; None where it needs some and there are none."""
    made, integers = exporter(name, options), options["integers"]
    if integers is None or made.fixed or "fixed" not in made.options:
        return None if made.fixed and integers is None else made
    fixed = exporter(name, {**options, "fixed": True})
    reasons = fixed.refuses(model)
    for reason in _together(reasons):
        notice(f"{name}: written in floating point: {reason}")
    return made if reasons else fixed


def _together(reasons: Sequence[str]) -> list[str]:
    """Reasons such as `lif1: why`, each once for all layers that it holds of."""
    layers: dict[str, list[str]] = {}
    for reason in reasons:
        layer, _, why = reason.partition(": ")
        layers.setdefault(why or reason, []).extend([layer] if why else [])
    return [f"{', '.join(names)}: {why}" if names else why for why, names in layers.items()]
