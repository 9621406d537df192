"""Data sets, their splits, and how samples become spikes."""

from spear_deploy.data.dataset import Dataset, Labels, Split, SplitName, load_data
from spear_deploy.data.encoding import EncodedSplit, check_fits, encode, recoded

__all__ = ["Dataset", "EncodedSplit", "Labels", "Split", "SplitName", "check_fits", "encode", "load_data", "recoded"]
