"""What was measured of lesions that are known: rows for tables of detection, bias and coverage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hlhneuro.lesions import LesionChange, LesionSeries
from tests.lesions.known import KnownSeries

BINS = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0])


def lesion_rows(known: KnownSeries, change: LesionChange) -> pd.DataFrame:
    """Return one row per known lesion and session.

    `alone`: what was found there touches no other known lesion. Errors of pieces of one lesion add up in quadrature.
    `measured_ml, sd_ml` and the same of the change are NaN where nothing was found or it is not alone.
    """
    table = change.lesions.set_index(["session", "lesion"])
    images = list(change.identities.values())
    labels = list(change.identities)
    pairs = np.unique(
        np.concatenate([np.stack((known.identities[i].ravel(), image.ravel())) for i, image in enumerate(images)], 1),
        axis=1,
    )
    pairs = pairs[:, (pairs > 0).all(axis=0)]
    rows = []
    for lesion in known.lesions:
        mine = pairs[1, pairs[0] == lesion.number]
        alone = bool(len(mine)) and set(pairs[0, np.isin(pairs[1], mine)]) == {lesion.number}
        for i, label in enumerate(labels):
            there = known.identities[i] == lesion.number
            row = {
                "lesion": lesion.number,
                "session": i,
                "group": lesion.group,
                "territory": lesion.territory,
                "contrast": lesion.contrast,
                "drawn_ml": lesion.drawn_ml[i],
                "true_ml": lesion.volumes_ml[i],
                "true_change_ml": lesion.volumes_ml[i] - lesion.volumes_ml[i - 1] if i else math.nan,
                "found": bool((images[i][there] > 0).any()),
                "alone": alone,
            }
            own = table.loc[[(label, n) for n in mine if (label, n) in table.index]] if alone else table[:0]
            if len(own):
                row |= {"measured_ml": own["volume_ml"].sum(), "sd_ml": _together(own["volume_sd_ml"])}
                row |= {"change_ml": own["change_ml"].sum(), "change_sd_ml": _together(own["change_sd_ml"])}
                row["status"] = own["status"].iloc[0] if len(own) == 1 else "several"
            rows.append(row)
    return pd.DataFrame(rows)


def _together(sds: pd.Series) -> float:
    return float(np.sqrt((sds**2).sum(skipna=False)))


def false_positives(known: KnownSeries, change: LesionChange) -> list[int]:
    """Return how many of the lesions that were found in each session touch no known one."""
    counts = []
    for image, truth in zip(change.identities.values(), known.identities, strict=True):
        counts.append(len(set(np.unique(image)) - set(np.unique(image[truth > 0])) - {0}))
    return counts


def calibration(known: KnownSeries, lesions: LesionSeries) -> pd.DataFrame:
    """Return for bins of the stated probability the mean stated and the true part of lesion, over all sessions."""
    rows = []
    for session, truth in zip(lesions.sessions, known.identities, strict=True):
        inside = known.series.brain_mask
        stated, true = session.probability[inside], truth[inside] > 0
        place = np.clip(np.digitize(stated, BINS) - 1, 0, len(BINS) - 2)
        for k in range(len(BINS) - 1):
            here = place == k
            rows.append((k, int(here.sum()), float(stated[here].sum()), int(true[here].sum())))
    return pd.DataFrame(rows, columns=["bin", "voxels", "stated", "true"]).groupby("bin", as_index=False).sum()


def coverage(error: pd.Series, sd: pd.Series) -> str:
    """Say how many errors lie within 1.96 stated standard uncertainties, and the median error in such units."""
    z = (error / sd).dropna()
    if not len(z):
        return "none"
    part = float((z.abs() <= 1.96).mean())
    return f"{part:.0%} +- {math.sqrt(part * (1 - part) / len(z)):.0%} of {len(z)} (median {z.median():+.1f} SD)"
