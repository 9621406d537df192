"""Prune a trained spiking network until it fits a neuromorphic chip, and prove what it will do there."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from spear_deploy.system.arguments import telling
from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.data import Dataset, Split, load_data
    from spear_deploy.hardware import load_profile
    from spear_deploy.jobs.check import Checked
    from spear_deploy.jobs.deploy.request import DeployConfig, quickened
    from spear_deploy.jobs.face import check, compare, deploy, deploy_front, export, reproduce, simulate
    from spear_deploy.jobs.reproduce import Reproduced
    from spear_deploy.jobs.results import DeployResult, Exported, Front
    from spear_deploy.jobs.simulate import SimulateConfig
    from spear_deploy.network import Model, TorchNetwork, check_convertible, save_model, to_snntorch, to_torch
    from spear_deploy.network import load_any as load_model
    from spear_deploy.report import Report
else:
    __getattr__ = lazily(__name__, __file__, function=telling)

__version__ = version("spear-deploy")

__all__ = [
    "Checked",
    "Dataset",
    "DeployConfig",
    "DeployResult",
    "Exported",
    "Front",
    "Model",
    "Report",
    "Reproduced",
    "SimulateConfig",
    "Split",
    "TorchNetwork",
    "check",
    "check_convertible",
    "compare",
    "deploy",
    "deploy_front",
    "export",
    "load_data",
    "load_model",
    "load_profile",
    "quickened",
    "reproduce",
    "save_model",
    "simulate",
    "to_snntorch",
    "to_torch",
]
