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
    later = _later(data, count)
    return data.take(torch.tensor([*range(count - len(later)), *later]) if later else slice(0, count))


def telling_in_words(data: EncodedSplit, count: int) -> str:
    """Which samples `telling` takes: "first 256 training samples", and those that it takes in the place of some."""
    later = _later(data, count)
    first = f"first {min(count, len(data)) - len(later)} training samples"
    return f"{first} and the first {len(later)} later ones that hold values other than 0 and 1" if later else first


def _later(data: EncodedSplit, count: int) -> list[int]:
    """The samples behind the first `count` that half of these give way to; none where the first show values."""
    if not data.analog or len(data) <= count or holds_values(data.take(slice(0, count))):
        return []
    later: list[int] = []
    for part in _pieces(count, len(data)):
        later += [part.start + place for place in _with_values(data.take(part))]
        if 2 * len(later) >= count:
            break
    return later[: max(count // 2, 1)]


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
