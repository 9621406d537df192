"""How much memory the synapses of a core take: the packing formulas of the chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SynapseLists:
    """The synapses of one connection on one core, as one list per stored axon.

    Attributes:
        lengths: synapses that are not zero in a list, `[K]`.
        counts: how many lists of that length the core stores, `[K]`.
        targets: neurons of the core, which a list can address.
        delay_bits: width of the delay field, 0 without delays.

    """

    lengths: Integers
    counts: Integers
    targets: int
    delay_bits: int = 0

    @property
    def stored(self) -> int:
        """Synapses that the core stores."""
        return int(self.lengths @ self.counts)


def grouped(lengths: Integers, counts: Integers, targets: int, delay_bits: int) -> SynapseLists:
    """Lists of equal length counted together, empty ones left out."""
    present = (lengths > 0) & (counts > 0)
    values, where = np.unique(lengths[present], return_inverse=True)
    summed = np.bincount(where, weights=counts[present], minlength=len(values)).astype(np.int64)
    return SynapseLists(values, summed, targets, delay_bits)


@dataclass(frozen=True)
class AxonListFormat:
    """Loihi's synapse lists as nengo-loihi packs them.

    Source: nengo-loihi e564f66, block.py L427-428 (field widths) and L527-549 (bits_per_axon).
    """

    synapses_per_block: int = 64
    header_bits: int = 10
    word_bits: int = 64
    weight_bits: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 8)
    index_bits: tuple[int, ...] = (0, 6, 7, 8, 9, 10, 11, 12)


AXON_LISTS = AxonListFormat()


def bits_per_axon(
    synapses: Integers, weight_bits: int, index_bits: int = 0, delay_bits: int = 0, tag_bits: int = 0
) -> Integers:
    """Bits of lists that hold so many synapses each, shape as given.

    A list is cut into blocks of at most 64 synapses; a block of n takes
    n (weight + delay + tag + index bits) + 10 bits, rounded up to whole 64-bit words.
    `index_bits` is 0 for a dense list, which addresses its targets by position.
    """
    form = AXON_LISTS
    width = weight_bits + delay_bits + tag_bits + index_bits
    full, rest = np.divmod(np.asarray(synapses, dtype=np.int64), form.synapses_per_block)
    full_words = -(-(form.synapses_per_block * width + form.header_bits) // form.word_bits)
    rest_words = np.where(rest > 0, -(-(rest * width + form.header_bits) // form.word_bits), 0)
    return (full * full_words + rest_words) * form.word_bits


def weight_field_bits(weight_bits: int) -> int:
    """The narrowest weight field that holds weights of so many bits."""
    return next((width for width in AXON_LISTS.weight_bits if width >= weight_bits), weight_bits)


def index_field_bits(targets: int) -> int:
    """The narrowest index field that addresses so many neurons; above 4096 as wide as needed."""
    needed = max(targets - 1, 1).bit_length()
    return next((width for width in AXON_LISTS.index_bits if width >= needed), needed)


def axon_lists(lists: SynapseLists, weight_bits: int) -> int:
    """Bits of a connection in Loihi's format, dense or indexed, whichever is smaller."""
    stored = np.where(lists.lengths > 0, lists.counts, 0)
    width = weight_field_bits(weight_bits)
    dense = bits_per_axon(np.full_like(lists.lengths, lists.targets), width, 0, lists.delay_bits)
    indexed = bits_per_axon(lists.lengths, width, index_field_bits(lists.targets), lists.delay_bits)
    return int(min(dense @ stored, indexed @ stored))


def axon_list_words(synapses: Integers, lists: SynapseLists, weight_bits: int) -> Integers:
    """64-bit words that are read of a connection in Loihi's format for lists of so many synapses, shape as given."""
    width = weight_field_bits(weight_bits)
    targets = np.where(np.asarray(synapses) > 0, lists.targets, 0)
    dense = bits_per_axon(targets, width, 0, lists.delay_bits)
    indexed = bits_per_axon(synapses, width, index_field_bits(lists.targets), lists.delay_bits)
    stored = bits_per_axon(np.full_like(lists.lengths, lists.targets), width, 0, lists.delay_bits) @ lists.counts
    is_dense = stored == axon_lists(lists, weight_bits)
    words: Integers = (dense if is_dense else indexed) // AXON_LISTS.word_bits
    return words


def plain(lists: SynapseLists, weight_bits: int) -> int:
    """Bits of a connection that stores one word of fixed width for each synapse that is not zero."""
    return lists.stored * weight_bits


PACKINGS: dict[str, Callable[[SynapseLists, int], int]] = {"axon lists": axon_lists, "plain": plain}
"""Bits of a connection on a core, by the name that profiles use."""

READS: dict[str, Callable[[Integers, SynapseLists, int], Integers]] = {
    "axon lists": axon_list_words,
    "plain": lambda synapses, lists, weight_bits: np.asarray(synapses),
}
"""Words of synapse memory that are read where a spike meets a list of so many synapses, by the same names."""
