"""Of what was asked for, by the names that a report records it by: what no result depends on."""

PLACES = ("out", "force", "cache", "ray", "command")
"""Where a result goes, which machines share the work, and how it was typed; no report records them."""

HOW_RUN = (*PLACES, "workers", "memory_bytes", "plot")
"""The same, and how the work was done here."""

BY_CONTENT = ("model", "model_sha256", "data")
"""Names of what results do depend on, and what is known by its content wherever it lies."""
