"""What a run found: the report and its schema."""

from spear_deploy.report.schema import (
    SCHEMA_VERSION,
    Agreement,
    BudgetReport,
    EstimatorReport,
    FirstDifference,
    LayerReport,
    LimitReport,
    LinearLre,
    LreReport,
    Measured,
    NetworkReport,
    PrunedReport,
    Report,
    ScatterPoint,
    SplitReport,
    Verdict,
)

__all__ = [
    "SCHEMA_VERSION",
    "Agreement",
    "BudgetReport",
    "EstimatorReport",
    "FirstDifference",
    "LayerReport",
    "LimitReport",
    "LinearLre",
    "LreReport",
    "Measured",
    "NetworkReport",
    "PrunedReport",
    "Report",
    "ScatterPoint",
    "SplitReport",
    "Verdict",
]
