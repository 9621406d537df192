"""What a chip offers, whether a network fits, what it costs there."""

from spear_deploy.hardware.budget import SYNOPS_KINDS, Budget, BudgetKind, parse_budget, parse_budgets
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.chip.profile_files import known_profiles, load_profile
from spear_deploy.hardware.cost.activity import Activity, activity_of
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.cost.estimate import estimate
from spear_deploy.hardware.limit import Limit, exceeded, limit_of, quantities, require_known
from spear_deploy.hardware.placement.placement import Core, Placement, place
from spear_deploy.hardware.placement.use import Use
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.hardware.rules.verdict import Verdict, check, keep_needed

__all__ = [
    "SYNOPS_KINDS",
    "Activity",
    "Budget",
    "BudgetKind",
    "Core",
    "Cost",
    "Finding",
    "Kind",
    "Limit",
    "Placement",
    "Profile",
    "Use",
    "Verdict",
    "activity_of",
    "check",
    "estimate",
    "exceeded",
    "keep_needed",
    "known_profiles",
    "limit_of",
    "load_profile",
    "parse_budget",
    "parse_budgets",
    "place",
    "quantities",
    "require_known",
]
