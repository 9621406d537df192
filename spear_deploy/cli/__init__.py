"""The command line: one thin module a verb; faults become one message and an exit code here."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence, Set
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup, TyperOption

from spear_deploy import __version__
from spear_deploy.cli.console import err, visible, wrapped
from spear_deploy.cli.ending import InterruptedVerb, Terminated, ending_by_signal, machine_limit, usable_streams
from spear_deploy.cli.spelling import FLAGS, spelled
from spear_deploy.cli.verbs import Verbs
from spear_deploy.errors import ModelError, SpearDeployError
from spear_deploy.system.processes import safe_path

DEFAULT_VERB = "deploy"
BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Prune a trained spiking network until it fits a neuromorphic chip, and prove what it will do there."
    f" Without a verb, {DEFAULT_VERB} is meant: spear-deploy --target loihi2 model.pt",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spear-deploy {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code: 0 ok, 1 not ok, 2 bad input or usage."""
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    given = list(sys.argv[1:] if arguments is None else arguments)
    with usable_streams(), safe_path(), ending_by_signal():
        try:
            code = command.main(with_default_verb(command, given), prog_name="spear-deploy", standalone_mode=False)
            sys.stdout.flush()
        except typer.TyperException as error:
            verb = next((word for word in given if word in command.commands), DEFAULT_VERB)
            message = error.format_message()  # none where verbs below one are missing: their help is shown by then
            code = _told(f"{message}\n  see: spear-deploy {verb} --help", error) if message else BAD_INPUT
        except SpearDeployError as error:
            code = _told(str(error), error)
        except InterruptedVerb as error:
            _told("interrupted; no result was written", error.interrupt)
            code = TERMINATED if isinstance(error.interrupt, Terminated) else INTERRUPTED
        except KeyboardInterrupt as error:  # while a verb was being imported
            _told("interrupted; no result was written", error)
            code = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        except typer.Abort as error:
            _told("interrupted; no result was written", error)
            code = INTERRUPTED
        except (ImportError, MemoryError, OSError, RuntimeError) as error:
            limit = machine_limit(error)
            if not limit:
                raise
            code = _told(limit, error)
    sys.exit(code if isinstance(code, int) else 0)


def _told(message: str, error: BaseException) -> int:
    """Say it, with what was added on its way, such as where work is kept."""
    lines = [f"spear-deploy: {message}", *getattr(error, "__notes__", [])]
    text = spelled("\n  ".join(lines), FLAGS)
    print(visible(wrapped(text, err.width) if err.is_terminal else text), file=sys.stderr)
    return BAD_INPUT


def with_default_verb(command: TyperGroup, arguments: Sequence[str]) -> list[str]:
    """The arguments with `deploy` put first when the first non-option word is no verb.

    Raises:
        BadParameter: the value of an option is missing.

    """
    known = {name for option in command.params for name in option.opts} | {"--help"}
    if not arguments or arguments[0] in known:
        return list(arguments)
    verb = command.commands[arguments[0] if arguments[0] in command.commands else DEFAULT_VERB]
    options = [option for option in verb.params if isinstance(option, TyperOption)]
    take_value = {name for option in options if not option.is_flag for name in option.opts}
    _check_values(arguments, take_value, {name for each in options for name in (*each.opts, *each.secondary_opts)})
    if arguments[0] in command.commands:
        return list(arguments)
    waiting = False
    for word in arguments:
        if waiting:
            waiting = False
        elif word.startswith("-"):
            waiting = word in take_value
        elif word in command.commands:
            return list(arguments)
        else:
            _check_names_a_file(word, command.commands)
            return [DEFAULT_VERB, *arguments]
    if not any(word in known for word in arguments):
        return [DEFAULT_VERB, *arguments]
    return list(arguments)


def _check_values(arguments: Sequence[str], take_value: Set[str], options: Set[str]) -> None:
    """Refuse an option where the value of the one before it is missing, which the option would be taken for."""
    for option, word in pairwise(arguments):
        if option == "--":
            return
        if option in take_value and word in options:
            raise typer.BadParameter(f"{option} wants a value, found the option {word}")


def _check_names_a_file(word: str, verbs: Iterable[str]) -> None:
    """Refuse a word that is no verb and does not look like a file, either."""
    if word != Path(word).name or Path(word).suffix or Path(word).exists():
        return
    near = difflib.get_close_matches(word, list(verbs), 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ModelError(f"{word}: no verb, and no model file; verbs: {', '.join(verbs)}{meant}")
