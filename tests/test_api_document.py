"""docs/api.md says what the docstrings say, of every public name."""

import importlib.util
from pathlib import Path

import spear_deploy

DOCS = Path(__file__).parents[1] / "docs"


def made():
    found = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_document_is_made_of_the_docstrings_that_stand_now():
    """Write it anew with: python docs/make_api.py > docs/api.md."""
    assert "\n".join(made().document()) + "\n" == (DOCS / "api.md").read_text()


def test_it_tells_of_every_public_name_once():
    told = [name for names in made().CHAPTERS.values() for name in names]
    assert sorted(told) == sorted(spear_deploy.__all__)
