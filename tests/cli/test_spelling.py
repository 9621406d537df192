"""Messages below the command line name options as Python does; the command line names them as they are typed."""

import ast
import inspect
import re
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

import pytest
import typer
from rich.console import Group
from rich.text import Text

import spear_deploy
from spear_deploy import DeployConfig, SimulateConfig
from spear_deploy.cli import app
from spear_deploy.cli.console import VisibleConsole
from spear_deploy.cli.spelling import FLAGS, flags_of, spelled
from spear_deploy.jobs.results import DeployResult
from spear_deploy.report.terminal.table import Table

ROOT = Path(__file__).parents[2]
RUN_OTHERS = {"spear_deploy/backends/lava/install.py", "exporters/lava/exporter.py", "exporters/lava/text.py"}
"""Modules that run, or write, a program with a command line of its own: pip, and the script for Lava."""

COMMAND_LINE = re.compile(r"spear-deploy [a-z][^)`\n]*")
"""What is typed in a shell whatever face is used."""

FACE = [getattr(spear_deploy, name) for name in spear_deploy.__all__ if name not in ("DeployConfig", "SimulateConfig")]


@pytest.fixture(scope="module")
def command():
    return typer.main.get_command(app)


def modules_below():
    paths = [*(ROOT / "spear_deploy").rglob("*.py"), *(ROOT / "exporters").rglob("*.py")]
    inside = [path for path in paths if not path.is_relative_to(ROOT / "spear_deploy" / "cli")]
    return [path for path in inside if str(path.relative_to(ROOT)) not in RUN_OTHERS]


def literals(path):
    """Every string of a module with the line that it begins in; f-strings in their parts."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_text_below_the_command_line_names_a_flag():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in modules_below()
        for line, text in literals(path)
        if re.search(r"(?<![\w-])--[a-z]", COMMAND_LINE.sub("", text))
    ]
    assert found == []


def raised(path):
    """The texts of errors, notices and ways out: all that are no docstring and describe no field."""
    tree = ast.parse(path.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    described = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "description"
        for part in ast.walk(node.value)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone | described:
            yield node.value


def in_python(option):
    """Whether the Python face has an argument of this name, or a configuration an attribute."""
    if "." in option:
        return attrgetter(option)(DeployConfig()) is not None
    named = {name for each in [*FACE, DeployResult.save] for name in inspect.signature(each).parameters}
    return option in named | {each.name for config in (DeployConfig, SimulateConfig) for each in fields(config)}


def test_every_option_that_a_message_names_is_one_in_python_and_on_the_command_line(command):
    flags = flags_of(command)
    options = {name for path in modules_below() for text in raised(path) for name in re.findall(r"`([a-z_.]+)", text)}
    assert {"time_steps", "dt_s", "adapt", "folder", "plan.plain.epochs"} <= options
    assert [name for name in sorted(options) if name not in flags] == []
    assert [name for name in sorted(options) if not in_python(name)] == []


def test_all_verbs_type_the_same_thing_alike(command):
    typed = {}
    for verb in command.commands.values():
        for name, flags in flags_of(verb).items():
            typed.setdefault(name, set()).add(flags)
    assert {name: flags for name, flags in typed.items() if len(flags) > 1} == {}


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("give `time_steps`", "give --time-steps"),
        ("`dt_s=1` or `data='digits'`", "--dt 1 or --data digits"),
        ("convert it: `adapt=True`; `lava=False`", "convert it: --adapt; --no-lava"),
        ("longer fine-tunes (`plan.plain.epochs`)", "longer fine-tunes (--plain-epochs)"),
        ("a folder `models`, and `adapt=False`", "a folder `models`, and `adapt=False`"),
    ],
)
def test_an_option_is_named_by_what_is_typed_for_it(command, said, typed):
    assert spelled(said, flags_of(command.commands["deploy"])) == typed


def test_an_option_that_another_verb_has_is_named_with_that_verb(command):
    flags = flags_of(command.commands["compare"])
    assert spelled("let it be converted: `adapt=True`", flags) == "let it be converted: spear-deploy check --adapt"


def test_the_terminal_shows_options_as_they_are_typed(command, tmp_path):
    assert "adapt" in flags_of(command.commands["deploy"])
    assert "adapt" in FLAGS
    table = Table("way out", "")
    table.add_row("`adapt=True`", "|")
    with (tmp_path / "shown").open("w") as file:
        shown = VisibleConsole(file=file, soft_wrap=True, markup=False, highlight=False, width=80)
        shown.print("give `time_steps`")
        shown.print(Text("give `input_shape`", style="bold red"))
        shown.print(Group(Text("give `dt_s`", "bold"), table))
    lines = (tmp_path / "shown").read_text().splitlines()
    assert lines[:3] == ["give --time-steps", "give --input-shape", "give --dt"]
    assert any(re.fullmatch(r"│ --adapt +│ \| │", line) for line in lines)
