"""A command made of a dataclass takes what its fields say, and hands over one value."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from spear_deploy.cli import main
from spear_deploy.cli.options import filled_from
from spear_deploy.cli.verbs import VERBS


@dataclass(frozen=True)
class Order:
    model: Annotated[str, typer.Argument(help="What.")]
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 2
    quiet: Annotated[bool, typer.Option("--quiet")] = False


@pytest.fixture
def given():
    return []


@pytest.fixture
def app(given):
    made = typer.Typer()

    @filled_from(Order)
    def order(asked: Order) -> None:
        """Order MODEL."""
        given.append(asked)

    made.command()(order)
    return made


def test_what_is_typed_fills_the_fields_and_the_rest_has_its_default(app, given):
    assert CliRunner().invoke(app, ["net.pt", "--quiet"]).exit_code == 0
    assert CliRunner().invoke(app, ["net.pt", "--count", "7"]).exit_code == 0
    assert given == [Order("net.pt", quiet=True), Order("net.pt", count=7)]


@pytest.mark.parametrize("typed", [[], ["net.pt", "--count", "0"], ["net.pt", "--count", "many"]])
def test_what_does_not_fit_is_refused_before_the_function_is_called(app, given, typed):
    assert CliRunner().invoke(app, typed).exit_code == 2
    assert given == []


def test_help_shows_the_docstring_and_every_field(app):
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for word in ("Order MODEL.", "--count", "How many.", "--quiet"):
        assert word in shown


def test_options_stand_under_their_headings_and_name_their_values():
    made = typer.Typer()

    @filled_from(Order, {"Amounts": ("count",)})
    def order(asked: Order) -> None:
        """Order MODEL."""

    made.command()(order)
    shown = CliRunner().invoke(made, ["--help"], env={"COLUMNS": "80"}).output
    assert shown.index("Amounts") < shown.index("--count")
    assert "N [x>=1]" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_in_the_help_is_cut_at_80_columns(verb, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = capsys.readouterr().out
    assert shown.splitlines()
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
