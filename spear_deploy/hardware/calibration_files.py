"""Rows of measurements read from CSV, and fitted prices written as a profile."""

from __future__ import annotations

import csv
import io
import json

from spear_deploy.errors import DataError
from spear_deploy.hardware.calibration import COLUMNS, Calibration, Fitted, Row, fault_of_value
from spear_deploy.hardware.chip.figures import Energy, Power, Quantity, Time
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.chip.profile_files import SCOPES
from spear_deploy.system.files import MARK

_NETWORK = "network"
_BETWEEN = (",", ";", "\t")
"""What may set cells apart: whichever the header has most of."""

_OF_OPERATIONS = SCOPES[0]
_NEVER_ADDED = ("energy.scope", "energy.embedded_processor")
"""What is no price, or is in no total."""

_BESIDE_STEPS = ("time.input_event", "time.host_step")

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
            if fault := fault_of_value(column, values[column]):
                faults.append(f"{where}, line {number}: {fault}")
        if not faults:
            rows.append(Row((cells[_NETWORK] or f"line {number}").strip(), values))
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS:,} more"] if len(faults) > MOST_FAULTS else []
        raise DataError("\n".join([*faults[:MOST_FAULTS], *more]))
    if not rows:
        raise DataError(f"{where}: no rows; needed is a line for each measured inference: {', '.join(COLUMNS)}")
    return rows


def inherited_prices(base: Profile) -> dict[str, float]:
    """Typical prices of a profile (pJ, ns, mW) by their keys."""
    return {
        key: figure.spread.typical
        for key, figure in base.figures().items()
        if isinstance(figure, Energy | Time | Power) and figure.known
    }


def still_added(base: Profile, found: Calibration) -> tuple[str, ...]:
    """Prices of a profile for what the rows do not count: typical predictions with the new one hold them too."""
    fitted = {price.key for price in found.prices}
    kinds = {key.partition(".")[0] for key in fitted}
    told = fitted.union(found.unseen, *found.together, _NEVER_ADDED)
    # Typical updates are active, a barrier of one's own replaces the curve, fixed steps replace all that they wait for.
    told |= {key.replace("_active", "_inactive") for key in fitted}
    told |= {"time.barrier_by_routers"} if "time.barrier" in fitted else set()
    alone = "time.step" in fitted
    return tuple(
        key
        for key, figure in base.figures().items()
        if figure.known and key.partition(".")[0] in kinds and key not in told
        if not (isinstance(figure, Quantity) and figure.value == 0)
        if not (alone and key.startswith("time.") and key not in _BESIDE_STEPS)
    )


def calibrated_profile(
    base: Profile, inherits: str, name: str, found: Calibration, *, rows: str, date: str, instrument: str
) -> str:
    """A profile in TOML that inherits, with every fitted price as a figure of status 'measured'."""
    told = f"date = {_text(date)}\ninstrument = {_text(instrument)}"
    blocks = [
        f"# {MARK}",
        f"name = {_text(name)}\ntitle = {_text(f'{base.title}, calibrated')}\ninherits = {_text(inherits)}\n"
        f"about = {_text(f'Prices of {base.title} fitted to {rows} on {date}.')}",
    ]
    scope = base.energy.scope
    if scope is not None and scope.value != _OF_OPERATIONS and any(price.unit != "ns" for price in found.prices):
        blocks.append(
            f'[energy.scope]\nvalue = "{_OF_OPERATIONS}"\nunit = "name"\nstatus = "measured"\n'
            f"{told}\nsource = {_text(f'prices of single operations, fitted to {rows}')}"
        )
    blocks += [_block(price, rows, told) for price in found.prices]
    return "\n\n".join(blocks) + "\n"


def _block(price: Fitted, rows: str, told: str) -> str:
    source = f"weighted least squares from 0 on, on {rows}; low and high: 95 % interval"
    lines = [
        f"[{price.key}]",
        f"low = {price.low:.4g}",
        f"value = {price.value:.4g}",
        f"high = {price.high:.4g}",
        f'unit = "{price.unit}"',
        'status = "measured"',
        'basis = "silicon"',
        told,
        f"source = {_text(source)}",
    ]
    if price.low == 0:
        lines.append(f"note = {_text('not told apart from 0 by these measurements')}")
    return "\n".join(lines)


def _text(value: str) -> str:
    """A string in TOML, whose escapes are those of JSON, but for letters of half a character and for the one control
    character that JSON leaves as it is.
    """
    whole = value.encode(errors="replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
