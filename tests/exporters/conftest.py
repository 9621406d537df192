import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "backends"))  # the random networks of the backends


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
