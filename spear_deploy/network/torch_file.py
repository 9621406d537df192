"""Reading what `torch.save` wrote without running any of it."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from spear_deploy.errors import ModelError
from spear_deploy.network.faults import check_file
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, first_line
from spear_deploy.system.outside.torch_archive import read_torch


def read_torch_file(path: Path) -> Any:
    """The content of a torch file, on the CPU: tensors and plain values only.

    Raises:
        ModelError: the file is missing or damaged, or reading it would run code.

    """
    check_file(path)
    try:
        return read_torch(path)
    except RefusedError as error:
        raise ModelError(f"{path}: refused: {error}") from None
    except UnpicklingError:
        raise ModelError(
            f"{path}: refused, because it is damaged or reading it would run code: it holds Python objects,"
            " not only tensors; write it with spear_deploy.save_model(net, path, ...)"
            " or torch.save(net.state_dict(), path)"
        ) from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: not a model file, or damaged ({first_line(error)})") from None
