"""Data sets, their splits, and how samples become spikes."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.data.calibration import holds_values, telling, telling_in_words
    from spear_deploy.data.dataset import Dataset, is_known, load_data
    from spear_deploy.data.drawing import drawn
    from spear_deploy.data.encoding import EncodedSplit, check_fits, encode, recoded
    from spear_deploy.data.events import Binning, Frames
    from spear_deploy.data.samples import data_of
    from spear_deploy.data.split import Labels, Split, SplitName
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "Binning",
    "Dataset",
    "EncodedSplit",
    "Frames",
    "Labels",
    "Split",
    "SplitName",
    "check_fits",
    "data_of",
    "drawn",
    "encode",
    "holds_values",
    "is_known",
    "load_data",
    "recoded",
    "telling",
    "telling_in_words",
]
