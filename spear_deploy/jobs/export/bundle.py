"""One zip of all our formats of a network, with its report and its chip."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from spear_deploy.errors import OutputError
from spear_deploy.exporting import ExportEntry, export_model
from spear_deploy.exporting.bundle import is_bundle, write_bundle
from spear_deploy.hardware.chip.profile_files import profile_text
from spear_deploy.jobs.chips import chip_of
from spear_deploy.jobs.export.export import prepared
from spear_deploy.jobs.export.request import ExportRequest, as_run_made
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.system.files import replaced_when_complete
from spear_deploy.system.locks import locked

BUNDLED = ("nir", "onnx", "lava", "netx")


@torch_settings(flush=False)
def run_bundle(request: ExportRequest, progress: Progress) -> tuple[list[ExportEntry], Path]:
    """Write one zip of all our formats, their record, and what lies beside the model: report and profile.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    request = as_run_made(request, progress)
    path = request.out / f"{request.model.stem}.bundle.zip"
    with locked(request.out):
        if path.exists() and not request.force:
            raise OutputError(f"{path}: exists; choose another folder (`folder`), or `force=True`")
        with replaced_when_complete(path, ours=is_bundle) as working:
            entries = _bundle(request, working, progress)
    return entries, path


def _bundle(request: ExportRequest, path: Path, progress: Progress) -> list[ExportEntry]:
    asked, exporters = prepared(request, BUNDLED, progress, floating=("nir",))
    if asked.data is not None:  # whoever opens it has other folders
        asked = replace(asked, data=asked.data.model_copy(update={"place": None}))
    with tempfile.TemporaryDirectory(prefix="spear-deploy-bundle-") as name:
        entries = export_model(asked, exporters, Path(name) / "files", force=True)
        files = {file.name: file.read_bytes() for file in (Path(name) / "files").iterdir()}
    if (report := request.model.parent / "report.json").is_file():
        files["report.json"] = report.read_bytes()
    if request.target is not None:
        profile = chip_of(request.target)
        files[f"{profile.name}.toml"] = profile_text(request.target).encode()
    write_bundle(path, files, f"{asked.stem}.nir")
    return entries
