"""The job of `calibrate`: prices of a chip from what was measured on it, as a profile of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from spear_deploy.errors import DataError, ProfileError
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.calibration import Calibration
from spear_deploy.hardware.calibration import calibrate as fit
from spear_deploy.hardware.calibration_files import calibrated_profile, read_rows
from spear_deploy.hardware.chip.profile import fault_of_name
from spear_deploy.system.files import replaced_when_complete
from spear_deploy.system.outside.plain import read_text
from spear_deploy.system.outside.refusal import RefusedError


def calibrate(chip: str, rows: Path, to: Path | None = None, *, instrument: str, date: str = "") -> Calibration:
    """Fit energies and times of a chip to measurements.

    Args:
        chip: what the new profile inherits from, a name or a TOML file.
        rows: CSV of measured inferences.
        to: where the profile is written; None to write none.
        instrument: what the measurements were made with.
        date: when they were made; today if not said.

    Raises:
        SpearDeployError: the chip is not known, the rows cannot be read or fitted, or the profile cannot be written.

    """
    base = load_profile(chip)
    if to is not None and (fault := fault_of_name(to.stem)):
        raise ProfileError(f"{to}: the new profile gets the name of its file: {fault}")
    found = fit(read_rows(_text(rows), str(rows)))
    if to is not None:
        parent = str(Path(chip).resolve()) if Path(chip).is_file() else chip
        day = date or f"{datetime.now(UTC):%Y-%m-%d}"
        text = calibrated_profile(base, parent, to.stem, found, rows=rows.name, date=day, instrument=instrument)
        with replaced_when_complete(to) as working:
            working.write_text(text, encoding="utf-8")
        load_profile(to)
    return found


def _text(rows: Path) -> str:
    try:
        return read_text(rows)
    except FileNotFoundError:
        raise DataError(f"{rows}: no such file; needed is CSV with a line for each measured inference") from None
    except RefusedError as error:
        raise DataError(f"{rows}: cannot be read ({error}); needed is CSV") from None
