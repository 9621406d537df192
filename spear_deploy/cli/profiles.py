"""`spear-deploy profiles list|show|check|diff|schema`: chips as data, each figure with its source."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from spear_deploy.cli.console import out
from spear_deploy.hardware import known_profiles, load_profile
from spear_deploy.hardware.chip.figures import Status
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.chip.profile_files import profile_text
from spear_deploy.report.chip_json import profile_json
from spear_deploy.report.words.quantity_text import inherited_text, status_text, value_text

app = typer.Typer(no_args_is_help=True, help="Show the chips that are known, their limits and prices with sources.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]


@app.command("list")
def list_profiles(as_json: AsJson = False) -> None:
    """List the chips that come with spear-deploy."""
    profiles = [load_profile(name) for name in known_profiles()]
    if as_json:
        print(json.dumps([_overview(profile) for profile in profiles], indent=2))
        return
    table = Table("name", "chip", "cores", "figures", "unknown", "energy of a synaptic operation")
    for profile in profiles:
        about = _overview(profile)
        cores = "-" if about["cores"] is None else f"{about['cores']:,}"
        table.add_row(profile.name, profile.title, cores, str(about["figures"]), str(about["unknown"]), _price(profile))
    out.print(table)
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
        print(profile_text(name), end="")
        return
    profile = load_profile(name)
    if as_json:
        print(json.dumps(profile_json(profile), indent=2))
        return
    out.print(f"{profile.title}\n{profile.about.strip()}")
    if profile.inherited:
        out.print(inherited_text(profile))
    table = Table(show_lines=True)
    table.add_column("figure", no_wrap=True)  # the key has to be typed
    for column in ("value", "status", "source"):
        table.add_column(column)
    for each, figure in profile.figures().items():
        if key in each:
            notes = [figure.source, figure.quote and f'"{figure.quote}"', figure.operating_point, figure.note]
            source = "\n".join(note for note in notes if note)
            table.add_row(each, value_text(figure), status_text(figure), source)
    out.print(table)


@app.command()
def check(name: Annotated[str, typer.Argument(metavar="FILE", help="TOML file, or the name of a chip.")]) -> None:
    """Check a profile of one's own: every fault on a line, or what it holds."""
    profile = load_profile(name)
    about = _overview(profile)
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
    profiles = [load_profile(name) for name in (first, second)]
    figures = [profile.figures() for profile in profiles]
    texts = [{key: f"{value_text(each)}, {each.status}" for key, each in found.items()} for found in figures]
    keys = [key for key in dict.fromkeys([*texts[0], *texts[1]]) if texts[0].get(key) != texts[1].get(key)]
    if as_json:
        print(json.dumps({key: [found.get(key) for found in texts] for key in keys}, indent=2))
        return
    table = Table()
    table.add_column("figure", no_wrap=True)
    for profile in profiles:
        table.add_column(profile.name, overflow="fold")
    for key in keys:
        table.add_row(key, *(found.get(key, "-") for found in texts))
    out.print(table)
    out.print(
        f"{len(set(figures[0]) & set(figures[1])) - len(set(keys) & set(figures[0]) & set(figures[1]))} are alike"
    )


@app.command()
def schema() -> None:
    """Print the JSON schema of a profile."""
    print(json.dumps(Profile.model_json_schema(), indent=2))


def _overview(profile: Profile) -> dict[str, str | int | None]:
    figures = profile.figures().values()
    price = profile.energy.synaptic_operation
    return {
        "name": profile.name,
        "title": profile.title,
        "cores": profile.cores_available,
        "figures": len(figures),
        "unknown": sum(figure.status is Status.UNKNOWN for figure in figures),
        "energy_status": None if price is None else str(price.status),
    }


def _price(profile: Profile) -> str:
    price = profile.energy.synaptic_operation
    if price is None:
        return "not priced apart"
    return "unknown" if not price.known else f"{value_text(price)}, {price.status}"
