"""The volumes themselves: all sessions beside each other, to scroll through and to zoom into, without any network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from hlhneuro.errors import NotAssessable
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.series import AlignedSeries
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions.change import IntervalChange
from hlhneuro.report.embedded import embedded_bytes, niivue, packed_labels, packed_text, packed_volume
from hlhneuro.report.figures.sheet import View
from hlhneuro.report.figures.slices import FOLLOWED
from hlhneuro.report.figures.style import CHANGE_COLOURS, COLOURS, GREYS
from hlhneuro.report.gallery import Gallery, Script
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.lesions import why_not
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.tables.build import lesions_of
from hlhneuro.report.words import session_title
from hlhneuro.settings import ReportSettings

__all__ = ["facts", "pictures"]

# After the contrast that sessions are followed on: where lesions enhance, then what is left.
_NEXT = ("ce-gadolinium_T1w", *FOLLOWED, "ADC", "SWI")
_FEW = 2
_NORMALISED, _AS_MEASURED = "times normal white matter", "as in the map"
_MB = 1e6
_LETTERS_MM = 8.0  # black around the brain, where niivue writes the sides
_AS_IT_LIES = AffineTransform(np.eye(4))
_LESION = COLOURS["vermillion"]


@dataclass(frozen=True)
class _Frame:
    """The grid that a page carries: around the brain, in the axes of the subject's grid, and what of it is shown."""

    grid: Grid
    inside: NDArray[np.bool_]
    nearest: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, aligned: AlignedSeries, view: View, voxel_mm: float, margin_mm: float) -> _Frame:
        edge, source = max(voxel_mm, view.voxel_mm), aligned.grid
        step, reach = edge / view.voxel_mm, (margin_mm + _LETTERS_MM) / view.voxel_mm
        low = view.first - reach
        x, y, z = (int(n) for n in np.ceil((view.last + reach - low) / step) + 1)
        affine = source.affine.copy()
        affine[:3, 3] += source.affine[:3, :3] @ low
        affine[:3, :3] *= step
        nearest = tuple(
            np.clip(np.rint(start + step * np.arange(n)), 0, size - 1).astype(int)
            for start, n, size in zip(low, (x, y, z), source.shape, strict=True)
        )
        grid = Grid((x, y, z), affine)
        brain = resample(view.brain, source, grid, _AS_IT_LIES, "linear") > 0.5
        return cls(grid, ndi.binary_dilation(brain, iterations=max(round(margin_mm / edge), 1)), nearest)

    @property
    def voxel_mm(self) -> float:
        return self.grid.voxel_size_mm[0]

    def volume(self, data: NDArray[Any], source: Grid, window: tuple[float, float]) -> str:
        values = resample(data, source, self.grid, _AS_IT_LIES, "linear")
        return packed_volume(values, self.inside, self.grid, window)

    def labels(self, data: NDArray[Any]) -> str:
        return packed_labels(np.where(self.inside, data[np.ix_(*self.nearest)], 0), self.grid)


def facts(results: SubjectResults) -> Row | None:
    """Return what the viewer holds: sessions, contrasts and their windows, voxel size, places to go to."""
    aligned, settings = results.aligned, results.settings.report
    if aligned is None or not aligned.sessions:
        return None
    try:
        view = View.of(aligned)
    except NotAssessable as error:
        return {"reason": error.problem}
    if not niivue():
        return {"reason": "this version of nilearn does not bring niivue, which draws it; 0.14 does"}
    shared = _contrasts(aligned)
    fit = _fit(aligned, view, shared, settings)
    if fit is None:
        return {"reason": f"the volumes of {len(aligned.sessions)} sessions would make the page too large"}
    voxel_mm, count = fit
    return {
        "reason": "",
        "voxel_mm": voxel_mm,
        "margin_mm": settings.viewer_margin_mm,
        "greys": GREYS,
        "panes": min(len(aligned.sessions), settings.viewer_panes),
        "contrasts": [_window(results, view, name) for name in list(shared)[:count]],
        "left_out": list(shared)[count:],
        "sessions": [_session(results, session.label) for session in aligned.sessions],
        "places": [*_places(results), _middle(view)],
    }


def _contrasts(aligned: AlignedSeries) -> dict[str, int]:
    """Return what sessions have in common and how many have it: first what all of them are followed on."""
    counts = Counter(name for session in aligned.sessions for name in session.volumes)
    most = max(counts.values())
    found = sorted(name for name, count in counts.items() if count >= min(_FEW, most))
    first = [name for name in FOLLOWED if counts[name] == most][:1]
    order = list(dict.fromkeys([*first, *_NEXT, *found]))
    return {name: counts[name] for name in order if name in found}


def _fit(
    aligned: AlignedSeries, view: View, contrasts: Mapping[str, int], settings: ReportSettings
) -> tuple[float, int] | None:
    """Return the finest voxels, and how many contrasts of them, that the viewer's share of a page takes."""
    budget = settings.viewer_max_mb * _MB - len(packed_text(niivue()))
    held, sessions = list(contrasts.values()), len(aligned.sessions)
    for size in settings.viewer_voxel_mm:
        frame = _Frame.of(aligned, view, size, settings.viewer_margin_mm)
        inside = int(frame.inside.sum())
        fewest = 1 if size == settings.viewer_voxel_mm[-1] else min(_FEW, len(held))
        for count in range(len(held), fewest - 1, -1):
            if embedded_bytes(inside, frame.grid, sum(held[:count]), 2 * sessions) <= budget:
                return frame.voxel_mm, count
    return None


def _window(results: SubjectResults, view: View, name: str) -> Row:
    sessions = results.aligned.sessions if results.aligned else ()
    dark, bright = view.window(*(session.volumes[name] for session in sessions if name in session.volumes))
    quantitative = name in results.settings.prepare.quantitative
    return {"name": name, "black_at": dark, "white_at": bright, "unit": _AS_MEASURED if quantitative else _NORMALISED}


def _session(results: SubjectResults, label: str) -> Row:
    interval = _interval_to(results, label)
    lesions = results.lesions.session(label) if results.lesions else None
    if interval:
        why = why_not(results, interval)
    else:
        why = "there is no earlier session" if lesions else "lesions are not assessable"
    return {
        "label": label,
        "title": session_title(results, label),
        "lesions": lesions is not None,
        "since": interval.before if interval and not why else "",
        "no_change": why,
    }


def _interval_to(results: SubjectResults, label: str) -> IntervalChange | None:
    intervals = results.change.intervals if results.change else ()
    return next((interval for interval in intervals if interval.after == label), None)


def _places(results: SubjectResults) -> list[Row]:
    """Return where the largest lesions are, each where it is largest."""
    table = lesions_of(results)
    if table.empty or results.change is None or results.aligned is None:
        return []
    largest = table.sort_values("volume_ml", ascending=False, kind="stable").drop_duplicates("lesion")
    rows: list[Row] = []
    for row in largest.head(results.settings.report.lesions_listed).to_dict(orient="records"):
        place = " ".join(str(row[part]) for part in ("side", "territory") if isinstance(row[part], str))
        identity = results.change.identities.get(str(row["session"]))
        centre = np.array([float(row[f"{axis}_mm"]) for axis in "xyz"])
        if identity is not None:
            centre = _nearest(np.argwhere(identity == int(row["lesion"])), results.aligned.grid, centre)
        rows.append({"lesion": int(row["lesion"]), "place": place} | _at(centre))
    return rows


def _nearest(voxels: NDArray[np.int64], grid: Grid, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the voxel next to the centre of a lesion: of one like a crescent, the centre itself lies outside."""
    points = voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    nearest: NDArray[np.float64] = points[np.linalg.norm(points - centre, axis=1).argmin()] if len(points) else centre
    return nearest


def _at(point: NDArray[np.float64]) -> Row:
    return {f"{axis}_mm": float(value) for axis, value in zip("xyz", point, strict=True)}


def _middle(view: View) -> Row:
    centre = view.affine[:3, :3] @ ((view.first + view.last) / 2) + view.affine[:3, 3]
    return {"lesion": None, "place": "middle of the brain"} | _at(centre)


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Pack the volumes, and hand the page the scripts that show them."""
    aligned = results.aligned
    if facts["reason"] or aligned is None:
        return {"reason": facts["reason"]}
    if not gallery.volumes:
        return {"reason": "with its volumes the page would become too large"}
    blocks, data = gallery.once("viewer", lambda: _packed(results, aligned, facts))
    script = files("hlhneuro.report").joinpath("templates/viewer.js").read_text(encoding="utf-8").strip()
    gallery.scripts += [Script(script), Script(niivue(), inline=False)]
    return {"reason": "", "blocks": blocks, "data": data, "colours": {"lesion": _LESION} | CHANGE_COLOURS}


def _packed(results: SubjectResults, aligned: AlignedSeries, facts: Mapping[str, Any]) -> tuple[dict[str, str], Row]:
    """Return everything that is embedded, each under the name of its element, and what the script has to know of it."""
    frame = _Frame.of(aligned, View.of(aligned), facts["voxel_mm"], facts["margin_mm"])
    blocks = {"viewer-library": packed_text(niivue())}
    sessions: list[Row] = []

    def keep(kind: str, text: str) -> str:
        name = f"viewer-{len(sessions)}-{kind}"
        blocks[name] = text
        return name

    for session, told in zip(aligned.sessions, facts["sessions"], strict=True):
        images: list[str | None] = []
        for contrast in facts["contrasts"]:
            volume, window = session.volumes.get(contrast["name"]), (contrast["black_at"], contrast["white_at"])
            packed = None if volume is None else frame.volume(volume.data, aligned.grid, window)
            images.append(packed and keep(f"image-{len(images)}", packed))
        lesions = results.lesions.session(session.label) if results.lesions else None
        interval = _interval_to(results, session.label) if told["since"] else None
        sessions.append(
            {
                "images": images,
                "lesions": keep("lesions", frame.labels(lesions.mask)) if lesions else None,
                "changes": keep("changes", frame.labels(interval.codes)) if interval else None,
                "why": told["no_change"],
            }
        )
    low, high = (frame.grid.affine @ (*corner, 1) for corner in ((0, 0, 0), np.array(frame.grid.shape) - 1))
    data = {"library": "viewer-library", "sessions": sessions, "kinds": list(CHANGE_COLOURS)}
    data |= {"low_mm": low[:3].tolist(), "high_mm": high[:3].tolist()}
    data["colours"] = [[_LESION], list(CHANGE_COLOURS.values())]
    return blocks, data | {name: facts[name] for name in ("contrasts", "greys", "places", "voxel_mm")}
