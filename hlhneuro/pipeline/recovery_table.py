"""What came back of lesions that were put in: one row for each, and for what was called new without being one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hlhneuro.imaging import AffineTransform, resample_mask
from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.phantom.recovery import KnownLesion, share_of
from hlhneuro.report import SubjectResults

__all__ = ["RECOVERY_COLUMNS", "compare_runs"]

RECOVERY_COLUMNS: dict[str, tuple[str, str]] = {
    "subject": ("", "Subject label"),
    "session": ("", "Session whose images the lesion was put into: the last that could be used"),
    "place": ("", "Number of the lesion that was put in; empty for one that was called new and is none of them"),
    "x_mm": ("mm", "Centre in subject space of the run with known lesions, positive to the patient's right"),
    "y_mm": ("mm", "The same, positive to the front"),
    "z_mm": ("mm", "The same, positive upwards"),
    "true_ml": ("ml", "Volume that was put in"),
    "contrast": ("", "Brightness on FLAIR above white matter, white matter being 1"),
    "found": ("", "Whether a lesion of the run overlaps it"),
    "status": ("", "What the run calls that lesion: new is right; first where there is only one session"),
    "measured_ml": ("ml", "Volume of that lesion"),
    "measured_sd_ml": ("ml", "Its stated standard uncertainty"),
    "ratio": ("", "Measured over true volume"),
    "within_interval": ("", "Whether the stated 95 % interval holds the true volume"),
}


def compare_runs(
    before: SubjectResults, after: SubjectResults, label: str, session: str, lesions: Sequence[KnownLesion]
) -> list[dict[str, object]]:
    """Return what became of each known lesion, and what was called new without having been put in."""
    images, own = (r.aligned.session(session) if r.aligned is not None else None for r in (after, before))
    if images is None or own is None or after.aligned is None or after.change is None:
        return []
    # The subject space of the second run is its own: the scanner's stands between the two.
    moved = images.to_subject[images.reference].after(own.to_subject[images.reference].inverse())
    points = after.aligned.grid.points_mm()
    found = after.change.lesions
    found = found[found["session"] == session].set_index("lesion")
    identities = after.change.identities[session]
    rows: list[dict[str, object]] = []
    known = np.zeros(identities.shape, dtype=bool)
    for lesion in lesions:
        x, y, z = (float(v) for v in moved.map(np.asarray(lesion.centre_mm)))
        ball = share_of(replace(lesion, centre_mm=(x, y, z)), points) > 0.5
        known |= ball
        names, counts = np.unique(identities[ball & (identities > 0)], return_counts=True)
        rows.append({"place": lesion.number, "x_mm": x, "y_mm": y, "z_mm": z, "true_ml": lesion.volume_ml,
                     "contrast": lesion.contrast, "found": bool(names.size)})  # fmt: skip
        if names.size:
            rows[-1] |= _measured(found.loc[names[np.argmax(counts)]], lesion.volume_ml)
    explained = known | _called_new(before, after, session, moved)
    for name, one in found[found["status"] == "new"].iterrows():
        if not explained[identities == name].any():
            place = {key: one[key] for key in ("x_mm", "y_mm", "z_mm", "status")}
            rows.append(place | {"measured_ml": one["volume_ml"], "measured_sd_ml": one["volume_sd_ml"]})
    return [{"subject": label, "session": session} | row for row in rows]


def _measured(row: pd.Series[Any], true_ml: float) -> dict[str, object]:
    measured, sd = float(row["volume_ml"]), float(row["volume_sd_ml"])
    return {
        "status": row["status"],
        "measured_ml": measured,
        "measured_sd_ml": sd,
        "ratio": measured / true_ml,
        "within_interval": abs(measured - true_ml) <= 1.96 * sd,
    }


def _called_new(before: SubjectResults, after: SubjectResults, session: str, moved: AffineTransform) -> BoolImage:
    """Return, on the grid of the second run, what the first called new at that session already."""
    if before.change is None or before.aligned is None or after.aligned is None:
        raise ValueError("both runs have to be complete")
    table = before.change.lesions
    new = table[(table["session"] == session) & (table["status"] == "new")]["lesion"]
    where = np.isin(before.change.identities[session], new)
    return resample_mask(where, before.aligned.grid, after.aligned.grid, moved.inverse())
