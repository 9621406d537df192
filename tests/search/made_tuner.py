"""A tuner of short fine-tunes for a search that was posed, and what there is to compare of its finalists."""

from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import Tuner, TuningPlan
from spear_deploy.system.journal import Journal
from spear_deploy.training import Recipe

SHORT = TuningPlan(
    Recipe(epochs=2, batch=16, learning_rate=5e-3),
    Recipe(epochs=4, batch=16, learning_rate=5e-3),
    rounds=2,
    learned=1.1,
)


def tuner_of(posed, journal=None):
    target, problem = posed
    told = []
    return Tuner(problem.factory, target, SHORT, 3, told.append, Journal() if journal is None else journal), told


def facts(choice):
    return [
        (fingerprint(one.result.model), one.result.synops_bound, one.prediction, one.result.uses)
        for one in choice.tuned
    ]
