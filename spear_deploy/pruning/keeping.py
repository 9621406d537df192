"""Shares of channels that a user wants kept, layer by layer: `conv1=all,fc*=50%-100%`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil, floor

from spear_deploy.errors import SearchError
from spear_deploy.pruning.groups import Group, Role

FORMS = "conv1=all, conv1=75%, fc*=50%-100%"


@dataclass(frozen=True)
class Keep:
    """How many channels the layers of a name keep.

    Attributes:
        pattern: of names of neuron layers or of weights, as a shell has it (`fc*`).
        least: the smallest keep ratio.
        most: the largest.

    """

    pattern: str
    least: float
    most: float

    def holds_for(self, group: Group) -> bool:
        """Whether it names something that makes or carries the channels of a group."""
        named = (*group.nodes(Role.PRODUCER), *group.nodes(Role.CARRIER))
        return any(fnmatchcase(member.node, self.pattern) for member in named)


def parse_keep(text: str) -> tuple[Keep, ...]:
    """What is typed, separated by commas.

    Raises:
        SearchError: a part is no pattern with `all`, a percentage or two of them.

    """
    return tuple(_parse(part.strip()) for part in text.split(",") if part.strip())


def _parse(part: str) -> Keep:
    pattern, _, wanted = (each.strip() for each in part.partition("="))
    ends = ("100%", "100%") if wanted == "all" else wanted.split("-") if "-" in wanted else (wanted, wanted)
    try:
        least, most = (float(end.strip().removesuffix("%")) / 100 for end in ends if end.strip().endswith("%"))
    except ValueError:
        least = most = 0.0
    if not pattern or not 0 < least <= most <= 1:
        raise SearchError(f"keep {part!r}: give layers and the share of their channels that stays, such as {FORMS}")
    return Keep(pattern, least, most)


def kept_ranges(
    wanted: Sequence[Keep], groups: Sequence[Group], frozen: Set[str] = frozenset()
) -> tuple[tuple[str, int, int], ...]:
    """The fewest and most channels of each group that is named, for `Widths.ranges`.

    Several patterns that name one group all hold. All channels of groups with `frozen` weights stay: a pattern
    that names others as well holds for those alone.

    Raises:
        SearchError: a pattern that names nothing, or only what is never pruned but is to lose channels; patterns that
            contradict each other.

    """
    stays = {group.name: _why_whole(group, frozen) for group in groups}
    ranges = {group.name: (group.size, group.size) for group in groups if group.prunable and stays[group.name]}
    for each in wanted:
        named = [group for group in groups if each.holds_for(group)]
        if not named:
            known = sorted({member.node for group in groups for member in group.nodes(Role.PRODUCER)})
            raise SearchError(f"keep {each.pattern}: names no layer; there are {', '.join(known)}")
        free = [group for group in named if not stays[group.name]]
        if each.most < 1 and not free:
            raise SearchError(f"keep {each.pattern}: its channels all stay: {stays[named[0].name]}")
        for group in free:
            least, most = ranges.get(group.name, (1, group.size))
            own_most = max(floor(each.most * group.size + 1e-9), 1)
            own_least = min(ceil(each.least * group.size - 1e-9), own_most)
            ranges[group.name] = (max(least, own_least), min(most, own_most))
    for name, (least, most) in ranges.items():
        if least > most:
            raise SearchError(f"keep: the channels of {name} are to be at least {least} and at most {most}")
    return tuple((name, least, most) for name, (least, most) in ranges.items())


def _why_whole(group: Group, frozen: Set[str]) -> str:
    """Why all channels of a group stay; empty where some may go."""
    if not group.prunable:
        return group.fixed or "it has one alone"
    held = [member.node for member in (*group.nodes(Role.PRODUCER), *group.nodes(Role.CARRIER))]
    kept = [node for node in held if node in frozen]
    return f"{', '.join(kept)} is frozen, whose channels they are" if kept else ""
