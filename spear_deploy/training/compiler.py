"""Torch's compiler, which every optimiser imports and nothing here uses."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import torch

FOLDER = "TORCHINDUCTOR_CACHE_DIR"
"""Names the folder for compiled code. Source: torch._inductor.runtime.cache_dir_utils.cache_dir."""


def import_compiler() -> None:
    """Import it before an optimiser does, without the folder that it makes in TMPDIR as it is imported.

    Nobody would remove that folder, and where TMPDIR is full or may not be written to there would be no training.
    Compilers of others find their folder where it always is: the name holds for the import alone.
    """
    if "torch._dynamo" in sys.modules:
        return
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = before or str(Path(torch.__file__).parent)  # it is there: none is made
    try:
        importlib.import_module("torch._dynamo")
    finally:
        if before is None:
            del os.environ[FOLDER]
