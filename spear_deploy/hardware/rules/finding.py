"""A finding: what does not suit a chip, where, by how much, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What stands against a network.

    A wall holds at any speed and on any number of chips; a budget can be relieved by more time,
    more chips or a larger allowance; a note changes the numbers but hinders nothing.
    """

    WALL = "wall"
    BUDGET = "budget"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One violation of one rule.

    Attributes:
        rule: name of the rule.
        kind: wall or budget.
        node: the node of the graph that it is about; None where it is the whole network.
        found: what the network needs.
        allowed: what the chip or budget grants.
        mend: the way out.
        source: where the limit comes from.
        keep: the share that may stay, where pruning mends it; None where it does not.
        amounts: used, allowed and their unit, where it is of an amount.
        converting: the end of `mend` that tells of a conversion, of no use where all that can be was converted.

    """

    rule: str
    kind: Kind
    node: str | None
    found: str
    allowed: str
    mend: str
    source: str
    keep: float | None = None
    converting: str = ""
    amounts: tuple[float, float, str] | None = None

    @property
    def unconverted(self) -> str:
        """The finding as one line, where no conversion is a way out."""
        return self.text.removesuffix(self.converting)

    @property
    def text(self) -> str:
        """The finding as one line."""
        where = f"{self.node}: " if self.node else ""
        return f"{where}{self.rule}: {self.found}, allowed {self.allowed}; {self.mend}"
