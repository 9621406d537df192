"""What can go wrong, one class per kind of fault.

The command line turns each into one clear message and exit code 2; library users catch
`SpearDeployError`. A message names the thing, what was found, and what is needed.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class SpearDeployError(Exception):
    """Every fault that spear-deploy itself reports."""


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


class WorkerError(SpearDeployError):
    """A process that shares the work and was ended from outside, again and again."""


class ExportError(SpearDeployError):
    """A format that cannot say a network, or a file that does not hold it."""


class NotRunnableError(ExportError):
    """An export that cannot be run here, because what runs it is not installed."""


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
