"""Spectroscopic grids: maps, and means by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.sections.spectrum_facts import finite
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
    row: Row = {
        "title": f"ses-{grid.session}, {grid.name}",
        "sequence": grid.sequence,
        "echo_time_ms": None if grid.echo_time_s is None else 1e3 * grid.echo_time_s,
        "water_reference": grid.water_reference,
        "reason": grid.reason,
        "shape": [],
        "states": [],
        "regions": [],
        "why": [],
    }
    if grid.fit is None:
        return row
    counts = {state: int((grid.fit.state == state).sum()) for state in VoxelState}
    return row | {
        "shape": list(grid.fit.state.shape),
        "states": [{"name": state.words, "voxels": count} for state, count in counts.items() if count],
        "regions": _regions(grid.regions),
        "why": list(dict.fromkeys(str(why) for why in grid.regions["reason"] if why)),
    }


def _pictures(results: SubjectResults, grid: GridResult, told: Mapping[str, Any], gallery: Gallery) -> Pictures:
    if grid.fit is None:
        return {"maps": None, "quality": None}
    voxels = ", ".join(f"{state['name']} {state['voxels']}" for state in told["states"])
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
            f"Maps of signal-to-noise ratio, linewidth and verdict of {told['title']}: {voxels}.",
        ),
    }


def _regions(table: pd.DataFrame) -> list[Row]:
    """Return one row per region with a cell per metabolite."""
    rows = []
    for region, own in table.groupby("region", sort=False):
        cells = [
            {
                "name": str(found["metabolite"]),
                "ratio_to_tcr": finite(found["ratio_to_tcr"]),
                "ratio_sd": finite(found["ratio_sd"]),
                "voxels": int(found["voxels"]),
            }
            for found in own.to_dict(orient="records")
        ]
        rows.append({"name": _REGIONS[str(region)], "cells": cells})
    return rows
