"""What tables and pages show of spectroscopic grids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import plural, quantity
from hlhneuro.spectroscopy import GridResult, VoxelState

__all__ = ["grid_rows", "grid_view"]

Row = dict[str, Any]

_REGIONS = {"lesion": "Lesion", "normal_appearing": "Normal-appearing brain"}


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


def grid_view(results: SubjectResults, grid: GridResult, gallery: Gallery) -> Row:
    """Return what the page shows of one grid."""
    title = f"ses-{grid.session}, {grid.name}"
    echo = f"TE {grid.echo_time_s * 1000:.0f}\u00a0ms" if grid.echo_time_s is not None else "echo time unknown"
    water = "with water reference" if grid.water_reference else "no water reference"
    head = [grid.sequence.upper() if grid.sequence else "sequence unknown", echo, water]
    row: Row = {"title": title, "reason": grid.reason, "maps": None, "quality": None, "regions": [], "why": []}
    if grid.fit is None:
        return row | {"head": ", ".join(head)}
    x, y, z = grid.fit.state.shape
    counts = {state: int((grid.fit.state == state).sum()) for state in VoxelState}
    told = ", ".join(f"{state.words} {count}" for state, count in counts.items() if count)
    row["head"] = ", ".join([*head, f"{x} \u00d7 {y} \u00d7 {z} voxels ({told})"])
    row["maps"] = gallery.image(
        lambda: figures.metabolite_maps(results, grid),
        "Ratios to total creatine. Colours run from zero (dark) to the number above each map (bright); a voxel without "
        "colour was not fitted, or its bound is too large to be trusted.",
        f"Maps of metabolite ratios of {title} over the anatomy; the table below gives the means by region.",
    )
    row["quality"] = gallery.image(
        lambda: figures.grid_quality(results, grid),
        "Quality of each voxel: signal-to-noise ratio, linewidth and verdict.",
        f"Maps of signal-to-noise ratio, linewidth and verdict of {title}: {told}.",
    )
    row["regions"] = _regions(grid.regions)
    row["why"] = list(dict.fromkeys(str(why) for why in grid.regions["reason"] if why))
    return row


def _regions(table: pd.DataFrame) -> list[Row]:
    """Return one row per region with a cell per metabolite."""
    rows = []
    for region, own in table.groupby("region", sort=False):
        cells = [
            {
                "name": str(found["metabolite"]),
                "ratio": quantity(found["ratio_to_tcr"], found["ratio_sd"]) if _known(found["ratio_to_tcr"]) else "–",
                "voxels": plural(int(found["voxels"]), "voxel"),
            }
            for found in own.to_dict(orient="records")
        ]
        rows.append({"name": _REGIONS[str(region)], "cells": cells})
    return rows


def _known(value: object) -> bool:
    return isinstance(value, float) and bool(np.isfinite(value))
