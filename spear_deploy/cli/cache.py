"""Where spear-deploy keeps what it need not make twice."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SPEAR_DEPLOY_CACHE"


def cache_folder() -> Path:
    """The folder that `$SPEAR_DEPLOY_CACHE` names, else the user's cache folder of the system."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("spear-deploy", appauthor=False))
