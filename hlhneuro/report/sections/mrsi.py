"""Spectroscopic grids: maps, and means by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import plural, quantity
from hlhneuro.spectroscopy import GridResult, VoxelState

__all__ = ["facts", "pictures"]

_REGIONS = {"lesion": "Lesion", "normal_appearing": "Normal-appearing brain"}


def facts(results: SubjectResults) -> Row | None:
    """Return one row per grid; without a grid there is no section."""
    return {"grids": [_grid(grid) for grid in results.grids]} if results.grids else None


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw maps and quality of every grid, in the order of the facts."""
    return {
        "grids": [
            _pictures(results, grid, told, gallery) for grid, told in zip(results.grids, facts["grids"], strict=True)
        ]
    }


def _grid(grid: GridResult) -> Row:
    title = f"ses-{grid.session}, {grid.name}"
    echo = f"TE {grid.echo_time_s * 1000:.0f}\u00a0ms" if grid.echo_time_s is not None else "echo time unknown"
    water = "with water reference" if grid.water_reference else "no water reference"
    head = [grid.sequence.upper() if grid.sequence else "sequence unknown", echo, water]
    row: Row = {"title": title, "reason": grid.reason, "regions": [], "why": [], "voxels": ""}
    if grid.fit is None:
        return row | {"head": ", ".join(head)}
    x, y, z = grid.fit.state.shape
    counts = {state: int((grid.fit.state == state).sum()) for state in VoxelState}
    row["voxels"] = ", ".join(f"{state.words} {count}" for state, count in counts.items() if count)
    row["head"] = ", ".join([*head, f"{x} \u00d7 {y} \u00d7 {z} voxels ({row['voxels']})"])
    row["regions"] = _regions(grid.regions)
    row["why"] = list(dict.fromkeys(str(why) for why in grid.regions["reason"] if why))
    return row


def _pictures(results: SubjectResults, grid: GridResult, told: Mapping[str, Any], gallery: Gallery) -> Pictures:
    if grid.fit is None:
        return {"maps": None, "quality": None}
    return {
        "maps": gallery.image(
            lambda: figures.metabolite_maps(results, grid),
            "Ratios to total creatine. Colours run from zero (dark) to the number above each map (bright); a voxel "
            "without colour was not fitted, or its bound is too large to be trusted.",
            f"Maps of metabolite ratios of {told['title']} over the anatomy; the table below gives the means by "
            "region.",
        ),
        "quality": gallery.image(
            lambda: figures.grid_quality(results, grid),
            "Quality of each voxel: signal-to-noise ratio, linewidth and verdict.",
            f"Maps of signal-to-noise ratio, linewidth and verdict of {told['title']}: {told['voxels']}.",
        ),
    }


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
