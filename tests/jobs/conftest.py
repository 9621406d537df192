"""What a job or a call from Python may not change of the process that it runs in."""

import os
import random

import numpy as np
import pytest
import torch

from spear_deploy.network.device import flushes_denormals


def global_settings():
    """Torch's, numpy's and Python's, by name; filters of warnings are what libraries add to on their import."""
    products = getattr(torch.backends.cudnn, "conv", torch.backends.cudnn)
    return {
        "threads": torch.get_num_threads(),
        "denormals": flushes_denormals(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "products": getattr(products, "fp32_precision", None) or products.allow_tf32,
        "torch's numbers": torch.get_rng_state().numpy().tobytes(),
        "numpy's numbers": repr(np.random.get_state()),
        "Python's numbers": random.getstate(),
        "numpy's errors": np.geterr(),
        "environment": {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"},
    }


@pytest.fixture
def nothing_else_changes():
    """The process is after the test as it was before."""
    before = global_settings()
    yield
    after = global_settings()
    assert [name for name in before if before[name] != after[name]] == []
