"""What a run found: the report and its schema."""

from spear_deploy.report.schema import (
    SCHEMA_VERSION,
    Agreement,
    BudgetReport,
    Distribution,
    FirstDifference,
    LayerReport,
    LimitReport,
    LinearLre,
    LreCheck,
    LreReport,
    Measured,
    NetworkReport,
    PrunedReport,
    Report,
    SplitReport,
    Verdict,
)

__all__ = [
    "SCHEMA_VERSION",
    "Agreement",
    "BudgetReport",
    "Distribution",
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
    "SplitReport",
    "Verdict",
]
