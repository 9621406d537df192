import json
import re
import stat
import warnings
import zipfile
from contextlib import suppress

import h5py
import numpy as np
import pytest
from test_registry import small_model
from test_writing import run

from spear_deploy.cli import main
from spear_deploy.errors import ExportError, OutputError
from spear_deploy.exporting.bundle import MANIFEST, is_bundle, open_bundle, write_bundle
from spear_deploy.network import load_any, save_model_file


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    rng = np.random.default_rng(0)
    values = {f"x_{split}": rng.random((40, 4), dtype=np.float32) for split in ("train", "test")}
    np.savez(folder / "net.npz", **values)
    save_model_file(small_model(data="net.npz"), folder / "net.pt")
    (folder / "report.json").write_text('{"report": 1}\n')
    asked = ["--to", "bundle", "--target", "loihi2", "--format", "netx", "--out", folder]
    assert run(folder / "net.pt", *asked) == 0
    return folder / "net.bundle.zip"


def imported(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["import", *map(str, arguments)])
    return ended.value.code


def test_what_is_no_bundle_is_told_where_no_folder_is_named(bundle, tmp_path, monkeypatch, capsys):
    (tmp_path / "net.pt").write_bytes((bundle.parent / "net.pt").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert imported("net.pt") != 0
    assert "net.pt: not a bundle of spear-deploy: it has no manifest.json" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["net.pt"]


def rewritten(bundle, tmp_path, change):
    """The bundle with its entries (name to content) changed."""
    with zipfile.ZipFile(bundle) as held:
        entries = {name: held.read(name) for name in held.namelist()}
    change(entries)
    path = tmp_path / "changed.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


def test_a_bundle_holds_every_format_the_profile_and_the_report(bundle):
    with zipfile.ZipFile(bundle) as held:
        assert sorted(held.namelist()) == [
            "export.json",
            "loihi2.toml",
            "manifest.json",
            "net.net",
            "net.nir",
            "net.onnx",
            "net_lava.npz",
            "net_lava.py",
            "report.json",
        ]
        manifest = json.loads(held.read(MANIFEST))
        assert manifest["model"] == "net.nir"
        assert set(manifest["files"]) == set(held.namelist()) - {MANIFEST}


def test_an_imported_bundle_is_checked_unpacked_and_run(bundle, tmp_path, capsys):
    assert imported(bundle, "--out", tmp_path / "got") == 0
    said = capsys.readouterr().out
    for file in ("net.nir", "net.onnx"):
        assert f"{file} runs: equal to the network in 2 layers" in said
    assert re.search(r"net\.net runs: fires [1-9]\d* times in 2 layers, as its record says", said)
    assert "not run: net_lava.py is a program of whoever made the bundle" in said
    assert (tmp_path / "got" / "report.json").read_text() == '{"report": 1}\n'
    assert load_any(tmp_path / "got" / "net.nir").time_steps == 6


def test_a_bundle_with_weights_of_8_bits_is_run_against_those(bundle, tmp_path, capsys):
    save_model_file(small_model(), tmp_path / "net.pt")
    assert run(tmp_path / "net.pt", "--to", "bundle", "--int8", "--out", tmp_path) == 0
    told = re.search(r"rounded to int8 in 2 layers, (\d+) spikes where", " ".join(capsys.readouterr().out.split()))
    assert imported(tmp_path / "net.bundle.zip", "--out", tmp_path / "got") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"net.onnx runs: equal to the network with its weights rounded to int8 in 2 layers, {told[1]} spikes" in said


def test_an_existing_folder_is_kept_unless_forced(bundle, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "mine").write_text("")
    assert imported(bundle, "--out", tmp_path / "got") == 2
    assert [file.name for file in (tmp_path / "got").iterdir()] == ["mine"]
    assert imported(bundle, "--out", tmp_path / "got", "--force") == 2
    assert [file.name for file in (tmp_path / "got").iterdir()] == ["mine"]


def test_a_bundle_replaces_bundles_and_nothing_else(tmp_path):
    save_model_file(small_model(), tmp_path / "net.pt")
    asked = [tmp_path / "net.pt", "--to", "bundle", "--no-verify", "--out", tmp_path, "--force"]
    path = tmp_path / "net.bundle.zip"
    with zipfile.ZipFile(path, "w") as theirs:
        theirs.writestr("chapter.tex", "a year's work")
    before = path.read_bytes()
    assert run(*asked) == 2
    assert path.read_bytes() == before
    path.unlink()
    assert (run(*asked), run(*asked)) == (0, 0)
    assert is_bundle(path)


def test_what_an_import_wrote_is_replaced_when_forced(bundle, tmp_path):
    assert imported(bundle, "--out", tmp_path / "got") == 0
    assert imported(bundle, "--out", tmp_path / "got") == 2
    assert imported(bundle, "--out", tmp_path / "got", "--force") == 0


def test_the_same_files_give_the_same_bundle(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_bundle(tmp_path / name, {"net.nir": b"1", "x": b"2"}, "net.nir")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("seed", range(60))
def test_no_changed_byte_gets_another_content_out_of_a_bundle(bundle, tmp_path, seed):
    """It is refused, or (in a field that zip ignores, as a date) opens with the same files."""
    content = bytearray(bundle.read_bytes())
    rng = np.random.default_rng(seed)
    content[int(rng.integers(len(content)))] ^= int(rng.integers(1, 256))
    (tmp_path / "bad.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with zipfile.ZipFile(bundle) as held:
        files = {name: held.read(name) for name in held.namelist() if name != MANIFEST}
    with suppress(ExportError):
        open_bundle(tmp_path / "bad.zip", tmp_path / "out")
    opened = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert opened.items() <= files.items()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_bundle_with_a_changed_byte_is_refused(bundle, tmp_path, capsys, place):
    content = bytearray(bundle.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(content)
    assert imported(tmp_path / "bad.zip", "--out", tmp_path / "got") == 2
    said = capsys.readouterr().err
    assert said.startswith("spear-deploy: ")
    assert "bad.zip" in said
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("kept", [0, 30, 0.5, 0.99])
def test_a_truncated_bundle_is_refused(bundle, tmp_path, capsys, kept):
    content = bundle.read_bytes()
    (tmp_path / "bad.zip").write_bytes(content[: int(kept if isinstance(kept, int) else kept * len(content))])
    assert imported(tmp_path / "bad.zip", "--out", tmp_path / "got") == 2
    assert "bad.zip: not a bundle, or damaged" in capsys.readouterr().err


def test_a_folder_of_exported_files_is_no_bundle(tmp_path, capsys):
    assert imported(tmp_path, "--out", tmp_path / "got") == 2
    assert (
        "a folder, and no bundle: that is one file, which an export of the format bundle writes"
        in capsys.readouterr().err
    )


def test_a_bundle_whose_directory_would_begin_before_its_start_is_refused(bundle, tmp_path):
    content = bytearray(bundle.read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (2**31).to_bytes(4, "little")  # bytes of the central directory
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(ExportError, match=r"bad\.zip: not a bundle, or damaged"):
        open_bundle(tmp_path / "bad.zip", tmp_path)


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_bundle(bundle, tmp_path):
    (tmp_path / "net.nir").mkdir()
    with pytest.raises(OutputError, match=r"net\.nir: cannot be written \(Is a directory\)"):
        open_bundle(bundle, tmp_path)


def test_a_missing_bundle_is_named(tmp_path, capsys):
    assert imported(tmp_path / "none.zip") == 2
    assert "none.zip: no such bundle" in capsys.readouterr().err


def _changed(entries):
    entries["net.nir"] += b"x"


def _renamed(entries):
    entries["other.nir"] = entries.pop("net.nir")


def _without_manifest(entries):
    del entries[MANIFEST]


def _with_stranger(entries):
    entries["stranger.py"] = b"print()"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_changed, "net.nir is not what the manifest.json says"),
        (_renamed, "manifest.json and its files differ: net.nir, other.nir"),
        (_without_manifest, "not a bundle of spear-deploy: it has no manifest.json"),
        (_with_stranger, "manifest.json and its files differ: stranger.py"),
        (lambda entries: entries.update({MANIFEST: b"{"}), "its manifest.json is damaged"),
    ],
)
def test_a_bundle_that_its_manifest_does_not_describe_is_refused(bundle, tmp_path, change, reason):
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match=reason):
        open_bundle(rewritten(bundle, tmp_path, change), tmp_path / "out")


@pytest.mark.parametrize("size", [-2, 2**63, 1.5, "many"])
def test_a_size_that_no_file_has_is_refused_before_anything_is_read(bundle, tmp_path, size):
    def change(entries):
        manifest = json.loads(entries[MANIFEST])
        manifest["files"]["net.nir"]["bytes"] = size
        entries[MANIFEST] = json.dumps(manifest).encode()

    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match=r"its manifest\.json is damaged"):
        open_bundle(rewritten(bundle, tmp_path, change), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


PATHS = ["../evil", "/tmp/evil", "sub/evil", "..\\evil", "C:evil", "..", ".", " ", "evil\n", "sub/"]


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_written(tmp_path, name):
    path, out = tmp_path / "bad.zip", tmp_path / "out"
    out.mkdir()
    write_bundle(path, {"net.nir": b"1", name: b"2"}, "net.nir")
    with pytest.raises(ExportError, match="leads out of the bundle's folder"):
        open_bundle(path, out)
    assert not list(out.iterdir())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.zip", "out"]


def test_a_link_is_refused(tmp_path):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("net.nir")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("manifest.json", "{}")
    with pytest.raises(ExportError, match="no file but a link"):
        open_bundle(path, tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path):
    path = tmp_path / "bad.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as made:
        warnings.simplefilter("ignore")
        made.writestr("net.nir", "1")
        made.writestr("NET.nir", "2")
        made.writestr("manifest.json", "{}")
    with pytest.raises(ExportError, match="is in it twice"):
        open_bundle(path, tmp_path)


def test_a_zip_bomb_is_read_no_further_than_its_manifest_says(tmp_path):
    path = tmp_path / "bomb.zip"
    write_bundle(path, {"net.nir": b"0"}, "net.nir")
    bomb = rewritten(path, tmp_path, lambda entries: entries.update({"net.nir": bytes(1 << 24)}))
    with pytest.raises(ExportError, match=r"net\.nir is not what the manifest"):
        open_bundle(bomb, tmp_path)
    assert not (tmp_path / "net.nir").exists()


def test_a_bundle_whose_onnx_is_another_network_is_refused(bundle, tmp_path, capsys):
    """Hashes only say that nothing was damaged; running says that the files belong together."""
    with zipfile.ZipFile(bundle) as held:
        files = {name: held.read(name) for name in held.namelist() if name != MANIFEST}
    (tmp_path / "net.nir").write_bytes(files["net.nir"])
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        weight = file["node/nodes/dense/weight"]
        weight[...] = -np.asarray(weight)
    write_bundle(tmp_path / "mixed.zip", files | {"net.nir": (tmp_path / "net.nir").read_bytes()}, "net.nir")
    assert imported(tmp_path / "mixed.zip", "--out", tmp_path / "got") == 2
    assert "net.onnx: does not do what the network of the bundle does: hidden: " in capsys.readouterr().err
    assert not (tmp_path / "got").exists()
