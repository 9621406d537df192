"""A file that may not be read is not called damaged, whatever it is read as."""

import re

import pytest
from unreadable import forbid

from spear_deploy.data.dataset import load_data
from spear_deploy.errors import DataError, ExportError, ModelError
from spear_deploy.exporting.bundle import open_bundle
from spear_deploy.network import load_any, read_nir
from spear_deploy.network.torch_file import read_torch_file


@pytest.mark.parametrize(
    ("name", "read", "fault"),
    [
        ("samples.npz", load_data, DataError),
        ("x_train.npy", lambda path: load_data(path.parent), DataError),
        ("model.pt", load_any, ModelError),
        ("model.pt", read_torch_file, ModelError),
        ("net.nir", load_any, ModelError),
        ("net.nir", read_nir, ModelError),
        ("net.net", load_any, ModelError),
        ("net.bundle.zip", lambda path: open_bundle(path, path.parent / "out"), ExportError),
    ],
)
def test_it_is_told_by_what_the_system_says(tmp_path, monkeypatch, name, read, fault):
    path = tmp_path / name
    path.write_bytes(b"of no matter")
    forbid(monkeypatch, path)
    with pytest.raises(fault, match=rf"^{re.escape(str(path))}: cannot be read \(Permission denied\)$"):
        read(path)
