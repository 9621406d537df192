"""Prune a trained spiking network until it fits a neuromorphic chip, and prove what it will do there."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from spear_deploy.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.data import Dataset, Split, load_data
    from spear_deploy.network import Model, save_model
    from spear_deploy.network import load_model_file as load_model
else:
    __getattr__ = lazily(__name__, __file__)

__version__ = version("spear-deploy")

__all__ = ["Dataset", "Model", "Split", "load_data", "load_model", "save_model"]
