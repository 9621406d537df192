"""LRE: predicting the SynOps that a pruned network will have after fine-tuning.

SPEAR (Xie et al., arXiv 2507.02945, 2025) uses one line from SynOps after pruning to SynOps
after fine-tuning: `LinearEstimator`. `PerLayerEstimator` draws it for each layer. The others are
ours and start from SynOps after recalibration: `ConstantEstimator` is one ratio, `LogLineEstimator` a
line in the logarithm, `RidgeEstimator` takes the keep ratios in. A run uses the simplest of these that
no other beats at samples left out of its fit (`chosen_estimator`); where that is not sure enough,
`AnchoredEstimator` takes the ratio of three networks near the limit.
"""

from spear_deploy.search.lre.anchors import ANCHORS, AnchoredEstimator, anchored
from spear_deploy.search.lre.diagnostics import LeaveOneOut, extrapolates, leave_one_out, uniform_near
from spear_deploy.search.lre.drawing import draw_ratios
from spear_deploy.search.lre.estimator import ESTIMATORS, Estimator, RatioEstimator, judgeable
from spear_deploy.search.lre.linear import LinearEstimator
from spear_deploy.search.lre.per_layer import PerLayerEstimator
from spear_deploy.search.lre.prediction import CONFIDENCE, Prediction
from spear_deploy.search.lre.ratio import ConstantEstimator, LogLineEstimator
from spear_deploy.search.lre.ridge import RidgeEstimator
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.search.lre.sampling import collect_samples, make_sample
from spear_deploy.search.lre.selection import Chosen, chosen_estimator, ratio_estimator, sure_enough
from spear_deploy.search.lre.store import SampleStore, StoreKey

__all__ = [
    "ANCHORS",
    "CONFIDENCE",
    "ESTIMATORS",
    "AnchoredEstimator",
    "Chosen",
    "ConstantEstimator",
    "Estimator",
    "LeaveOneOut",
    "LinearEstimator",
    "LogLineEstimator",
    "LreSample",
    "PerLayerEstimator",
    "Prediction",
    "RatioEstimator",
    "RidgeEstimator",
    "SampleStore",
    "StoreKey",
    "anchored",
    "chosen_estimator",
    "collect_samples",
    "draw_ratios",
    "extrapolates",
    "judgeable",
    "leave_one_out",
    "make_sample",
    "ratio_estimator",
    "sure_enough",
    "uniform_near",
]
