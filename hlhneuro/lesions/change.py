"""What came, went and stayed between sessions, in voxels and millilitres, and what that makes of each lesion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.imaging.resampling import resample, resample_mask
from hlhneuro.imaging.transforms import Transform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions.inventory import errors_of, lesion_table
from hlhneuro.lesions.series import LesionSeries, SessionLesions
from hlhneuro.lesions.territories import territory_load
from hlhneuro.lesions.tracking import track_lesions
from hlhneuro.settings import ChangeSettings, LesionSettings

__all__ = ["ChangeCode", "IntervalChange", "LesionChange", "carried_codes", "change_codes", "measure_change"]

TERRITORY_COLUMNS = (
    "session", "territory", "side", "territory_ml", "load_ml", "load_fraction", "lesions", "affected",
)  # fmt: skip


class ChangeCode(IntEnum):
    """Codes of the change map, against the session before."""

    NEW = 1
    ENLARGED = 2
    STABLE = 3
    SHRUNK = 4
    RESOLVED = 5


@dataclass(frozen=True)
class IntervalChange:
    """Change from one session to a later one.

    Parameters
    ----------
    before, after : str
        Session labels.
    codes : uint8 array on the subject grid
        `ChangeCode`, 0 elsewhere.
    new_ml, enlarged_ml, stable_ml, shrunk_ml, resolved_ml : float
    net_ml, net_sd_ml : float
        Change of the lesion load and its standard uncertainty.
    smallest_real_change_ml : float
        1.96 standard uncertainties: a net change inside it is "within error".
    """

    before: str
    after: str
    codes: NDArray[np.uint8]
    new_ml: float
    enlarged_ml: float
    stable_ml: float
    shrunk_ml: float
    resolved_ml: float
    net_ml: float
    net_sd_ml: float
    smallest_real_change_ml: float


@dataclass(frozen=True)
class LesionChange:
    """Change over all sessions.

    Parameters
    ----------
    intervals : tuple of IntervalChange
        Between consecutive sessions in which lesions could be assessed.
    identities : mapping of session label to int32 array
        Lesion identity per voxel on the subject grid, the same number for the same lesion at every session.
    lesions : DataFrame
        One row per lesion and session: ``lesion, session, territory, side, volume_ml, volume_sd_ml``; ``change_ml,
        change_sd_ml, smallest_real_change_ml`` since the session before (NaN at the first); ``status`` (see
        `hlhneuro.lesions.tracking.lesion_status`); ``parts`` (separate pieces); ``x_mm, y_mm, z_mm`` (centroid in
        subject space, RAS+). A lesion has no row at a session at which it is not there, but for the one at which it
        had resolved.
    territories : DataFrame
        One row per session and territory: ``session, territory, side, territory_ml, load_ml, load_fraction,
        lesions, affected``.
    first_to_last : IntervalChange or None
        From the first to the last of these sessions, by the same rule; None below three sessions.
    """

    intervals: tuple[IntervalChange, ...]
    identities: dict[str, NDArray[np.int32]]
    lesions: pd.DataFrame
    territories: pd.DataFrame
    first_to_last: IntervalChange | None = None

    @property
    def compared(self) -> tuple[IntervalChange, ...]:
        """The intervals, and after them the whole course if there is more than one."""
        return self.intervals if self.first_to_last is None else (*self.intervals, self.first_to_last)


def measure_change(
    series: AlignedSeries,
    lesions: LesionSeries,
    settings: ChangeSettings,
    lesion_settings: LesionSettings | None = None,
) -> LesionChange:
    """Measure change between consecutive sessions and from first to last, track lesions and sum load by territory.

    Parameters
    ----------
    series : AlignedSeries
    lesions : LesionSeries
    settings : ChangeSettings
    lesion_settings : LesionSettings, optional
        Those that the lesions were segmented with: they say how far a border may be off.

    Notes
    -----
    The masks of `segment_lesions` differ between sessions only where the images differ beyond noise, so the codes are
    what the masks say: masks, codes and lesion table cannot contradict each other. Exchanging two sessions exchanges
    new with resolved and enlarged with shrunk, and nothing else.
    """
    sessions = lesions.sessions
    tracks = track_lesions([session.mask for session in sessions])
    voxel_ml = lesions.grid.voxel_volume_ml
    errors = errors_of(series, lesions, tracks, lesion_settings or LesionSettings())

    def between(i: int, j: int) -> IntervalChange:
        codes = change_codes(tracks.identities[i], tracks.identities[j])
        return _interval((sessions[i], sessions[j]), codes, errors[j].net_sd_ml(errors[i]), voxel_ml, settings)

    last = len(sessions) - 1
    intervals = tuple(between(i, i + 1) for i in range(last))
    identities = {s.label: image for s, image in zip(sessions, tracks.identities, strict=True)}
    loads = []
    for session in sessions:
        table = territory_load(lesions.territories, identities[session.label], voxel_ml, settings.affected_ml)
        table.insert(0, "session", session.label)
        loads.append(table)
    by_territory = pd.concat(loads, ignore_index=True) if loads else pd.DataFrame(columns=list(TERRITORY_COLUMNS))
    return LesionChange(
        intervals,
        identities,
        lesion_table(lesions, tracks, errors, settings),
        by_territory,
        between(0, last) if last > 1 else None,
    )


def change_codes(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Code each voxel of two identity maps with `ChangeCode`."""
    size = int(max(before.max(initial=0), after.max(initial=0))) + 1
    was = np.bincount(before.ravel(), minlength=size) > 0
    is_now = np.bincount(after.ravel(), minlength=size) > 0
    codes = np.zeros(before.shape, np.uint8)
    codes[(before > 0) & (after > 0)] = ChangeCode.STABLE
    gained, lost = (after > 0) & (before == 0), (before > 0) & (after == 0)
    codes[gained] = np.where(was[after[gained]], ChangeCode.ENLARGED, ChangeCode.NEW)
    codes[lost] = np.where(is_now[before[lost]], ChangeCode.SHRUNK, ChangeCode.RESOLVED)
    return codes


def carried_codes(codes: NDArray[np.uint8], source: Grid, target: Grid, transform: Transform) -> NDArray[np.uint8]:
    """Carry a change map to another grid, in agreement with the masks of both sessions carried there.

    A thin layer of growth beside a lesion, neither of which fills half of a thick voxel, would be lost if each code had
    to win the voxel by itself.

    Parameters
    ----------
    codes : uint8 array
        `ChangeCode` on `source`.
    source, target : Grid
    transform : Transform
        Maps points of the target's space to points of the source's space (mm).
    """
    gained, lost = (ChangeCode.NEW, ChangeCode.ENLARGED), (ChangeCode.SHRUNK, ChangeCode.RESOLVED)
    after = resample_mask(np.isin(codes, (*gained, ChangeCode.STABLE)), source, target, transform)
    before = resample_mask(np.isin(codes, (*lost, ChangeCode.STABLE)), source, target, transform)
    carried = np.zeros(target.shape, np.uint8)
    carried[before & after] = ChangeCode.STABLE
    for here, (first, second) in ((after & ~before, gained), (before & ~after, lost)):
        either = [
            resample((codes == code).astype(np.float32), source, target, transform, "linear")[here]
            for code in (first, second)
        ]
        carried[here] = np.where(either[0] > either[1], first, second)
    return carried


def _interval(
    pair: tuple[SessionLesions, SessionLesions],
    codes: NDArray[np.uint8],
    net_sd_ml: float,
    voxel_ml: float,
    settings: ChangeSettings,
) -> IntervalChange:
    before, after = pair
    ml = {code: float((codes == code).sum() * voxel_ml) for code in ChangeCode}
    return IntervalChange(
        before=before.label,
        after=after.label,
        codes=codes,
        new_ml=ml[ChangeCode.NEW],
        enlarged_ml=ml[ChangeCode.ENLARGED],
        stable_ml=ml[ChangeCode.STABLE],
        shrunk_ml=ml[ChangeCode.SHRUNK],
        resolved_ml=ml[ChangeCode.RESOLVED],
        net_ml=after.volume_ml - before.volume_ml,
        net_sd_ml=net_sd_ml,
        smallest_real_change_ml=settings.coverage_factor * net_sd_ml,
    )
