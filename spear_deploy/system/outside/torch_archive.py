"""What `torch.save` wrote: tensors and plain values, none of which runs code or is larger than its file."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spear_deploy.system.outside.refusal import RefusedError, check_growth

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
DTYPES = (*_FLOATS, *_INTEGERS)
"""Types of tensors with which everything later can count."""

DEEPEST = 64
MOST_VALUES = 1_000_000


def read_torch(path: Path) -> Any:
    """The content of a torch file, on the CPU.

    Raises:
        UnpicklingError: reading it would run code, or it is damaged.
        RefusedError: it is packed, holds tensors of unusual kinds, or is nested too deeply.
        OSError: and others of `READ_ERRORS`: it is damaged or of another kind.

    """
    if zipfile.is_zipfile(path):
        _check_archive(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on pickle protocols; what matters raises
        content = torch.load(path, map_location="cpu", weights_only=True)
    _Count(path.stat().st_size).value(content, 0)
    return content


def _check_archive(path: Path) -> None:
    """Torch stores its records as they are; packed ones could grow a thousandfold."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise RefusedError(f"{entry.filename}: packed, which torch.save does not do")


class _Count:
    """Visits every value, and counts."""

    def __init__(self, file_bytes: int) -> None:
        self.file_bytes = file_bytes
        self.values = 0
        self.bytes = 0

    def value(self, value: Any, depth: int, name: str = "") -> None:
        self.values += 1
        if depth > DEEPEST or self.values > MOST_VALUES:
            raise RefusedError("nested too deeply, or more than a million values")
        if isinstance(value, torch.Tensor):
            self._tensor(value, name)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if not isinstance(key, str | int | float | bool | None):
                    raise RefusedError(f"a key of type {type(key).__name__}")
                self.value(item, depth + 1, str(key))
        elif isinstance(value, list | tuple | set | frozenset):
            for item in value:
                self.value(item, depth + 1, name)

    def _tensor(self, tensor: torch.Tensor, name: str) -> None:
        kind = _unusual(tensor)
        if kind:
            raise RefusedError(f"{name or 'a tensor'}: {kind}; save plain ones: tensor.detach().cpu().to_dense()")
        self.bytes += tensor.numel() * tensor.element_size()
        check_growth(self.bytes, self.file_bytes, name or "a tensor")


def _unusual(tensor: torch.Tensor) -> str:
    """What is unusual about a tensor, else nothing."""
    if tensor.is_meta:
        return "a tensor on the meta device, which holds no values"
    if tensor.is_quantized:
        return "a quantised tensor"
    if tensor.layout != torch.strided:
        return "a sparse tensor"
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.dtype not in DTYPES:
        return f"numbers of type {str(tensor.dtype).removeprefix('torch.')}"
    return ""
