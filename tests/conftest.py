import signal
from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background inherits that it is ignored
torch.set_num_threads(1)  # tests run side by side; more threads only wait for each other


@pytest.fixture(autouse=True, scope="session")
def no_users_cache(tmp_path_factory):
    """What tests keep, they never keep in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEAR_DEPLOY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(no_users_cache, tmp_path_factory, monkeypatch):
    """Nor does one test find what another kept."""
    monkeypatch.setenv("SPEAR_DEPLOY_CACHE", str(tmp_path_factory.mktemp("cache")))


def pytest_collection_modifyitems(items):
    """Lava's tests run in one worker of pytest-xdist, one after the other."""
    for item in items:
        if item.get_closest_marker("lava") is not None:
            item.add_marker(pytest.mark.xdist_group("lava"))


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("no GPU that torch can compute on")
    if item.get_closest_marker("lava") is None:
        return
    try:  # importing it would set the start method of multiprocessing
        version("lava-nc")
    except PackageNotFoundError:
        pytest.skip("lava-nc is missing: spear-deploy lava install")
