"""Torch's compiler is imported without a trace, by the search that cannot do without alone: nothing here compiles."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, torch
{given}
assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ, os.environ["TORCHINDUCTOR_CACHE_DIR"]
"""
OF_A_RECIPE = """
from spear_deploy.training import Recipe
one = torch.nn.Parameter(torch.ones(1))
optimiser = Recipe().optimiser_of([("weight", one)])
one.sum().backward()
optimiser.step()
import sys
assert "torch._dynamo" not in sys.modules
"""
OF_THE_SEARCH = """
from spear_deploy.training.compiler import import_compiler
import_compiler()
from stable_baselines3 import DDPG
DDPG("MlpPolicy", "Pendulum-v1")
from torch._inductor.runtime.cache_dir_utils import default_cache_dir
assert default_cache_dir().startswith(os.environ["TMPDIR"])
"""


@pytest.mark.parametrize("given", [OF_A_RECIPE, OF_THE_SEARCH])
def test_an_optimiser_leaves_no_folder_in_tmpdir(tmp_path, given):
    environment = {key: value for key, value in os.environ.items() if key != "TORCHINDUCTOR_CACHE_DIR"}
    script = [sys.executable, "-c", SCRIPT.format(given=given)]
    ended = subprocess.run(script, env=environment | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.iterdir()) == []
