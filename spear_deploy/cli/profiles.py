"""`spear-deploy profiles list|show|check|diff|schema`: chips as data, each figure with its source."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from spear_deploy.cli.console import out
from spear_deploy.jobs.chips import checked_chip, chip_of, chips_of, keys_of, template_of
from spear_deploy.report.chip_json import overview_json, profile_json, profile_schema
from spear_deploy.report.terminal.chips import alike, chips_table, differences, differences_table, figures_text
from spear_deploy.report.words.quantity_text import inherited_text

app = typer.Typer(no_args_is_help=True, help="Show the chips that are known, their limits and prices with sources.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]


@app.command("list")
def list_profiles(as_json: AsJson = False) -> None:
    """List the chips that come with spear-deploy."""
    profiles = chips_of("all")
    if as_json:
        print(json.dumps([overview_json(profile) for profile in profiles], indent=2))
        return
    out.print(chips_table(profiles))
    out.print("one of them in full: spear-deploy profiles show NAME")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a chip, or a TOML file.")],
    key: Annotated[str, typer.Argument(help="Only figures whose key holds this text, such as energy.")] = "",
    as_json: AsJson = False,
    toml: Annotated[bool, typer.Option("--toml", help="Print the TOML of a shipped chip, to start one's own.")] = False,
) -> None:
    """Show every figure of a chip with its status and source."""
    if toml:
        if as_json or key:
            raise typer.BadParameter(f"--toml prints the whole file; leave out {'--json' if as_json else key}")
        print(template_of(name), end="")
        return
    profile = chip_of(name)
    keys = keys_of(profile, key)
    if as_json:
        found = profile_json(profile)
        print(json.dumps(found | {"figures": {each: found["figures"][each] for each in keys}}, indent=2))
        return
    out.print(f"{profile.title}\n{' '.join(profile.about.split())}")
    if profile.inherited:
        out.print(inherited_text(profile))
    for line in figures_text(profile, keys):
        out.print(line)


@app.command()
def check(name: Annotated[str, typer.Argument(metavar="FILE", help="TOML file, or the name of a chip.")]) -> None:
    """Check a profile of one's own: every fault on a line, or what it holds."""
    profile = checked_chip(name)
    about = overview_json(profile)
    out.print(f"{name}: ok, {about['figures']} figures, {about['unknown']} of them unknown")
    if profile.inherited:
        out.print(inherited_text(profile))


@app.command()
def diff(
    first: Annotated[str, typer.Argument(help="Name of a chip, or a TOML file.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    as_json: AsJson = False,
) -> None:
    """Show the figures that two chips do not share: values, or what is known of them."""
    chips = chip_of(first), chip_of(second)
    if as_json:
        print(json.dumps(differences(*chips), indent=2))
        return
    if differences(*chips):
        out.print(differences_table(*chips))
    out.print(f"{alike(*chips)} are alike")


@app.command()
def schema() -> None:
    """Print the JSON schema of a profile."""
    print(json.dumps(profile_schema(), indent=2))
