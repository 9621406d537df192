"""The search: LRE, TAR, the environment and DDPG."""

from spear_deploy.search.candidate import Candidate, CandidateFactory, Features, Ratios
from spear_deploy.search.ddpg import DdpgConstants, search_ddpg
from spear_deploy.search.finalists import Finalist, choose, tune, upper_bound
from spear_deploy.search.lre import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    Estimator,
    LeaveOneOut,
    LinearEstimator,
    LreSample,
    PerLayerEstimator,
    Prediction,
    RidgeEstimator,
    SampleStore,
    StoreKey,
    collect_samples,
    draw_ratios,
    extrapolates,
    leave_one_out,
    make_sample,
    precise_enough,
)
from spear_deploy.search.problem import ActivityLimit, Evaluation, SearchProblem, StructuralLimits
from spear_deploy.search.reward import LimitUse, Reward, TarConstants, TargetAwareReward

__all__ = [
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "ActivityLimit",
    "Candidate",
    "CandidateFactory",
    "DdpgConstants",
    "Estimator",
    "Evaluation",
    "Features",
    "Finalist",
    "LeaveOneOut",
    "LimitUse",
    "LinearEstimator",
    "LreSample",
    "PerLayerEstimator",
    "Prediction",
    "Ratios",
    "Reward",
    "RidgeEstimator",
    "SampleStore",
    "SearchProblem",
    "StoreKey",
    "StructuralLimits",
    "TarConstants",
    "TargetAwareReward",
    "choose",
    "collect_samples",
    "draw_ratios",
    "extrapolates",
    "leave_one_out",
    "make_sample",
    "precise_enough",
    "search_ddpg",
    "tune",
    "upper_bound",
]
