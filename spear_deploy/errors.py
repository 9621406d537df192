"""What can go wrong, one class per kind of fault.

The command line turns each into one clear message and exit code 2; library users catch
`SpearDeployError`. A message names the thing, what was found, and what is needed.
"""

import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import accumulate
from reprlib import Repr
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

LONGEST_MESSAGE = 2000
LONGEST_LINE = 300
"""Characters, of a message that would be longer than a screen."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def quoted(value: object) -> str:
    """A value out of a file or an option as a message shows it: as in Python, cut in the middle where it is long."""
    return _SHORT.repr(value)


def fault_of(error: BaseException) -> str:
    """What somebody else's code raised, in a line: kind, first words, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    words = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {words}{where}" if words else f"{type(error).__name__}{where}"


def in_full(error: BaseException) -> str:
    """What is said of an error, with what was added to it on its way, such as where work is kept."""
    return "\n  ".join([str(error), *getattr(error, "__notes__", ())])


class SpearDeployError(Exception):
    """Every fault that spear-deploy itself reports.

    Whatever a file holds, its message is no longer than a screen: names and values are cut in the middle.
    """

    def __str__(self) -> str:
        return bounded(super().__str__())


def bounded(message: str) -> str:
    """The message, cut where it would be longer than a screen: long lines in the middle, many lines in the middle.

    The end stays: of a traceback, it is what counts.
    """
    if len(message) <= LONGEST_MESSAGE:
        return message
    lines = [_cut(line) for line in message.splitlines()]
    room = LONGEST_MESSAGE // 2 - len("[... 1,000,000 lines ...]")
    first = _fitting(lines, room)
    last = _fitting(lines[first:][::-1], room)
    left_out = len(lines) - first - last
    gap = [f"[... {left_out:,} lines ...]"] if left_out else []
    return "\n".join([*lines[:first], *gap, *lines[len(lines) - last :]])


def _fitting(lines: Sequence[str], room: int) -> int:
    """How many of the first lines take no more characters than there is room for."""
    ends = accumulate(len(line) + 1 for line in lines)
    return sum(end <= room for end in ends)


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    head, tail = LONGEST_LINE // 2, LONGEST_LINE // 3
    return f"{line[:head]} [... {len(line) - head - tail:,} characters ...] {line[-tail:]}"


class ModelError(SpearDeployError):
    """A network or model file that cannot be used."""


class DataError(SpearDeployError):
    """A data set that is missing, damaged or does not suit the network."""


class ProfileError(SpearDeployError):
    """A hardware profile that is unknown or invalid."""


class BudgetError(SpearDeployError):
    """A budget that cannot be understood or reached."""


class SearchError(SpearDeployError):
    """A search that cannot be carried out as asked."""


class OutputError(SpearDeployError):
    """A place that results cannot be written to."""


class BackendError(SpearDeployError):
    """An execution backend that is missing, failed or gave no answer."""


class DeviceError(SpearDeployError):
    """A device that is not there, or that computes otherwise than the CPU."""


class MachineError(SpearDeployError):
    """A machine, or a bound set to it, that has less memory than the work needs."""


class WorkerError(SpearDeployError):
    """A process that shares the work and was ended from outside, again and again."""


class ClusterError(SpearDeployError):
    """A cluster of machines that does not answer, or cannot do the work."""


class ExportError(SpearDeployError):
    """A format that cannot say a network, or a file that does not hold it."""


class NotRunnableError(ExportError):
    """An export that cannot be run here, because what runs it is not installed."""


class ArgumentError(SpearDeployError):
    """An argument of another kind than a call from Python takes."""


class RunError(SpearDeployError):
    """A folder that holds no run, or a run that does not hold what is asked of it."""


def briefly(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The same function, whose own faults carry no traceback of what lies below it.

    For what users call in their scripts: what went wrong is in the message, and where is in their line.
    """

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except SpearDeployError as error:
            raise error.with_traceback(None) from None

    return call
