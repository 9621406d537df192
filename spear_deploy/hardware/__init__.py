"""What a chip offers, whether a network fits, what it costs there."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.hardware.budget import parse_budget, parse_budgets
    from spear_deploy.hardware.chip.profile import Profile
    from spear_deploy.hardware.chip.profile_files import known_profiles, load_profile
    from spear_deploy.hardware.cost.activity import Activity, activity_of
    from spear_deploy.hardware.cost.cost import Cost
    from spear_deploy.hardware.cost.estimate import estimate
    from spear_deploy.hardware.limit import Limit, Use, require_known, structural_uses, uses_of_chip
    from spear_deploy.hardware.on_chip import OnChip
    from spear_deploy.hardware.placement.placement import Core, Placement, place
    from spear_deploy.hardware.quantity import ACCURACY, MAX_DROP, QUANTITIES, SYNOPS, Follows, Over, Quantity
    from spear_deploy.hardware.rules.finding import Finding, Kind
    from spear_deploy.hardware.rules.verdict import Verdict, check, keep_needed
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "ACCURACY",
    "MAX_DROP",
    "QUANTITIES",
    "SYNOPS",
    "Activity",
    "Core",
    "Cost",
    "Finding",
    "Follows",
    "Kind",
    "Limit",
    "OnChip",
    "Over",
    "Placement",
    "Profile",
    "Quantity",
    "Use",
    "Verdict",
    "activity_of",
    "check",
    "estimate",
    "keep_needed",
    "known_profiles",
    "load_profile",
    "parse_budget",
    "parse_budgets",
    "place",
    "require_known",
    "structural_uses",
    "uses_of_chip",
]
