from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

torch.set_num_threads(1)  # the operations are small: threads that wait for each other cost more than they bring


def pytest_runtest_setup(item):
    if item.get_closest_marker("lava") is None:
        return
    try:  # importing it would set the start method of multiprocessing
        version("lava-nc")
    except PackageNotFoundError:
        pytest.skip("lava-nc is missing: spear-deploy lava install")
