"""The job of `calibrate`: prices of a chip from what was measured on it, as a profile of one's own."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spear_deploy.errors import DataError, OutputError, ProfileError, quoted
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.calibration import Calibration
from spear_deploy.hardware.calibration import calibrate as fit
from spear_deploy.hardware.calibration_files import calibrated_profile, inherited_prices, read_rows, still_added
from spear_deploy.hardware.chip.profile import fault_of_name
from spear_deploy.hardware.chip.profile_files import check_no_loop
from spear_deploy.system.files import replaced_when_complete
from spear_deploy.system.outside.plain import read_text
from spear_deploy.system.outside.refusal import RefusedError


def calibrate(
    chip: str, rows: Path, to: Path | None = None, *, instrument: str, date: str = "", force: bool = False
) -> Calibration:
    """Fit energies and times of a chip to measurements.

    Args:
        chip: what the new profile inherits from, a name or a TOML file.
        rows: CSV of measured inferences.
        to: where the profile is written; None to write none.
        instrument: what the measurements were made with.
        date: when they were made, such as 2026-05-01; today if not said.
        force: whether a profile that was written by this job earlier is replaced.

    Raises:
        SpearDeployError: the chip is not known, the rows cannot be read or fitted, or the profile cannot be written.

    """
    base = load_profile(chip)
    day = _day(date)
    _check_instrument(instrument)
    if to is not None:
        _check_place(to, chip, force=force)
    found = fit(read_rows(_text(rows), str(rows)), inherited_prices(base))
    found = replace(found, added=still_added(base, found))
    if to is not None:
        if not found.prices:
            raise DataError(f"{rows}: the rows determine no price that a profile could hold; {to} was not written")
        parent = str(Path(chip).resolve()) if Path(chip).is_file() else chip
        text = calibrated_profile(base, parent, to.stem, found, rows=rows.name, date=day, instrument=instrument)
        with replaced_when_complete(to) as working:
            working.write_text(text, encoding="utf-8")
            _check_readable(working, to, found)
    return found


def _day(date: str) -> str:
    """The day of the measurements.

    Raises:
        DataError: no date, or one to come.

    """
    now = datetime.now(UTC)
    if not date:
        return f"{now:%Y-%m-%d}"
    try:
        day = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise DataError(f"date: needs year, month and day, such as {now:%Y-%m-%d}, found {quoted(date)}") from None
    if day > now + timedelta(days=1):  # somewhere it is tomorrow already
        raise DataError(f"date: nothing was measured on a day to come, found {quoted(date)}")
    return f"{day:%Y-%m-%d}"


def _check_instrument(instrument: str) -> None:
    if not instrument.strip() or not instrument.isprintable():
        raise DataError(f"instrument: needs what the measurements were made with, in words, found {quoted(instrument)}")


def _check_place(to: Path, chip: str, *, force: bool) -> None:
    if fault := fault_of_name(to.stem):
        raise ProfileError(f"{to}: the new profile gets the name of its file: {fault}")
    if os.path.lexists(to) and not force:
        raise OutputError(f"{to}: is there already; choose another name, or `force=True`")
    check_no_loop(chip, to)


def _check_readable(working: Path, to: Path, found: Calibration) -> None:
    """Nothing that cannot be read back is left behind."""
    try:
        load_profile(working)
    except ProfileError as error:
        faults = str(error).replace(str(working), str(to))
        open_ends = [price.key for price in found.prices if price.low == 0]
        way = f"; more rows, or more different ones, tell {', '.join(open_ends)} apart from 0" if open_ends else ""
        raise ProfileError(f"{faults}\n{to} was not written{way}") from None


def _text(rows: Path) -> str:
    try:
        return read_text(rows)
    except FileNotFoundError:
        raise DataError(f"{rows}: no such file; needed is CSV with a line for each measured inference") from None
    except RefusedError as error:
        raise DataError(f"{rows}: cannot be read ({error}); needed is CSV") from None
