"""Change of brain and ventricle volume between sessions, with its error, and what of it growth would explain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession, BoolImage
from hlhneuro.imaging.volumes import FloatImage, Volume
from hlhneuro.lesions.boundary import BorderShift, border_shifts
from hlhneuro.lesions.growth import expected_growth
from hlhneuro.lesions.series import LesionSeries
from hlhneuro.lesions.visits import CONTRAST, Visit, comparable, steroids_between
from hlhneuro.settings import VolumeSettings

__all__ = ["STRUCTURES", "StructureChange", "VolumeChange", "VolumeInterval", "measure_volumes"]

STRUCTURES = ("brain", "ventricles")


@dataclass(frozen=True)
class StructureChange:
    """Change of one structure over one interval.

    Parameters
    ----------
    structure : str
        ``brain`` (parenchyma) or ``ventricles``.
    volume_ml : float
        Mean of both sessions; no volumetry, only what the change refers to.
    change_ml, change_sd_ml : float
    log_change, log_change_sd : float
        Change of the natural logarithm of the volume; exchanging the sessions turns its sign, bit for bit.
    gap_ml, level_gap_ml : float
        How far the two directions, and the two halves of the border's step, disagree: parts of the error.
    expected_log_change, expected_log_change_sd : float or None
        Of a healthy person of that age; None where that is not known.
    expected_source : str
    """

    structure: str
    volume_ml: float
    change_ml: float
    change_sd_ml: float
    log_change: float
    log_change_sd: float
    gap_ml: float
    level_gap_ml: float
    expected_log_change: float | None = None
    expected_log_change_sd: float | None = None
    expected_source: str = ""

    @property
    def change_percent(self) -> float:
        """Of the volume at the first session."""
        return 100 * math.expm1(self.log_change)

    @property
    def excess_log_change(self) -> float | None:
        """What growth does not explain; None where expected growth is not known."""
        return None if self.expected_log_change is None else self.log_change - self.expected_log_change

    @property
    def excess_log_change_sd(self) -> float | None:
        """Standard uncertainty of the excess."""
        if self.expected_log_change_sd is None:
            return None
        return math.hypot(self.log_change_sd, self.expected_log_change_sd)


@dataclass(frozen=True)
class VolumeInterval:
    """Volume change from one session to another.

    Parameters
    ----------
    before, after : str
        Session labels.
    changes : tuple of StructureChange
        Empty if nothing could be measured.
    reason : str
        Why not, and what would supply it.
    doubt : str
        What is not known although it matters.
    steroids : bool or None
        Whether steroids may have moved the volumes; None if that cannot be said.
    steroid_reason : str
    whole : bool
        First to last session of more than two.
    """

    before: str
    after: str
    changes: tuple[StructureChange, ...]
    reason: str = ""
    doubt: str = ""
    steroids: bool | None = None
    steroid_reason: str = ""
    whole: bool = False

    def change(self, structure: str) -> StructureChange | None:
        """Return the change of that structure, or None."""
        return next((change for change in self.changes if change.structure == structure), None)


@dataclass(frozen=True)
class VolumeChange:
    """Volume change of all intervals.

    Parameters
    ----------
    intervals : tuple of VolumeInterval
        Consecutive sessions, then first to last if there are more than two.
    closing_log_change : mapping of str to float
        By how much first to last differs from the sum of the steps, for structures measured in all of them.
    coverage_factor : float
        Standard uncertainties within which a change is "within error".
    """

    intervals: tuple[VolumeInterval, ...]
    closing_log_change: Mapping[str, float]
    coverage_factor: float

    @property
    def measured(self) -> bool:
        """Whether anything was measured."""
        return any(interval.changes for interval in self.intervals)


def measure_volumes(
    series: AlignedSeries,
    lesions: LesionSeries | None,
    settings: VolumeSettings,
    visits: Mapping[str, Visit] | None = None,
) -> VolumeChange:
    """Measure the change of brain and ventricle volume between consecutive sessions, and from first to last.

    Parameters
    ----------
    series : AlignedSeries
        Both T1w lie half-way, each resampled once.
    lesions : LesionSeries, optional
        Lesions of either session are left out: tissue that turns dark or bright is no change of volume. The border of
        brain and ventricles is not measured where it runs along a lesion.
    settings : VolumeSettings
    visits : mapping of session label to Visit, optional
        Age, scanner, protocol and steroids. Without ages no growth is subtracted.

    Returns
    -------
    VolumeChange
        An interval that cannot be measured says why, and what would supply it.
    """
    sessions = series.sessions
    pairs = list(pairwise(sessions))
    if len(sessions) > 2:
        pairs.append((sessions[0], sessions[-1]))
    found = tuple(
        _interval(series, lesions, pair, settings, visits or {}, whole=n >= len(sessions) - 1)
        for n, pair in enumerate(pairs)
    )
    return VolumeChange(found, _closing(found), settings.coverage_factor)


def _interval(
    series: AlignedSeries,
    lesions: LesionSeries | None,
    pair: tuple[AlignedSession, AlignedSession],
    settings: VolumeSettings,
    visits: Mapping[str, Visit],
    *,
    whole: bool,
) -> VolumeInterval:
    known = tuple(visits.get(session.label, Visit()) for session in pair)
    steroids, why = steroids_between(known[0], known[1])
    refused, doubt = comparable(known[0], known[1], settings.protocol_tolerance)
    refused = _unfit(series, pair, settings) or refused
    changes: tuple[StructureChange, ...] = ()
    if not refused:
        ignored = np.zeros(series.grid.shape, dtype=bool)
        for session in pair:
            mine = lesions.session(session.label) if lesions else None
            if mine is not None:
                ignored |= mine.mask
        try:
            images = [_without_offset(session.volumes[CONTRAST]) for session in pair]
            shifts = border_shifts(images[0], images[1], _seen(series, pair), ignored, series.grid, settings)
        except NotAssessable as error:
            refused = str(error)
        else:
            changes = tuple(
                _change(name, shifts[name], (known[0].age_years, known[1].age_years), settings)
                for name in STRUCTURES
                if name in shifts
            )
    return VolumeInterval(pair[0].label, pair[1].label, changes, refused, doubt, steroids, why, whole)


def _seen(series: AlignedSeries, pair: tuple[AlignedSession, AlignedSession]) -> BoolImage:
    seen: BoolImage = series.brain_mask & pair[0].coverage[CONTRAST] & pair[1].coverage[CONTRAST]
    return seen


def _unfit(series: AlignedSeries, pair: tuple[AlignedSession, AlignedSession], settings: VolumeSettings) -> str:
    """Return why the images of two sessions cannot tell volume change; empty if they can."""
    limit = settings.largest_voxel_mm
    wanted = f"needs a 3-D T1w with voxel edges of at most {limit:g} mm at both sessions"
    for session in pair:
        if CONTRAST not in session.volumes:
            return f"ses-{session.label} has no T1w without contrast agent; {wanted}"
        edge = max(session.native_grids[CONTRAST].voxel_size_mm)
        if edge > limit:
            return f"the T1w of ses-{session.label} has voxel edges of up to {edge:.2g} mm; {wanted}"
    edges = [session.native_grids[CONTRAST].voxel_size_mm for session in pair]
    for here, there in zip(sorted(edges[0]), sorted(edges[1]), strict=True):
        if abs(here - there) > settings.protocol_tolerance * max(here, there):
            return f"the two T1w have unlike voxels ({here:.2f} and {there:.2f} mm); needs the same protocol"
    brain = series.brain_mask
    if not brain.any() or float(_seen(series, pair).sum()) < settings.least_coverage * float(brain.sum()):
        return "one of the two T1w does not show the whole brain; needs a T1w of the whole brain at both sessions"
    return ""


def _without_offset(volume: Volume) -> FloatImage:
    """Undo the additive part of the common scale: fitted to tissue, it would move the border's own brightness."""
    data = volume.data
    for step in volume.steps:
        if step.name == "normalise" and "intercept" in step.parameters:
            p = step.parameters
            data = (data * p.get("then_divided_by", 1.0) - p["intercept"]) / p["slope"]
    image: FloatImage = np.asarray(data, dtype=np.float32)
    return image


def _change(
    name: str, shift: BorderShift, ages: tuple[float | None, float | None], settings: VolumeSettings
) -> StructureChange:
    half = min(abs(shift.change_ml) / 2, 0.45 * shift.volume_ml) * math.copysign(1, shift.change_ml)
    log_change = math.log(shift.volume_ml + half) - math.log(shift.volume_ml - half)
    retest = settings.brain_retest_percent if name == "brain" else settings.ventricle_retest_percent
    # The gaps are differences of two estimates of which the mean is taken: half of each is its error.
    parts = (
        retest / 100,
        shift.gap_ml / shift.volume_ml / 2,
        shift.level_gap_ml / shift.volume_ml / 2,
        settings.recovery_error * log_change,
    )
    sd = math.hypot(*parts)
    growth = expected_growth(name, *ages)
    return StructureChange(
        structure=name,
        volume_ml=shift.volume_ml,
        change_ml=shift.change_ml,
        change_sd_ml=sd * shift.volume_ml,
        log_change=log_change,
        log_change_sd=sd,
        gap_ml=shift.gap_ml,
        level_gap_ml=shift.level_gap_ml,
        expected_log_change=growth.log_change if growth else None,
        expected_log_change_sd=growth.log_change_sd if growth else None,
        expected_source="; ".join(growth.sources) if growth else "",
    )


def _closing(intervals: tuple[VolumeInterval, ...]) -> dict[str, float]:
    steps = [interval for interval in intervals if not interval.whole]
    whole = next((interval for interval in intervals if interval.whole), None)
    closing = {}
    for name in STRUCTURES if whole else ():
        parts = [interval.change(name) for interval in steps]
        total = whole.change(name) if whole else None
        if total is not None and all(parts):
            closing[name] = total.log_change - math.fsum(part.log_change for part in parts if part is not None)
    return closing
