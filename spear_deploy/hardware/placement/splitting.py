"""Cutting a layer into as few rectangles as the limits of a core allow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from spear_deploy.hardware.placement.tiles import Bounds, Grid, Tile, Volume, bounds_of, whole

Fits = Callable[[Tile], bool]


class TooLargeForACoreError(Exception):
    """A single neuron does not fit."""

    def __init__(self, tile: Tile) -> None:
        super().__init__(f"no core holds {tile}")
        self.tile = tile


def split(volume: Volume, fits: Fits, uniform: bool) -> Grid:
    """The layer on as few cores as cutting along channels, rows and columns allows.

    `fits` must hold for every part of a rectangle for which it holds. A flat layer is cut
    where the core is full, which is optimal; a map is cut evenly by channels and, within
    that, into bands of rows as tall as fit, over all ways to cut the channels. `uniform`
    says that channels are alike, so that one range of channels stands for all.

    Raises:
        TooLargeForACoreError: one neuron alone does not fit.

    """
    channels, rows, columns = volume
    everything = whole(volume)
    if fits(everything):
        return Grid((everything.channels,), (everything.rows,), (everything.columns,))
    if rows == columns == 1:
        return Grid(_bands(channels, lambda band: fits(Tile(band, (0, 1), (0, 1)))), ((0, 1),), ((0, 1),))
    best: Grid | None = None
    for step in _steps(channels):
        bounds = bounds_of(channels, step)
        if best is not None and len(bounds) >= best.size:
            break
        grid = _cut_map(bounds, rows, columns, fits, uniform)
        if grid is not None and (best is None or grid.size < best.size):
            best = grid
    if best is None:
        raise TooLargeForACoreError(_first_misfit(volume, fits))
    return best


def _cut_map(channels: Bounds, rows: int, columns: int, fits: Fits, uniform: bool) -> Grid | None:
    """Rows (and columns, where one row is too much) for given channels; None where a pixel is too much."""
    probes = channels[:1] if uniform else channels

    some_rows = sorted({0, rows // 2, rows - 1})

    def fit(band: tuple[int, int], step: int) -> bool:
        return all(fits(Tile(c, band, x)) for c in probes for x in bounds_of(columns, step))

    def some_fit(step: int) -> bool:
        return all(fit((row, row + 1), step) for row in some_rows)

    def all_fit(step: int) -> bool:
        return all(fit((row, row + 1), step) for row in range(rows))

    def cut(step: int) -> Grid:
        return Grid(channels, _bands(rows, lambda band: fit(band, step)), bounds_of(columns, step))

    # Rows at the border and in the middle stand for all; should another row need more, all are asked.
    for row_fits in (some_fit, all_fit):
        step = columns if row_fits(columns) else _largest(columns, row_fits)
        if step == 0:
            return None
        with suppress(TooLargeForACoreError):
            return cut(step)
    return None


def _bands(size: int, fits: Callable[[tuple[int, int]], bool]) -> Bounds:
    """A length cut into the fewest pieces that fit, of even length where that fits too.

    Greedy is optimal, because what fits still fits when it is cut down.
    """
    pieces: list[tuple[int, int]] = []
    start, stride = 0, 1
    while start < size:
        if not fits((start, start + 1)):
            raise TooLargeForACoreError(Tile((start, start + 1), (0, 1), (0, 1)))
        # Gallop from the length of the last piece: neighbours are of about the same length.
        low, high = 1, min(stride, size - start)
        while high <= size - start and fits((start, start + high)):
            low = high
            if high == size - start:
                break
            high = min(high * 2, size - start)
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if fits((start, start + middle)) else (low, middle)
        pieces.append((start, start + low))
        start, stride = start + low, low
    even = bounds_of(size, -(-size // len(pieces)))
    return even if all(fits(piece) for piece in even) else tuple(pieces)


def _largest(size: int, fits: Callable[[int], bool]) -> int:
    """The largest step below `size` that fits, 0 for none."""
    low, high = 0, size
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _steps(channels: int) -> list[int]:
    """Channels per core for one core, two, three... along the channels, each number once."""
    return sorted({-(-channels // parts) for parts in range(1, channels + 1)}, reverse=True)


def _first_misfit(volume: Volume, fits: Fits) -> Tile:
    channels, rows, columns = volume
    pixels = (
        Tile((c, c + 1), (y, y + 1), (x, x + 1)) for c in range(channels) for y in range(rows) for x in range(columns)
    )
    return next(tile for tile in pixels if not fits(tile))
