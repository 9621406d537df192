"""The search: LRE, TAR, the problem, the strategies, and what becomes of the best candidates."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.search.bounds import prediction_bound
    from spear_deploy.search.candidate import Candidate, CandidateFactory, Features, Ratios
    from spear_deploy.search.claims import Claim, PredictedLimit, expected, upper_end
    from spear_deploy.search.delivered import Held, predict_delivered
    from spear_deploy.search.finalists import Choice, choose
    from spear_deploy.search.lre import (
        ANCHORS,
        ESTIMATORS,
        AnchoredEstimator,
        Chosen,
        ConstantEstimator,
        Estimator,
        LeaveOneOut,
        LinearEstimator,
        LogLineEstimator,
        LreSample,
        PerLayerEstimator,
        Prediction,
        RidgeEstimator,
        SampleStore,
        StoreKey,
        anchored,
        chosen_estimator,
        collect_samples,
        draw_ratios,
        extrapolates,
        judgeable,
        leave_one_out,
        make_sample,
        ratio_estimator,
        sure_enough,
    )
    from spear_deploy.search.plan import TuningPlan
    from spear_deploy.search.problem import Evaluation, SearchProblem
    from spear_deploy.search.references import tuned_uniform
    from spear_deploy.search.reward import Reward, TarConstants, TargetAwareReward
    from spear_deploy.search.strategies import STRATEGIES, Ddpg, DdpgConstants, FrontAgent, Strategy, TrainedAgent
    from spear_deploy.search.structure import StructuralLimits, Structure
    from spear_deploy.search.tuning import Evaluator, Finalist, Tuned, Tuner, measured_on, tune_plain
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "ANCHORS",
    "ESTIMATORS",
    "STRATEGIES",
    "AnchoredEstimator",
    "Candidate",
    "CandidateFactory",
    "Choice",
    "Chosen",
    "Claim",
    "ConstantEstimator",
    "Ddpg",
    "DdpgConstants",
    "Estimator",
    "Evaluation",
    "Evaluator",
    "Features",
    "Finalist",
    "FrontAgent",
    "Held",
    "LeaveOneOut",
    "LinearEstimator",
    "LogLineEstimator",
    "LreSample",
    "PerLayerEstimator",
    "PredictedLimit",
    "Prediction",
    "Ratios",
    "Reward",
    "RidgeEstimator",
    "SampleStore",
    "SearchProblem",
    "StoreKey",
    "Strategy",
    "StructuralLimits",
    "Structure",
    "TarConstants",
    "TargetAwareReward",
    "TrainedAgent",
    "Tuned",
    "Tuner",
    "TuningPlan",
    "anchored",
    "choose",
    "chosen_estimator",
    "collect_samples",
    "draw_ratios",
    "expected",
    "extrapolates",
    "judgeable",
    "leave_one_out",
    "make_sample",
    "measured_on",
    "predict_delivered",
    "prediction_bound",
    "ratio_estimator",
    "sure_enough",
    "tune_plain",
    "tuned_uniform",
    "upper_end",
]
