"""A Ray cluster of two machines on this one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SMALL = {"num_cpus": 1, "object_store_memory": 100_000_000}
HEAD = SMALL | {"include_dashboard": False, "_system_config": {"worker_niceness": 0}}
"""Ray's workers give way to all others by default, and would starve beside tests."""


@contextmanager
def two_machines() -> Iterator[tuple[str, Any]]:
    """The cluster's address, and a function that ends the second machine at once."""
    pytest.importorskip("ray", reason="needs Ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE.parent, HERE, HERE / "system"))))
        cluster = Cluster(initialize_head=True, head_node_args=HEAD)
        try:
            second = cluster.add_node(**SMALL)
            yield cluster.address, lambda: cluster.remove_node(second, allow_graceful=False)
        finally:
            cluster.shutdown()
