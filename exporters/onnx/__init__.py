"""ONNX: one time step as a function with explicit states, or a whole inference."""

from spear_deploy.exporters.onnx.exporter import OnnxExporter
from spear_deploy.exporters.onnx.forms import Form

__all__ = ["Form", "OnnxExporter"]
