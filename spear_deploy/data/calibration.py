"""Which training samples the scales of a chip's integers are chosen on."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from spear_deploy.data.encoding import EncodedSplit
from spear_deploy.data.stored import AT_ONCE


def telling(data: EncodedSplit, count: int) -> EncodedSplit:
    """The first `count` samples, such that they show whether inputs are values or zeros and ones.

    Where analog samples begin with so many of zeros and ones alone, the last half of these gives way to the
    first later samples that hold other values, if there are any.
    """
    first = data.take(slice(0, count))
    if not data.analog or len(data) <= count or holds_values(first):
        return first
    later: list[int] = []
    for part in _pieces(count, len(data)):
        later += [part.start + place for place in _with_values(data.take(part))]
        if 2 * len(later) >= count:
            break
    if not later:
        return first
    later = later[: max(count // 2, 1)]
    return data.take(torch.tensor([*range(count - len(later)), *later]))


def holds_values(data: EncodedSplit) -> bool:
    """Whether any sample holds something else than 0 and 1."""
    return bool(_with_values(data))


def _with_values(data: EncodedSplit) -> list[int]:
    """The samples that hold something else than 0 and 1."""
    found: list[int] = []
    for part in _pieces(0, len(data)):
        x = data.take(part).as_stored()
        x = x[:1] if x.stride(0) == 0 else x
        holds = ((x != 0) & (x != 1)).transpose(0, 1).flatten(1).any(1)
        found += (holds.nonzero().flatten() + part.start).tolist()
    return found


def _pieces(start: int, end: int) -> Iterator[slice]:
    return (slice(at, min(at + AT_ONCE, end)) for at in range(start, end, AT_ONCE))
