"""What a run found: the report and its schema."""

from spear_deploy.report.schema import (
    SCHEMA_VERSION,
    AdaptationReport,
    Agreement,
    BudgetReport,
    FirstDifference,
    LayerReport,
    LimitReport,
    LinearLre,
    LreReport,
    Measured,
    NetworkReport,
    PrunedReport,
    QuantisationReport,
    Report,
    SplitReport,
    Verdict,
)

__all__ = [
    "SCHEMA_VERSION",
    "AdaptationReport",
    "Agreement",
    "BudgetReport",
    "FirstDifference",
    "LayerReport",
    "LimitReport",
    "LinearLre",
    "LreReport",
    "Measured",
    "NetworkReport",
    "PrunedReport",
    "QuantisationReport",
    "Report",
    "SplitReport",
    "Verdict",
]
