"""The verbs by name, each imported when it is asked for: help and version need none of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from spear_deploy.cli.ending import InterruptedVerb
from spear_deploy.cli.spelling import FLAGS, flags_of
from spear_deploy.system.lazy import uncollected


@dataclass(frozen=True)
class Verb:
    """Where a verb is.

    Attributes:
        module: of `spear_deploy.cli`.
        function: in it, or a Typer app of verbs below it.
        says: one line for the help: the first of the function's docstring, or the help of the app.

    """

    module: str
    function: str
    says: str

    def load(self, name: str) -> Any:
        """Its command."""
        with uncollected():
            module = importlib.import_module(f"spear_deploy.cli.{self.module}")
        found = getattr(module, self.function)
        if isinstance(found, typer.Typer):
            app = found
        else:
            app = typer.Typer(add_completion=False)
            app.command(name, epilog=module.EPILOG)(found)
        command = typer.main.get_command(app)
        command.name = name
        return command


VERBS = {
    "deploy": Verb(
        "deploy",
        "deploy",
        "Prune MODEL until it fits a chip and its budget, and measure what it does there.",
    ),
    "check": Verb(
        "check",
        "check",
        "Hold MODEL against every limit and rule of a chip; say which binds, where, and how to mend it.",
    ),
    "groups": Verb(
        "groups",
        "groups",
        "Show which channels of MODEL can only be pruned together, and why a group is fixed.",
    ),
    "compare": Verb(
        "compare",
        "compare",
        "Place and price MODEL on many chips: what fits, what binds, what an inference costs.",
    ),
    "calibrate": Verb(
        "calibrate",
        "calibrate",
        "Fit energies and times of a chip to measurements, each with its interval, as a profile that inherits.",
    ),
    "simulate": Verb(
        "simulate",
        "simulate",
        "Run MODEL on a backend: accuracy, spikes, SynOps and membranes of every layer.",
    ),
    "export": Verb(
        "export",
        "export",
        "Write MODEL in other formats, and prove that each does what the model does.",
    ),
    "lre": Verb(
        "lre",
        "lre",
        "Show how LRE predicts SynOps after fine-tuning: every estimator's errors, and each sample.",
    ),
    "import": Verb(
        "import_",
        "import_bundle",
        "Check BUNDLE, unpack it, and run every format in it against its own network.",
    ),
    "report": Verb(
        "report",
        "report",
        "Make report.html again from a RUN; of several runs, one page that compares them.",
    ),
    "validate": Verb(
        "validate",
        "validate",
        "Hold LRE's interval against SynOps measured on data that the search never saw.",
    ),
    "reproduce": Verb(
        "reproduce",
        "reproduce",
        "Repeat RUN from what its report records, and compare weights and figures.",
    ),
    "profiles": Verb(
        "profiles",
        "app",
        "Show the chips that are known, their limits and prices with sources.",
    ),
    "lava": Verb(
        "lava",
        "app",
        "Install Lava, or say how it runs here.",
    ),
}


class Commands(MutableMapping[str, Any]):
    """The commands of the verbs."""

    def __init__(self, verbs: dict[str, Verb]) -> None:
        self.verbs = verbs
        self.loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.loaded:
            self.loaded[name] = self.verbs[name].load(name)
            FLAGS.update(flags_of(self.loaded[name]))
        return self.loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self.loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self.loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.verbs

    def __iter__(self) -> Iterator[str]:
        return iter(self.verbs)

    def __len__(self) -> int:
        return len(self.verbs)


class Verbs(TyperGroup):
    """The group of all verbs; an interrupt leaves them with all that it carries."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands(VERBS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help that names the verbs without importing them."""
        commands = self.commands
        self.commands = {name: TyperCommand(name, help=verb.says) for name, verb in VERBS.items()}
        try:
            super().format_help(ctx, formatter)
        finally:
            self.commands = commands

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise InterruptedVerb(interrupt) from None
