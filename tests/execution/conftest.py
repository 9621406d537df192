from importlib.metadata import PackageNotFoundError, version

import pytest


def pytest_runtest_setup(item):
    if item.get_closest_marker("lava") is None:
        return
    try:  # importing it would set the start method of multiprocessing
        version("lava-nc")
    except PackageNotFoundError:
        pytest.skip("lava-nc is missing: spear-deploy lava install")
