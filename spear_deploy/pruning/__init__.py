"""Channel groups, importance and surgery: pure functions from graph to graph."""

from spear_deploy.pruning.freezing import frozen_nodes, parse_freeze
from spear_deploy.pruning.groups import Group, Member, Role, channel_groups
from spear_deploy.pruning.keeping import Keep, kept_ranges, parse_keep
from spear_deploy.pruning.selection import ANY_WIDTH, Widths, channels_kept, choose_channels, importance, kept_by_layer
from spear_deploy.pruning.surgery import prune

__all__ = [
    "ANY_WIDTH",
    "Group",
    "Keep",
    "Member",
    "Role",
    "Widths",
    "channel_groups",
    "channels_kept",
    "choose_channels",
    "frozen_nodes",
    "importance",
    "kept_by_layer",
    "kept_ranges",
    "parse_freeze",
    "parse_keep",
    "prune",
]
