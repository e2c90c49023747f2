"""Arrays, grids and tables as plain types that files hold, and back without loss."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import Enum
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.volumes import Grid

__all__ = [
    "as_u8",
    "frame_from_json",
    "frame_to_json",
    "grid_from_json",
    "grid_to_json",
    "read_image",
    "record_from_json",
]

T = TypeVar("T")


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


def record_from_json(kind: type[T], found: Mapping[str, Any]) -> T:
    """Read back a dataclass, and those inside it, from the plain JSON types that `hlhneuro.study.write_json` makes.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is no such record.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _typed(hints[name], value) for name, value in found.items()})


def _typed(hint: Any, value: Any) -> Any:
    """Return a plain value as the type that the record declares."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        known = [part for part in parts if part is not NoneType]
        return _typed(known[0], value) if value is not None and len(known) == 1 else value
    if origin is tuple:
        return tuple(_typed(parts[0], item) for item in value)
    if origin in (Mapping, dict):
        return {key: _typed(parts[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return record_from_json(hint, value)
    if hint is dt.date:
        return dt.date.fromisoformat(value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, Enum | PurePath) else value
