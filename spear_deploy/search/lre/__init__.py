"""LRE: predicting the SynOps that a pruned network will have after fine-tuning.

SPEAR (Xie et al., arXiv 2507.02945, 2025) uses one line from SynOps after pruning to SynOps
after fine-tuning: `LinearEstimator`. `PerLayerEstimator` draws it for each layer. `RidgeEstimator`,
the default, is ours: it predicts the logarithm of the ratio from the SynOps after recalibration
and from the keep ratios.
"""

from spear_deploy.search.lre.diagnostics import LeaveOneOut, extrapolates, leave_one_out, precise_enough
from spear_deploy.search.lre.drawing import draw_ratios
from spear_deploy.search.lre.estimator import DEFAULT_ESTIMATOR, ESTIMATORS, Estimator
from spear_deploy.search.lre.linear import LinearEstimator
from spear_deploy.search.lre.per_layer import PerLayerEstimator
from spear_deploy.search.lre.prediction import CONFIDENCE, Prediction
from spear_deploy.search.lre.ridge import RidgeEstimator
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.search.lre.sampling import collect_samples, make_sample
from spear_deploy.search.lre.store import SampleStore, StoreKey

__all__ = [
    "CONFIDENCE",
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "Estimator",
    "LeaveOneOut",
    "LinearEstimator",
    "LreSample",
    "PerLayerEstimator",
    "Prediction",
    "RidgeEstimator",
    "SampleStore",
    "StoreKey",
    "collect_samples",
    "draw_ratios",
    "extrapolates",
    "leave_one_out",
    "make_sample",
    "precise_enough",
]
