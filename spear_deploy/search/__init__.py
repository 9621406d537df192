"""The search: LRE, TAR, the problem and the strategies."""

from spear_deploy.search.candidate import Candidate, CandidateFactory, Features, Ratios
from spear_deploy.search.estimator import Estimator, LinearEstimator, LreSample, Prediction, RidgeEstimator
from spear_deploy.search.finalists import Choice, choose
from spear_deploy.search.problem import ActivityLimit, Evaluation, SearchProblem, StructuralLimits
from spear_deploy.search.reward import LimitUse, Reward, TarConstants, TargetAwareReward
from spear_deploy.search.sampling import collect_samples, draw_ratios, make_sample
from spear_deploy.search.strategies import STRATEGIES, Ddpg, DdpgConstants, Strategy
from spear_deploy.search.tuning import Finalist, Target, Tuned, TuningPlan, tune_plain, upper_bound

__all__ = [
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
    "tune",
    "tune_plain",
    "upper_bound",
]
