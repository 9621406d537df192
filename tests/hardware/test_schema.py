import json
from pathlib import Path

from spear_deploy.hardware import Profile

SCHEMA = Path(__file__).parents[2] / "docs" / "profile.schema.json"


def test_the_schema_in_the_documentation_is_that_of_the_code():
    """Written by: spear-deploy profiles schema > docs/profile.schema.json"""
    assert json.loads(SCHEMA.read_text()) == Profile.model_json_schema()


def test_the_schema_names_the_units_of_each_kind_of_figure():
    kinds = json.loads(SCHEMA.read_text())["$defs"]
    assert kinds["Energy"]["properties"]["unit"]["enum"] == ["fJ", "pJ", "nJ", "uJ"]
