"""The verdict: design rules and placement together."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.limits import limits
from spear_deploy.hardware.placement.placement import Placement, keep_to_fit, place
from spear_deploy.hardware.rules import layer_rules, signal_rules, step_rules
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.hardware.rules.rules import Subject, violations
from spear_deploy.network import Network

RULE_MODULES = (layer_rules, signal_rules, step_rules)
"""Modules whose import registers the design rules."""


@dataclass(frozen=True)
class Verdict:
    """Whether a network fits a chip, and all that stands against it.

    Attributes:
        placement: where its layers would go.
        findings: every violation and note, of rules and of placement.

    """

    placement: Placement
    findings: tuple[Finding, ...]

    @property
    def violations(self) -> tuple[Finding, ...]:
        """What hinders: walls and budgets, without notes."""
        return tuple(finding for finding in self.findings if finding.kind is not Kind.NOTE)

    @property
    def broken_rules(self) -> tuple[Finding, ...]:
        """The violations of design rules; those of limits are the placement's."""
        return tuple(finding for finding in self.violations if finding not in self.placement.findings)

    @property
    def fits(self) -> bool:
        """Whether nothing hinders."""
        return not self.violations

    @property
    def prunable(self) -> bool:
        """Whether pruning can mend all that hinders."""
        return all(finding.keep is not None for finding in self.violations)

    @property
    def text(self) -> str:
        """The verdict in words; limits that are unknown are not claimed to hold."""
        if not self.fits:
            return "does not fit"
        if self.placement.unchecked:
            return "fits the known limits"
        return "fits" if limits(self.placement.profile) else "no limits to hold it to"


def check(network: Network, profile: Profile, *, analog_input: bool) -> Verdict:
    """Hold a network against every rule and limit of a chip at once; nothing is raised.

    `analog_input` tells whether the inputs are values (direct encoding) instead of spikes.
    """
    placement = place(network, profile)
    findings = violations(Subject(network, profile, analog_input))
    return Verdict(placement, (*findings, *placement.findings))


def keep_needed(network: Network, verdict: Verdict) -> float | None:
    """The share of channels that hidden layers may keep for all violations to go; None where pruning cannot.

    1 where the network fits as it is.
    """
    if not verdict.prunable:
        return None
    ratio = keep_to_fit(network, verdict.placement.profile)
    of_rules = [each.keep for each in verdict.broken_rules if each.keep is not None]
    return None if ratio is None else min([ratio, *of_rules])
