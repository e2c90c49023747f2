"""What is found of known changes, what is called where nothing changed, and how true the error of the net change is.

`pytest -m benchmark tests/benchmarks/test_bench_change.py -s` prints the tables. One session of a real brain (public,
shared; skipped where it is not there) and heads of the phantom are scanned twice: re-sliced by two rigid motions, with
fresh noise and what registration leaves, with lesions that come, go, grow and shrink (tests/lesions/reslicing.py).
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries
from hlhneuro.lesions import measure_change, segment_lesions
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions.known import draw_lesions, known_series
from tests.lesions.reslicing import KINDS, Rescanned, rescan
from tests.lesions.synthetic import dice
from tests.lesions.test_realdata import CASE, one_patient

pytestmark = pytest.mark.benchmark
GREW = ("enlarged", "shrunk")
SWAPPED = np.array([0, 5, 4, 3, 2, 1], np.uint8)


@cache
def source(name: str) -> AlignedSeries:
    if name == "patient":
        if not CASE.exists():
            pytest.skip("scans that are not part of the project are not there")
        return one_patient()[0]
    return known_series(draw_lesions(3), 3).series


def run(series: AlignedSeries):
    lesions = segment_lesions(series, LesionSettings(), {s.label: 35.0 for s in series.sessions})
    return lesions, measure_change(series, lesions, ChangeSettings())


def found_and_false(known: Rescanned, changed: np.ndarray) -> str:
    """Count changed lesions that were touched, by kind, and pieces of change that touch none."""
    told = []
    for kinds in (("new", "resolved"), GREW):
        hits = [bool((changed & place).any()) for k, place in zip(known.kinds, known.places, strict=True) if k in kinds]
        told.append(f"{sum(hits)} of {len(hits)} {'/'.join(kinds)}")
    near = ndimage.binary_dilation(np.abs(known.share[1] - known.share[0]) > 0.1)
    labels, count = ndimage.label(changed, structure=np.ones((3, 3, 3)))
    false = count - len(set(np.unique(labels[near & changed])) - {0})
    return ", ".join([*told, f"{false} false"])


@pytest.mark.parametrize(("seed", "slice_mm"), [(1, 3.0), (2, 4.0)])
@pytest.mark.parametrize("name", ["patient", "phantom"])
def test_known_change(name, seed, slice_mm):
    known = rescan(source(name), seed, slice_mm=slice_mm, kinds=KINDS)
    start = time.perf_counter()
    _, change = run(known.series)
    seconds = time.perf_counter() - start
    interval = change.intervals[0]
    changed = np.isin(interval.codes, (1, 2, 4, 5))
    truth = np.abs(known.share[1] - known.share[0]) > 0.5
    error_sd = (interval.net_ml - known.net_ml) / interval.net_sd_ml
    print(
        f"\n{name} {seed}, {slice_mm:.0f} mm: {found_and_false(known, changed)}, Dice {dice(changed, truth):.3f}, "
        f"changed {changed.sum() / 1000:.2f} of {truth.sum() / 1000:.2f} ml, net {interval.net_ml:+.2f} "
        f"(SD {interval.net_sd_ml:.2f}) of {known.net_ml:+.2f} ml, {error_sd:+.1f} SD; {seconds:.0f} s"
    )
    assert dice(changed, truth) > 0.5


@pytest.mark.parametrize("slice_mm", [1.0, 3.0, 4.0])
@pytest.mark.parametrize("name", ["patient", "phantom"])
def test_no_change_and_order(name, slice_mm):
    known = rescan(source(name), 7, slice_mm=slice_mm, kinds=())
    lesions, change = run(known.series)
    interval = change.intervals[0]
    loads = [session.volume_ml for session in lesions.sessions]
    parts = ", ".join(f"{kind} {getattr(interval, f'{kind}_ml'):.2f}" for kind in ("new", "resolved", *GREW))
    print(f"\n{name}, {slice_mm:.0f} mm, nothing changed: {parts} ml; load {loads[0]:.2f} and {loads[1]:.2f} ml")
    assert interval.new_ml == interval.resolved_ml == 0
    assert abs(loads[1] - loads[0]) <= 0.02 * max(loads)
    turned = AlignedSeries(**{**vars(known.series), "sessions": known.series.sessions[::-1]})
    backward_lesions, backward = run(turned)
    assert np.array_equal(interval.codes, SWAPPED[backward.intervals[0].codes])
    for session in lesions.sessions:
        other = backward_lesions.session(session.label)
        assert np.array_equal(session.mask, other.mask)
        assert np.array_equal(session.probability, other.probability)
