"""What the files of a run folder are called."""

PLAIN = "plain.pt"
"""The winner after the plain fine-tune, which LRE's prediction is of."""

REPORT = "report.json"
EXPORTS = "export.json"
NETWORKS = ("pruned.pt", "pruned.nir")
