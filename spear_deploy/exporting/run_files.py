"""The exports that every run folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.exporting.registry import exporter
from spear_deploy.exporting.writing import Export, export_model
from spear_deploy.network import Model

LAVA_FORMATS = ("lava", "netx")


def export_run(
    model: Model,
    source: Path,
    inputs: Tensor,
    *,
    inputs_name: str,
    profile: str,
    run_lava: bool,
    lava_python: Path | None = None,
    notice: Callable[[str], None],
) -> None:
    """Write a model as NIR, ONNX and for Lava beside its own file, each proven and recorded.

    A format that is refused, fails or is not installed costs the run nothing but a notice; NIR
    is needed for what follows.

    Args:
        model: the network.
        source: its own file; the others are called after it.
        inputs: samples to prove them on `[T, B, *input_shape]`.
        inputs_name: what they are.
        profile: the chip it was pruned for.
        run_lava: whether the Lava script may be run; it is written in any case.
        lava_python: an interpreter that has Lava; None for this one.
        notice: told what could not be written.

    Raises:
        ExportError: the NIR file differs from the model.

    """
    proven = Export(model, source, source.stem, inputs, inputs_name)
    unproven = Export(model, source, source.stem, None, "", why_not="Lava is not wanted (--no-lava)")
    export_model(proven, [exporter("nir")], source.parent, force=True)
    options: dict[str, dict[str, object]] = {"onnx": {"profile": profile}, "lava": {"python": lava_python}}
    for name in ("onnx", *LAVA_FORMATS):
        export = unproven if name == "lava" and not run_lava else proven
        try:
            export_model(export, [exporter(name, options.get(name))], source.parent, force=True, record_refusal=True)
        except ExportError as error:
            notice(f"not written as {name}: {error}")
