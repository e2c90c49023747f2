"""Arrays, grids and tables as plain types that files hold, and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.volumes import Grid

__all__ = ["as_u8", "frame_from_json", "frame_to_json", "grid_from_json", "grid_to_json", "read_image"]


def as_u8(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a mask as it is stored."""
    return mask.astype(np.uint8)


def read_image(path: Path) -> NDArray[Any]:
    """Read back the array of a stored image in the type it was stored in."""
    image: Any = nib.load(path)
    return np.ascontiguousarray(image.dataobj)  # sums depend on the order in memory


def grid_to_json(grid: Grid) -> dict[str, Any]:
    """Return a grid as plain JSON types."""
    return {"shape": list(grid.shape), "affine": grid.affine.tolist()}


def grid_from_json(found: Mapping[str, Any]) -> Grid:
    """Read back a grid."""
    x, y, z = found["shape"]
    return Grid((x, y, z), np.array(found["affine"], dtype=float))


def frame_to_json(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a table as plain JSON types, every digit kept (what pandas writes is rounded)."""
    types = {str(name): str(frame[name].dtype) for name in frame.columns}
    return {"types": types, "columns": {name: frame[name].tolist() for name in types}}


def frame_from_json(found: Mapping[str, Any]) -> pd.DataFrame:
    """Read back a table."""
    columns = {name: pd.Series(found["columns"][name], dtype=kind) for name, kind in found["types"].items()}
    return pd.DataFrame(columns, columns=list(columns))
