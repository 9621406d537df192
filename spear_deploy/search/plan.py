"""How a candidate is fine-tuned: recipes of both phases, and when the second is gone through again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.errors import SearchError
from spear_deploy.measure import SCORINGS, accuracy_on
from spear_deploy.network import Model
from spear_deploy.training import AscentConstants, Recipe

JUDGED = 1000
"""Training samples by which it is seen whether a fine-tune unlearns."""

UNLEARNED = 0.05
"""Where it loses more than this of what a network answers beyond guessing, it does: on digits and MNIST rates that lose
less end at most 1.7 points below the best, and those that lose more at least 2.0 (`benchmarks/unlearning.py`)."""

SLOWER = 0.25
"""Of the learning rate, where it does."""

MOST_SLOWER = 3
"""How often the rate is lowered."""


@dataclass(frozen=True)
class TuningPlan:
    """How a candidate is fine-tuned.

    Attributes:
        plain: the first phase, exactly as LRE's samples are fine-tuned.
        final: the second phase.
        fewest_steps: of the optimiser in the second phase; small data gets more epochs for them.
        rounds: how often the second phase is gone through at most, each time twice as long as the
            time before; once more only while the network has not `learned` its training samples.
        learned: the share of its training samples from which on a network has learned them.
        patience: epochs without a lower loss on validation after which the second phase ends;
            None: it goes through all.
        constrained: whether the second phase holds the network at its limits; without, it is
            plain.
        ascent: how the constraint pulls.
        distillation: weight of the dense network's outputs beside the labels in the second
            phase; 0 learns from the labels alone.
        prune_multiple: the search's SynOps limit, as a multiple of the budget, while there is
            a constraint: what pruning leaves above the budget, the constraint takes away.

    Raises:
        SearchError: `distillation` is no share, or `prune_multiple` no number from 1 on.

    """

    plain: Recipe = field(default=Recipe(epochs=4, batch=64, learning_rate=5e-3))
    final: Recipe = field(default=Recipe(epochs=20, batch=64, learning_rate=5e-3))
    fewest_steps: int = 0
    rounds: int = 1
    learned: float = 0.97
    patience: int | None = None
    constrained: bool = True
    ascent: AscentConstants = field(default=AscentConstants())
    distillation: float = 0.0
    prune_multiple: float = 1.4

    def __post_init__(self) -> None:
        if not 0 <= self.distillation <= 1:
            raise SearchError(f"`plan.distillation` is a weight from 0 to 1, found {self.distillation:g}")
        if not 1 <= self.prune_multiple < float("inf"):
            raise SearchError(f"`plan.prune_multiple` is a finite number from 1 on, found {self.prune_multiple:g}")

    def final_for(self, samples: int) -> Recipe:
        """The second phase on so many training samples."""
        steps_per_epoch = -(-samples // self.final.batch)
        return replace(self.final, epochs=max(self.final.epochs, -(-self.fewest_steps // steps_per_epoch)))

    def epochs_ahead(self, samples: int, learned: float) -> int:
        """Of the second phase, in all its rounds, for a network that answers this share of so many training samples."""
        rounds = self.rounds if learned < self.learned else 1
        return self.final_for(samples).epochs * ((1 << rounds) - 1)

    def gentle(
        self,
        model: Model,
        train: EncodedSplit,
        first_phase: Callable[[Model, Recipe], Model],
        notice: Callable[[str], None] = lambda text: None,
    ) -> TuningPlan:
        """The plan with learning rates at which the first phase does not unlearn what a model, the dense one, can.

        Rates fit networks and inputs of usual sizes. Of others, such as series of hundreds of steps, the first steps
        wipe out what is there, of every pruned network alike. Each lower rate is told.
        """
        few, score = drawn(train, JUDGED), SCORINGS[model.objective.kind]
        chance, before = score.chance(few.labels, few.labels, model.classes), accuracy_on(model, few)
        plan = self
        if not self.constrained or before <= chance:
            return plan
        for _ in range(MOST_SLOWER):
            after = accuracy_on(first_phase(model, plan.plain), few)
            if after >= before - UNLEARNED * (before - chance):
                break
            plan = plan._slower()
            notice(
                f"the dense network unlearns in its fine-tune ({score.name} on training samples {score.text(before)}"
                f" before, {score.text(after)} after): all fine-tunes at a learning rate of"
                f" {plan.plain.learning_rate:.2g}, a quarter"
            )
        return plan

    def _slower(self) -> TuningPlan:
        slower = (replace(each, learning_rate=SLOWER * each.learning_rate) for each in (self.plain, self.final))
        return replace(self, plain=next(slower), final=next(slower))

    def led_in(
        self,
        model: Model,
        train: EncodedSplit,
        one_round: Callable[[Model, Recipe], Model],
        notice: Callable[[str], None] = lambda text: None,
    ) -> Model:
        """Where the second phase starts: a model that has hardly learned anything first has a round held to no limit.

        A network whose spikes are taken away before it has learned what to send does not learn it any more. Hardly
        learned is less than half of what guessing leaves. Such a round is told; any other model is given back as it is.
        """
        score = SCORINGS[model.objective.kind]
        learned = accuracy_on(model, train)
        if not self.constrained or learned >= (1 + score.chance(train.labels, train.labels, model.classes)) / 2:
            return model
        recipe = self.final_for(len(train))
        notice(
            f"the network has hardly learned its training samples yet ({score.name} {score.text(learned)}):"
            f" {recipe.epochs} epochs first that no limit holds"
        )
        return one_round(model, recipe)

    def in_rounds(
        self,
        model: Model,
        train: EncodedSplit,
        one_round: Callable[[Model, Recipe], Model],
        notice: Callable[[str], None] = lambda text: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> tuple[Model, bool]:
        """What the second phase makes of a model, and whether that is all; `one_round` goes through it once.

        A network that still errs on the very samples it learns from gains by more of the same, one
        that does not gains little; validation has no say in it. A further round is told, and not
        begun once `stopped` says so, which is asked between rounds.
        """
        recipe = self.final_for(len(train))
        for left in reversed(range(self.rounds)):
            model = one_round(model, recipe)
            if not left or (learned := accuracy_on(model, train)) >= self.learned:
                break
            if stopped():
                return model, False
            recipe = replace(recipe, epochs=2 * recipe.epochs)
            score = SCORINGS[model.objective.kind]
            notice(
                f"the fine-tuned network has not learned its training samples ({score.name} {score.text(learned)},"
                f" {score.text(self.learned)} wanted): {recipe.epochs} epochs more"
            )
        return model, True

    @property
    def search_multiple(self) -> float:
        """What the search may use, as a multiple of the budget."""
        return self.prune_multiple if self.constrained else 1.0
