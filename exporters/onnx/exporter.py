"""Writes ONNX files and runs them in onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import onnx
import torch
from onnx import helper
from torch import Tensor

from spear_deploy import __version__
from spear_deploy.errors import ExportError
from spear_deploy.exporters.onnx.forms import Form, graph_of
from spear_deploy.exporters.onnx.linear import supported
from spear_deploy.exporters.onnx.neurons import RESETS
from spear_deploy.exporters.onnx.session import run_file
from spear_deploy.exporters.onnx.step import Step
from spear_deploy.exporters.onnx.weights import Int8Weights, Weights, rounded_to_int8
from spear_deploy.exporting import Exporter, simulate
from spear_deploy.network import Model
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.network.linear import is_linear

OLDEST_OPSET = 18
IR_VERSION = 10
"""Of the file; onnxruntime since 1.18 reads it."""

LARGEST_BYTES = 2_000_000_000
"""Protocol buffers end at 2 GiB."""


class OnnxExporter(Exporter):
    """Writes `.onnx` files of standard operators only, in float32.

    Args:
        form: one step with explicit states, or a whole inference.
        opset: version of the operators, 18 or newer.
        int8: weights as 8-bit integers with a scale for each output channel (QDQ).
        profile: the chip that the network was pruned for, for the metadata.

    Raises:
        ExportError: an opset that is too old, or that the installed onnx does not know.

    """

    name = "onnx"
    suffix = ".onnx"
    says = "ONNX, one time step with explicit states or a whole inference, for onnxruntime and others"
    arithmetic = "float32"
    options: ClassVar = {
        "form": "step (one time step, explicit states), scan or unroll (a whole inference)",
        "opset": "version of the operators",
        "int8": "weights in 8 bits (QDQ)",
    }

    def __init__(
        self, *, form: str = Form.STEP, opset: int = OLDEST_OPSET, int8: bool = False, profile: str | None = None
    ) -> None:
        newest = onnx.defs.onnx_opset_version()
        if not OLDEST_OPSET <= opset <= newest:
            raise ExportError(
                f"onnx: opset {opset} cannot be written; {OLDEST_OPSET} is the oldest with all operators that are"
                f" needed, {newest} the newest that the installed onnx knows"
            )
        if form not in list(Form):
            raise ExportError(f"onnx: no form called {form!r}; known: {', '.join(Form)}")
        self.form = Form(form)
        self.opset = opset
        self.int8 = int8
        if int8:
            self.reference = "the network with its weights rounded to int8"
        self.profile = profile

    def refuses(self, model: Model) -> tuple[str, ...]:
        """Nodes or resets that have no form here, and files of more than 2 GB."""
        reasons = [
            f"{name}: nodes of type {type(node).__name__} are not written as ONNX"
            for name, node in model.graph.nodes.items()
            if is_linear(node) and type(node).__name__ != "Delay" and not supported(node)
        ]
        reasons += [
            f"{name}: a reset of kind {neuron.reset} is not written as ONNX"
            for name, neuron in model.network.neurons.items()
            if neuron.reset not in RESETS
        ]
        if 4 * model.parameters > LARGEST_BYTES:
            reasons.append(f"{model.parameters:,} parameters: an ONNX file ends at 2 GB")
        return tuple(reasons)

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file, after onnx's own check of it."""
        step = Step(model.network, Int8Weights() if self.int8 else Weights())
        made = helper.make_model(
            graph_of(model, step, self.form),
            producer_name="spear-deploy",
            producer_version=__version__,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", self.opset)],
        )
        helper.set_model_props(made, self._metadata(model))
        onnx.checker.check_model(made, full_check=True)
        path.write_bytes(made.SerializeToString())

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Run the file in onnxruntime."""
        return run_file(path, inputs)

    def held(self, model: Model) -> Model:
        """The network with the weights that the file holds."""
        return rounded_to_int8(model) if self.int8 else model

    def notes(self, model: Model, inputs: Tensor) -> dict[str, object]:
        """What int8 weights change against the float32 model; nothing else needs a note."""
        form: dict[str, object] = {"form": str(self.form), "opset": self.opset}
        if not self.int8:
            return form
        float32, int8 = simulate(model, inputs, torch.float32), self.expected(model, inputs)
        read_out = model.network.read_out
        answers = [model.answers(each[read_out]) for each in (float32, int8)]
        return form | {
            "weights": "int8 (QDQ)",
            **_changed_answers(model, *answers),
            "spikes": {
                name: {"float32": int((float32[name] != 0).sum()), "int8": int((int8[name] != 0).sum())}
                for name, neuron in model.network.neurons.items()
                if neuron.spikes
            },
        }

    def _metadata(self, model: Model) -> dict[str, str]:
        """How to use the network; values are text."""
        neurons = model.network.neurons
        found = {
            "spear_deploy.form": str(self.form),
            "spear_deploy.time_steps": str(model.time_steps),
            "spear_deploy.dt_s": repr(model.network.dt_s),
            "spear_deploy.encoding": str(model.encoding),
            "spear_deploy.read_out": f"{model.read_out} of {model.network.read_out}",
            "spear_deploy.reset": json.dumps(
                {
                    name: f"{neuron.reset}, delayed" if neuron.reset_delay else str(neuron.reset)
                    for name, neuron in neurons.items()
                }
            ),
            "spear_deploy.weights": "int8" if self.int8 else "float32",
            "spear_deploy.model_sha256": fingerprint(model),
        }
        if not model.objective.tells_classes:
            found["spear_deploy.objective"] = str(model.objective)
        if model.population != 1:
            found["spear_deploy.population"] = str(model.population)
        if self.profile is not None:
            found["spear_deploy.profile"] = self.profile
        return found


def _changed_answers(model: Model, float32: Tensor, int8: Tensor) -> dict[str, object]:
    """What int8 weights change of the answers to the samples: of how many the class, or by how much the values."""
    if model.objective.tells_classes:
        same = int((float32 == int8).sum())
        return {"same_class": f"{same} of {len(int8)} samples as with float32 weights"}
    return {"largest_change": float((float32 - int8).abs().max())}
