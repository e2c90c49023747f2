"""Whether the field of view holds the whole brain; where it does not, volumes are those of a part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hlhneuro.imaging.template import TemplateMatch, template_brain
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid

__all__ = ["cut_brain"]

_SIDES = (("left", "right"), ("back", "front"), ("bottom", "top"))


def cut_brain(
    brain: NDArray[np.bool_], grid: Grid, match: TemplateMatch | None, largest_area_mm2: float
) -> tuple[str, ...]:
    """Say, in sentences, on which sides the field of view ends inside the brain.

    Parameters
    ----------
    brain : bool array, shape of `grid`
        Brain on the image's own grid.
    grid : Grid
    match : TemplateMatch or None
        Tells how much is missing; a brain that is cut hides its own size, so this is an estimate.
    largest_area_mm2 : float
        A brain may touch a side over at most this (the cord leaves at the bottom).
    """
    edges = np.array(grid.voxel_size_mm)
    missing = _missing_mm(grid, match)
    said = []
    for axis in range(3):
        area = float(np.prod(np.delete(edges, axis)))
        column = grid.affine[:3, axis]
        direction = int(np.abs(column).argmax())
        for end in (0, 1):
            touching = float(np.count_nonzero(np.take(brain, -end, axis))) * area
            if touching <= largest_area_mm2:
                continue
            side = _SIDES[direction][end if column[direction] > 0 else 1 - end]
            depth = f", about {missing[axis, end]:.0f} mm are missing" if missing[axis, end] >= 1 else ""
            said.append(
                f"the field of view ends inside the brain: {side}, cut over {touching / 100:.0f} cm2{depth}; "
                "volumes are those of the part that was imaged"
            )
    return tuple(said)


def _missing_mm(grid: Grid, match: TemplateMatch | None) -> NDArray[np.float64]:
    """Return how far the template's brain reaches beyond each side of the field of view, shape (axis, end)."""
    if match is None:
        return np.zeros((3, 2))
    template, mask = template_brain()
    to_index = AffineTransform(grid.affine).inverse().after(match.to_template.inverse())
    index = to_index.map(AffineTransform(template.affine).map(np.argwhere(mask)[::7]))
    beyond = np.stack([-0.5 - index.min(axis=0), index.max(axis=0) - (np.array(grid.shape) - 0.5)], axis=1)
    missing: NDArray[np.float64] = np.maximum(beyond, 0) * np.array(grid.voxel_size_mm)[:, None]
    return missing
