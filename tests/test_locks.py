"""What `make` installs: by version and hash, from no index by name, and as the project asks for it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.lock"))
PACKAGE = re.compile(
    r"^([a-z0-9][a-z0-9.-]*)==(\S+)((?: ; [^\\\n]+)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def locked(*names):
    """Versions by package, those of other platforms and Pythons included."""
    found = {}
    for name in names:
        for package, version, *_ in PACKAGE.findall((ROOT / "requirements" / f"{name}.lock").read_text()):
            found.setdefault(package, set()).add(version)
    return found


def canonical(requirement):
    return re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_packages_with_versions_and_hashes_and_nothing_else(name):
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    assert PACKAGE.sub("", re.sub(r"^#.*$", "", text, flags=re.MULTILINE)).strip() == ""


def test_every_pin_is_locked_at_its_version():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    found = locked("dev", "torch")
    assert {name: found.get(name) for name in pins} == {name: {version} for name, version in pins.items()}


def test_everything_the_project_declares_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    run = [*project["project"]["dependencies"], *extras["onnx"], *extras["lava"], *project["build-system"]["requires"]]
    assert {canonical(each) for each in run} <= set(locked("run", "torch"))
    assert {canonical(each) for each in [*run, *extras["dev"], *extras["oracles"]]} <= set(locked("dev", "torch"))


def test_what_serves_running_is_the_same_for_developing():
    run, dev = locked("run"), locked("dev")
    assert {name: dev.get(name) for name in run} == run


def test_make_sets_up_from_locks_alone():
    made = (ROOT / "Makefile").read_text()
    recipe = made[made.index("$(VENV)/.ready:") : made.index("demo: setup")]
    installs = [line for line in recipe.splitlines() if "$(PIP)" in line or "pip install" in line]
    assert installs == ["\t$(PIP) --no-deps --no-build-isolation --editable ."]
    assert recipe.count("$(LOCKED)") == 6
    assert "--require-hashes --no-deps" in made
    assert "index-url" not in made + "".join((ROOT / "requirements" / f"{name}.lock").read_text() for name in LOCKS)
