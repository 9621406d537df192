"""Running a network on something else than torch."""

from spear_deploy.execution.lava import LavaRun, LavaStatus, run_lava

__all__ = ["LavaRun", "LavaStatus", "run_lava"]
