"""What is found of known lesions, how well they are measured, and how true the stated errors are.

`pytest -m benchmark tests/benchmarks/test_bench_lesions.py -s` prints the tables and draws docs/images/detection.png
and docs/images/reliability.png. Whole brains of 1 mm, scanned with slices of 1 and 4 mm (tests/lesions/known.py).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlhneuro.lesions import measure_change, segment_lesions
from hlhneuro.report import figures
from hlhneuro.settings import ChangeSettings, LesionSettings
from tests.lesions import synthetic
from tests.lesions.known import draw_lesions, known_series
from tests.lesions.matching import calibration, coverage, false_positives, lesion_rows

pytestmark = pytest.mark.benchmark
IMAGES = Path(__file__).parents[2] / "docs" / "images"
SLICES_MM = (1.0, 4.0)
HEADS, PAIRS = range(4), range(2)  # seeds
# Factors of the volume at two sessions: unchanged, grown, shrunk, slightly grown, new, gone.
COURSES = ((1.0, 1.0), (1.0, 1.5), (1.5, 1.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.15))


def run(known):
    aligned = known.series
    lesions = segment_lesions(aligned, LesionSettings(), {s.label: 6.0 for s in aligned.sessions})
    return lesions, measure_change(aligned, lesions, ChangeSettings())


def measured(seeds, courses):
    """Measure all series: lesions, sessions, calibration."""
    found, loads, bins = [], [], []
    for seed in seeds:
        drawn = draw_lesions(seed, courses=courses)
        for slice_mm in SLICES_MM:
            known = known_series(drawn, seed, slice_mm=slice_mm)
            lesions, change = run(known)
            names = {"seed": seed, "slice_mm": slice_mm}
            rows = lesion_rows(known, change)
            found.append(rows.assign(**names))
            bins.append(calibration(known, lesions).assign(**names))
            wrong = false_positives(known, change)
            for i, session in enumerate(lesions.sessions):
                seen = rows[(rows["session"] == i) & rows["found"]]
                net = change.intervals[i - 1] if i else None
                loads.append(
                    names
                    | {"session": i, "false": wrong[i], "ml": session.volume_ml, "sd": session.volume_sd_ml}
                    | {"true": known.volume_ml(i), "true_of_found": seen["true_ml"].sum()}
                    | ({"net": net.net_ml, "net_sd": net.net_sd_ml} if net else {})
                )
    return pd.concat(found), pd.DataFrame(loads), pd.concat(bins)


@pytest.fixture(scope="module")
def single():
    return measured(HEADS, ((1.0,),))


@pytest.fixture(scope="module")
def pairs():
    return measured(PAIRS, COURSES)


def table(rows, value, how):
    wide = rows.pivot_table(index=["slice_mm", "contrast"], columns="drawn_ml", values=value, aggfunc=how)
    return wide.to_string(float_format="{:.2f}".format)


def test_detection(single):
    rows, loads, _ = single
    rows = rows.assign(found=rows["found"].astype(float))
    print(f"\npart found, by true volume (ml), slices (mm) and FLAIR contrast\n{table(rows, 'found', 'mean')}")
    groups = rows.pivot_table(index="group", columns="contrast", values="found")
    print(f"\npart found, by group of territories and contrast\n{groups.to_string(float_format='{:.2f}'.format)}")
    print(f"\nfalse lesions per session: {loads['false'].mean():.2f} ({len(loads)} sessions)")
    seen = rows.rename(columns={"true_ml": "exact_ml", "drawn_ml": "volume_ml"}).assign(found=rows["found"] > 0)
    picture = figures.png_bytes(figures.detection_curves(seen), dpi=110)
    (IMAGES / "detection.png").write_bytes(picture)
    assert len(picture) < 150_000
    assert loads["false"].mean() < 1
    assert rows.loc[(rows["contrast"] == 0.5) & (rows["drawn_ml"] >= 0.3), "found"].mean() > 0.95


def test_volume_bias_and_coverage_of_its_error(single):
    rows, loads, _ = single
    rows = rows.assign(ratio=rows["measured_ml"] / rows["true_ml"], error=rows["measured_ml"] - rows["true_ml"])
    for how, name in (("median", "median"), ("std", "spread")):
        print(f"\nmeasured over true volume, {name}, by true volume (ml)\n{table(rows, 'ratio', how)}")
    for (slice_mm, contrast), own in rows.groupby(["slice_mm", "contrast"]):
        print(f"slices {slice_mm:.0f} mm, contrast +{contrast:g}: 95 % interval holds {coverage(own.error, own.sd_ml)}")
    print(f"volume of one lesion, all: {coverage(rows['error'], rows['sd_ml'])}")
    large = rows[rows["drawn_ml"] >= 0.3]
    print(f"volume of one lesion of 0.3 ml or more: {coverage(large['error'], large['sd_ml'])}")
    print(f"load, of what was found: {coverage(loads['ml'] - loads['true_of_found'], loads['sd'])}")
    print(f"load, with what was missed: {coverage(loads['ml'] - loads['true'], loads['sd'])}")
    print(f"load over truth of what was found: {(loads['ml'] / loads['true_of_found']).mean():.3f}")
    assert len(rows) > 100


def test_change_and_coverage_of_its_error(pairs):
    rows, loads, _ = pairs
    after = rows[(rows["session"] == 1) & rows["change_ml"].notna()]
    error = after["change_ml"] - after["true_change_ml"]
    print(f"\nchange of one lesion: {coverage(error, after['change_sd_ml'])}")
    for (slice_mm, contrast), own in after.groupby(["slice_mm", "contrast"]):
        told = coverage(own["change_ml"] - own["true_change_ml"], own["change_sd_ml"])
        print(f"slices {slice_mm:.0f} mm, contrast +{contrast:g}: {told}")
    kind = np.select(
        [after["true_ml"] == 0, after["true_ml"] == after["true_change_ml"], after["true_change_ml"].abs() < 1e-9],
        ["gone", "new", "unchanged"],
        np.where(after["true_change_ml"] > 0, "grown", "shrunk"),
    )
    print(pd.crosstab(pd.Series(kind, name="truth"), pd.Series(after["status"].to_numpy(), name="told")).to_string())
    net = loads[loads["session"] == 1]
    before = loads[loads["session"] == 0]
    true = net["true"].to_numpy() - before["true"].to_numpy()
    print(f"change of the load: {coverage(net['net'] - true, net['net_sd'])}")
    print(f"false lesions per session: {loads['false'].mean():.2f}")
    assert len(after) > 20


def test_reliability_of_the_probability(single, pairs):
    bins = pd.concat((single[2], pairs[2])).groupby(["slice_mm", "bin"], as_index=False).sum()
    bins = bins[bins["voxels"] >= 50]
    drawn = bins.assign(predicted=bins["stated"] / bins["voxels"], observed=bins["true"] / bins["voxels"])
    columns = ["slice_mm", "predicted", "observed", "voxels"]
    print("\n" + drawn[columns].to_string(index=False, float_format="{:.3f}".format))
    picture = figures.png_bytes(figures.reliability(drawn[columns]), dpi=110)
    (IMAGES / "reliability.png").write_bytes(picture)
    assert len(picture) < 150_000


def test_seconds_and_symmetry():
    places = [(sign * x, y, z) for sign in (-1, 1) for x, y, z in ((28, 10, 26), (28, -14, 30), (26, -48, 26))]
    one = synthetic.session("01", [(p, 5.0) for p in places[:4]], 1)
    two = synthetic.session("02", [(p, 5.0) for p in places[2:]], 2)
    codes, seconds = [], []
    for pair in ((one, two), (two, one)):
        start = time.perf_counter()
        series = synthetic.series(*pair)
        lesions = segment_lesions(series, LesionSettings(), {"01": 6.0, "02": 6.0})
        codes.append(measure_change(series, lesions, ChangeSettings()).intervals[0].codes)
        seconds.append(time.perf_counter() - start)
    unlike = int((codes[0] != np.array([0, 5, 4, 3, 2, 1], np.uint8)[codes[1]]).sum())
    print(f"\ntwo sessions at 2 mm: {min(seconds):.1f} s; voxels whose code is not mirrored by a swap: {unlike}")
    assert unlike == 0
