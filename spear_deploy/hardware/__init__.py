"""What a chip offers, whether a network fits, what it costs there."""

from spear_deploy.hardware.budget import Budget, BudgetKind, Limit, limit_of, parse_budget, parse_budgets
from spear_deploy.hardware.finding import Finding, Kind
from spear_deploy.hardware.placement import Core, Placement, Use, place
from spear_deploy.hardware.profile import Profile
from spear_deploy.hardware.profile_files import known_profiles, load_profile

__all__ = [
    "Budget",
    "BudgetKind",
    "Core",
    "Finding",
    "Kind",
    "Limit",
    "Placement",
    "Profile",
    "Use",
    "known_profiles",
    "limit_of",
    "load_profile",
    "parse_budget",
    "parse_budgets",
    "place",
]
