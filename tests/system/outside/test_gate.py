import ast
import io
import os
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spear_deploy.errors import ModelError
from spear_deploy.network import load_any
from spear_deploy.system.outside.hdf5 import open_hdf5
from spear_deploy.system.outside.npz import read_npz
from spear_deploy.system.outside.plain import read_json, read_text, read_toml
from spear_deploy.system.outside.refusal import RefusedError
from spear_deploy.system.outside.torch_archive import read_torch


def refused_hdf5(path):
    with pytest.raises(RefusedError) as caught, open_hdf5(path):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(np.arange(4.0).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = np.arange(4.0)
    return path


def external_storage(file, secret):
    file.create_dataset("node/w", (4,), "f8", external=[(str(secret), 0, 32)])


def external_link(file, secret):
    file.create_group("node")["w"] = h5py.ExternalLink(str(secret.parent / "other.h5"), "/values")


def soft_link(file, secret):
    file.create_group("node")["w"] = h5py.SoftLink("/elsewhere")


def virtual(file, secret):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(secret.parent / "other.h5"), "values", (4,))
    file.create_virtual_dataset("node/w", layout)


def fill_value(file, secret):
    file.create_dataset("node/w", (1 << 29,), "f8", fillvalue=1.0)


def unfilled_chunks(file, secret):
    file.create_dataset("node/w", (1 << 29,), "f8", chunks=(1 << 16,), compression="gzip", fillvalue=1.0)


def a_loop(file, secret):
    group = file.create_group("node")
    group["again"] = group


def nested(file, secret):
    group = file
    for _ in range(40):
        group = group.create_group("node")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external_storage, "/node/w: its values lie in another file"),
        (external_link, "/node/w: a link, which may lead to another file"),
        (soft_link, "/node/w: a link, which may lead to another file"),
        (virtual, "/node/w: its values lie in another file"),
        (fill_value, "/node/w: declares 4,294,967,296 bytes and holds 0"),
        (unfilled_chunks, "/node/w: declares 4,294,967,296 bytes and holds 0"),
        (a_loop, "no tree"),
        (nested, "nested too deeply"),
    ],
)
def test_hdf5_that_points_elsewhere_or_declares_what_it_lacks_is_refused(tmp_path, secret, make, message):
    with h5py.File(tmp_path / "net.nir", "w") as file:
        make(file, secret)
    assert message in refused_hdf5(tmp_path / "net.nir")


def test_hdf5_as_people_write_it_passes(tmp_path):
    with h5py.File(tmp_path / "net.nir", "w") as file:
        file.create_dataset("node/zeros", data=np.zeros(1 << 20), compression="gzip")
        file.create_dataset("node/text", data="spikes")
        file.create_dataset("node/empty", data=np.zeros(0))
        file.create_dataset("node/null", data=h5py.Empty("f8"))
        file["node"].attrs["version"] = "1"
    with open_hdf5(tmp_path / "net.nir") as file:
        assert file["node/zeros"].shape == (1 << 20,)


def npz(path, **members):
    """An archive of members as bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(header, body=b"", version=1):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text + body


def stored(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"no magic",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}", bytes(4)),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", bytes(8)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 500 + ")" * 500 + "}"),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (9999999,)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(4)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(12)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", bytes(8), version=9),
    ],
)
def test_a_member_that_is_not_what_its_header_says_is_refused(tmp_path, member):
    with pytest.raises(RefusedError) as caught:
        read_npz(npz(tmp_path / "a.npz", x=member), {"x"})
    assert "\n" not in str(caught.value)


def test_members_that_nobody_asks_for_are_not_read(tmp_path):
    path = npz(tmp_path / "a.npz", x=stored(np.arange(6.0).reshape(2, 3)), thesis=b"anything")
    arrays, others = read_npz(path, {"x", "y"})
    assert np.array_equal(arrays["x"], np.arange(6.0).reshape(2, 3))
    assert others == ("thesis",)


def test_the_order_of_axes_in_memory_is_kept(tmp_path):
    array = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    arrays, _ = read_npz(npz(tmp_path / "a.npz", x=stored(array)), {"x"})
    assert np.array_equal(arrays["x"], array)


def test_a_member_packed_as_numpy_never_does_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", stored(np.zeros(9)))
    with pytest.raises(RefusedError, match="packed in another way"):
        read_npz(tmp_path / "a.npz", {"x"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: {"w": torch.eye(3).to_sparse()}, "w: a sparse tensor"),
        (lambda: {"w": torch.empty(3, device="meta")}, "w: a tensor on the meta device"),
        (lambda: {"w": torch.zeros(3).to(torch.float8_e4m3fn)}, "w: numbers of type float8_e4m3fn"),
        (lambda: {"w": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}, "w: a quantised tensor"),
        (lambda: {"w": torch.zeros(3, dtype=torch.complex64)}, "w: numbers of type complex64"),
        (lambda: {"w": torch.zeros(1).expand(1 << 32)}, "would take 17,179,869,184 bytes"),
    ],
    ids=["sparse", "meta", "float8", "quantised", "complex", "expanded"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_unusual_kinds_are_refused_by_name(tmp_path, content, message):
    torch.save(content(), tmp_path / "net.pt")
    with pytest.raises(RefusedError, match=message):
        read_torch(tmp_path / "net.pt")


@pytest.mark.parametrize("content", [{0: torch.zeros(3)}, {(1, 2): 3}, [torch.zeros(3)], torch.zeros(3), 7, None, {}])
def test_what_is_no_network_though_it_is_torch_s_is_refused_in_words(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"net\.pt: "):
        load_any(tmp_path / "net.pt")


def test_a_packed_torch_file_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1 << 16)}, tmp_path / "net.pt")
    with (
        zipfile.ZipFile(tmp_path / "net.pt") as old,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(RefusedError, match=r"packed, which torch.save does not do"):
        read_torch(tmp_path / "b.pt")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\udcff"])
def test_json_beyond_measure_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text, errors="surrogateescape")
    with pytest.raises(RefusedError):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["a = ", "a = " + "[" * 100_000, "a = " + "9" * 5000])
def test_toml_beyond_measure_is_refused(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(RefusedError, match="not valid TOML"):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "a.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(RefusedError, match=r"no ordinary file|bytes are more than"):
        read_text(path)


def test_every_text_is_read_and_written_in_utf_8_whatever_the_locale():
    root = Path(__file__).parents[3]
    found = []
    for path in [*(root / "spear_deploy").rglob("*.py"), *(root / "exporters").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name in ("read_text", "write_text") and isinstance(node.func, ast.Attribute):
                found += [] if any(given.arg == "encoding" for given in node.keywords) else [f"{path}:{node.lineno}"]
    assert found == []


def test_every_reader_of_outside_files_goes_through_the_gate():
    """Nobody else opens what others wrote; what we write ourselves may be read as it is."""
    readers = ("h5py.File(path", "np.load(path", "torch.load(", "tomllib.load", "json.loads(path.read_text")
    ours = {"outside", "backends"}
    root = Path(__file__).parents[3]
    found = [
        f"{path.relative_to(root)}: {reader}"
        for path in [*(root / "spear_deploy").rglob("*.py"), *(root / "exporters").rglob("*.py")]
        if not set(path.relative_to(root).parts) & ours
        for reader in readers
        if reader in path.read_text()
    ]
    assert found == ["exporters/lava/exporter.py: np.load(path"]  # what it has just written
