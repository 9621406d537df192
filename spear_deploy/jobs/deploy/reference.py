"""The network that a pruned one is held against: the dense one, after the same fine-tune."""

from __future__ import annotations

from collections.abc import Callable

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model
from spear_deploy.search import CandidateFactory, TuningPlan
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.training import EarlyStop, Recipe, fine_tune

REFERENCE = "dense, same fine-tune"
"""The stage that makes the network which accuracy is lost against."""

SAME_FINE_TUNE = "dense network, same fine-tune"


def gentle_plan(
    factory: CandidateFactory,
    plan: TuningPlan,
    seed: int,
    notice: Callable[[str], None] = lambda text: None,
    journal: Journal = NOTHING,
) -> TuningPlan:
    """The plan at learning rates that the dense network bears; what is tuned for it `same_fine_tune` finds again."""

    def first_phase(model: Model, recipe: Recipe) -> Model:
        return fine_tune(model, factory.train, recipe, seed=seed, journal=journal)

    return plan.gentle(factory.model, factory.train, first_phase, notice)


def same_fine_tune(
    factory: CandidateFactory,
    plan: TuningPlan,
    seed: int,
    validation: EncodedSplit,
    notice: Callable[[str], None] = lambda text: None,
    journal: Journal = NOTHING,
) -> Model:
    """The dense network after both phases that pruned ones go through, held to no limit.

    What a fine-tune gains is no merit of pruning, and what pruning costs shows only against a
    network that was trained as long.
    """
    train = factory.train
    plain = fine_tune(factory.model, train, plan.plain, seed=seed, notice=notice, journal=journal)
    stop = None if plan.patience is None else EarlyStop(validation, plan.patience)

    def one_round(model: Model, recipe: Recipe) -> Model:
        return fine_tune(model, train, recipe, seed=seed, stop=stop, notice=notice, journal=journal)

    start = plan.led_in(plain, train, one_round, notice)
    tuned, _ = plan.in_rounds(start, train, one_round, notice)
    return tuned
