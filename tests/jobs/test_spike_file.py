import numpy as np
import pytest
from made_task import untrained

from spear_deploy.errors import OutputError
from spear_deploy.jobs.spike_file import spike_file
from spear_deploy.network import save_model_file


def write(path):
    labels = np.zeros(2, dtype=np.int64)
    with spike_file(path, untrained(), ["torch"], 2, labels=labels, index=labels):
        pass


def test_spikes_replace_spikes_and_nothing_else(tmp_path):
    write(tmp_path / "spikes.npz")
    write(tmp_path / "spikes.npz")
    np.savez(tmp_path / "samples.npz", x_train=np.zeros(3))
    save_model_file(untrained(), tmp_path / "model.pt")
    for name in ("samples.npz", "model.pt"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="was not written by spear-deploy; choose another name"):
            write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
