"""The rooms of the package import each other one way, in the order of docs/architecture.md."""

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE, EXPORTERS = ROOT / "spear_deploy", ROOT / "exporters"
MOST_ARROWS = 75
PUBLIC_NAMES = {"__version__"}
"""Of the package itself, which are no rooms."""


def room_of(path):
    """The folder or module right below the package."""
    if path.is_relative_to(EXPORTERS):
        return "exporters"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("spear_deploy.")} - PUBLIC_NAMES


def imports():
    """By room, the other rooms that it imports."""
    found = {}
    for path in [*PACKAGE.rglob("*.py"), *EXPORTERS.rglob("*.py")]:
        room = room_of(path)
        found.setdefault(room, set()).update(imported_rooms(path) - {room})
    return {room: others for room, others in found.items() if not room.startswith("__")}


def rows():
    """The number of each room's row on the map."""
    table = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    return {room: number for number, cell in enumerate(table) for room in re.findall(r"`(\w+)`", cell)}


def test_the_map_shows_every_room_and_no_other():
    assert set(rows()) == set(imports())


def test_a_room_imports_only_those_above_it_on_the_map():
    row = rows()
    wrong = [(room, other) for room, others in imports().items() for other in others if row[other] > row[room]]
    assert wrong == []


def test_no_room_leads_back_to_itself():
    order = TopologicalSorter(imports()).static_order()  # raises CycleError, which names the rooms
    assert set(order) == set(imports())


def test_rooms_lean_on_few_others():
    """Arrows between rooms, all of them, however deep in a function an import stands."""
    arrows = [f"{room} -> {other}" for room, others in sorted(imports().items()) for other in sorted(others)]
    assert len(arrows) <= MOST_ARROWS, arrows


def test_the_command_line_stands_on_the_jobs_and_what_they_return():
    """It parses, calls a job, prints a table of the report: what a job is made of is not its business."""
    assert imports()["cli"] <= {"errors", "system", "network", "search", "report", "jobs"}


def test_no_two_test_files_have_one_name():
    """Pytest imports them by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_nothing_imports_an_exporter_so_that_anyone_can_add_one():
    assert [room for room, others in imports().items() if "exporters" in others] == []


def test_the_package_list_names_every_folder():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        PACKAGE: "spear_deploy",
        EXPORTERS: "spear_deploy.exporters",
        ROOT / "hw_profiles": "spear_deploy.hw_profiles",
    }
    found = [
        ".".join([name, *path.parent.relative_to(top).parts])
        for top, name in folders.items()
        for path in top.rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)
