"""Lava as a backend: installing it, and running a model in it in a worker process."""

from spear_deploy.backends.lava.install import LavaStatus, install, status
from spear_deploy.backends.lava.runner import LavaRun, run_lava, run_lava_fixed

__all__ = ["LavaRun", "LavaStatus", "install", "run_lava", "run_lava_fixed", "status"]
