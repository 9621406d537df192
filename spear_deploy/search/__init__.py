"""The search: LRE, TAR, the problem, the strategies, and what becomes of the best candidates."""

from spear_deploy.search.candidate import Candidate, CandidateFactory, Features, Ratios
from spear_deploy.search.finalists import Choice, choose
from spear_deploy.search.lre import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    Estimator,
    LinearEstimator,
    LreSample,
    PerLayerEstimator,
    Prediction,
    RidgeEstimator,
    collect_samples,
    draw_ratios,
    make_sample,
)
from spear_deploy.search.problem import ActivityLimit, Evaluation, SearchProblem, StructuralLimits
from spear_deploy.search.reward import LimitUse, Reward, TarConstants, TargetAwareReward
from spear_deploy.search.strategies import STRATEGIES, Ddpg, DdpgConstants, Strategy
from spear_deploy.search.tuning import Finalist, Target, Tuned, TuningPlan, tune_plain, upper_bound

__all__ = [
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "STRATEGIES",
    "ActivityLimit",
    "Candidate",
    "CandidateFactory",
    "Choice",
    "Ddpg",
    "DdpgConstants",
    "Estimator",
    "Evaluation",
    "Features",
    "Finalist",
    "LimitUse",
    "LinearEstimator",
    "LreSample",
    "PerLayerEstimator",
    "Prediction",
    "Ratios",
    "Reward",
    "RidgeEstimator",
    "SearchProblem",
    "Strategy",
    "StructuralLimits",
    "TarConstants",
    "Target",
    "TargetAwareReward",
    "Tuned",
    "TuningPlan",
    "choose",
    "collect_samples",
    "draw_ratios",
    "make_sample",
    "tune_plain",
    "upper_bound",
]
