"""The rows of the table of spectroscopic grids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hlhneuro.spectroscopy import GridResult

__all__ = ["grid_rows"]

Row = dict[str, Any]


def grid_rows(grids: tuple[GridResult, ...]) -> Iterator[Row]:
    """Return the rows of the table of grids: a mean per region and metabolite, or why there is none."""
    for grid in grids:
        common: Row = {
            "session": grid.session,
            "grid": grid.name,
            "echo_time_s": grid.echo_time_s,
            "sequence": grid.sequence,
        }
        if grid.fit is None:
            yield common | {"reason": grid.reason}
        for row in grid.regions.to_dict(orient="records"):
            yield common | {str(name): value for name, value in row.items()}
