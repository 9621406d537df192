"""Rows of measurements read from CSV, and fitted prices written as a profile."""

from __future__ import annotations

import csv
import io
import json

from spear_deploy.errors import DataError
from spear_deploy.hardware.calibration import COLUMNS, Calibration, Fitted, Row
from spear_deploy.hardware.chip.profile import Profile

_NETWORK = "network"
_BETWEEN = (",", ";", "\t")
"""What may set cells apart: whichever the header has most of."""

MOST_FAULTS = 10
"""That a message tells."""


def read_rows(text: str, where: str) -> list[Row]:
    """Rows of a CSV file with a header; an empty cell is something that is not known.

    As spreadsheets write it too: cells set apart by semicolons (numbers then with a comma or a point) or tabs, a
    byte order mark, spaces and capitals in the header.

    Raises:
        DataError: no CSV, no rows, unknown columns, cells that are no numbers or are negative; the first
            `MOST_FAULTS` at once.

    """
    lines = io.StringIO(text.lstrip("\ufeff\r\n"))
    header = lines.readline()
    between = max(_BETWEEN, key=header.count)
    lines.seek(0)
    try:
        return _rows(csv.DictReader(lines, delimiter=between), where, decimal="," if between == ";" else ".")
    except csv.Error as error:
        raise DataError(f"{where}: no CSV ({error})") from None


def _rows(reader: csv.DictReader[str], where: str, *, decimal: str) -> list[Row]:
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    unknown = [column[:40] for column in columns if column not in COLUMNS][:MOST_FAULTS]
    if unknown or _NETWORK not in columns or len(set(columns)) < len(columns):
        twice = ", ".join(repr(name[:40]) for name in dict.fromkeys(columns) if columns.count(name) > 1)
        fault = f"no column '{_NETWORK}'" if _NETWORK not in columns else f"columns that stand there twice: {twice}"
        fault = f"unknown columns {', '.join(map(repr, unknown))}" if unknown else fault
        raise DataError(f"{where}: {fault}; known are {', '.join(COLUMNS)}")
    rows, faults = [], []
    for number, cells in enumerate(reader, start=2):
        values = {}
        if None in cells:  # what csv calls cells behind the last column
            faults.append(f"{where}, line {number}: more cells than columns")
        for column in columns:
            cell = (cells[column] or "").strip()
            if column == _NETWORK or not cell:
                continue
            try:
                values[column] = float(cell.replace(decimal, "."))
            except ValueError:
                faults.append(f"{where}, line {number}: {column} is no number: {cell[:40]!r}")
                continue
            if not 0 <= values[column] < float("inf"):
                faults.append(f"{where}, line {number}: {column} must be a number from 0 on, found {cell[:40]}")
        rows.append(Row((cells[_NETWORK] or f"line {number}").strip(), values))
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS:,} more"] if len(faults) > MOST_FAULTS else []
        raise DataError("\n".join([*faults[:MOST_FAULTS], *more]))
    if not rows:
        raise DataError(f"{where}: no rows; needed is a line for each measured inference: {', '.join(COLUMNS)}")
    return rows


def calibrated_profile(
    base: Profile, inherits: str, name: str, found: Calibration, *, rows: str, date: str, instrument: str
) -> str:
    """A profile in TOML that inherits, with every fitted price as a figure of status 'measured'."""
    blocks = [
        f"name = {_text(name)}\ntitle = {_text(f'{base.title}, calibrated')}\ninherits = {_text(inherits)}\n"
        f"about = {_text(f'Prices of {base.title} fitted to {rows} on {date}.')}"
    ]
    blocks += [_block(price, rows, date, instrument) for price in found.prices]
    return "\n\n".join(blocks) + "\n"


def _block(price: Fitted, rows: str, date: str, instrument: str) -> str:
    return "\n".join(
        [
            f"[{price.key}]",
            f"low = {price.low:.4g}",
            f"value = {price.value:.4g}",
            f"high = {price.high:.4g}",
            f'unit = "{price.unit}"',
            'status = "measured"',
            'basis = "silicon"',
            f"date = {_text(date)}",
            f"instrument = {_text(instrument)}",
            f"source = {_text(f'weighted least squares on {rows}; low and high: 95 % interval')}",
        ]
    )


def _text(value: str) -> str:
    """A string in TOML, whose escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
