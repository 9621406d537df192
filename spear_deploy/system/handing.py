"""Values handed to processes in files: arrays and tensors are mapped there, so that all processes share one copy."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.system.handed import arrays_of

_ALIGNED = 64


def hand_over(value: object, path: Path) -> None:
    """Write a value for `handed.handed_over`; its arrays go into a file beside `path`.

    Raises:
        OSError: a file cannot be written; tells which.

    """
    written = path
    try:
        with path.open("wb") as file, arrays_of(path).open("wb") as arrays:
            places: list[tuple[int, int]] = []

            def write(buffer: pickle.PickleBuffer) -> None:
                nonlocal written
                written = arrays_of(path)
                arrays.write(bytes(-arrays.tell() % _ALIGNED))
                places.append((arrays.tell(), arrays.write(buffer.raw())))

            content = io.BytesIO()
            _Pickler(content, protocol=5, buffer_callback=write).dump(value)
            arrays.flush()
            written = path
            pickle.dump((places, content.getvalue()), file)
            file.flush()
    except OSError as error:  # a full disk does not say which
        raise OSError(error.errno, error.strerror, str(written)) from None


class _Pickler(pickle.Pickler):
    """Leaves the numbers of tensors to the buffers, as those of arrays are."""

    def reducer_override(self, value: object) -> Any:
        if type(value) is not Tensor or value.device.type != "cpu" or value.requires_grad or value.is_quantized:
            return NotImplemented
        storage = value.untyped_storage()
        if value.layout is not torch.strided or not storage.nbytes():
            return NotImplemented
        held = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()
        return _tensor, (held, value.dtype, tuple(value.shape), value.stride(), value.storage_offset())


def _tensor(
    held: NDArray[np.uint8], dtype: torch.dtype, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Tensor:
    return torch.from_numpy(held).view(dtype).as_strided(shape, strides, offset)
