"""What a run found: the report and its schema."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.report.lre_part import EstimatorReport, LinearLre, LreCheck, LreReport, ScatterPoint
    from spear_deploy.report.schema import (
        SCHEMA_VERSION,
        AdaptationReport,
        Agreement,
        BudgetReport,
        Distribution,
        FirstDifference,
        LayerReport,
        LimitReport,
        Measured,
        NetworkReport,
        PrunedReport,
        Report,
        SplitReport,
        Verdict,
    )
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "SCHEMA_VERSION",
    "AdaptationReport",
    "Agreement",
    "BudgetReport",
    "Distribution",
    "EstimatorReport",
    "FirstDifference",
    "LayerReport",
    "LimitReport",
    "LinearLre",
    "LreCheck",
    "LreReport",
    "Measured",
    "NetworkReport",
    "PrunedReport",
    "Report",
    "ScatterPoint",
    "SplitReport",
    "Verdict",
]
