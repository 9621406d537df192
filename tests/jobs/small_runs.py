"""The main job on a small task, with few samples and evaluations."""

from dataclasses import replace

from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=2, batch=16, learning_rate=5e-3)
PLAN = TuningPlan(RECIPE, replace(RECIPE, epochs=8))


def run(model, out, *targets, **options):
    """The main job, with few samples and evaluations; one report a target."""
    few = {"lre_samples": 8, "evaluations": 8, "finalists": 1, "plan": PLAN, "lava": False}
    profiles = tuple(load_profile(target) for target in targets or ("loihi2",))
    limits = {key: tuple(map(parse_budget, options[key])) for key in ("budgets", "pareto") if key in options}
    request = DeployRequest(model=model, targets=profiles, out=out, **few | options | limits)
    return list(deploy(request, Silent()).values())
