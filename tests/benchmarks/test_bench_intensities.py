"""What one scale over sessions leaves: `pytest -m benchmark tests/benchmarks/test_bench_intensities.py -s`."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi
from scipy.stats import kurtosis

from hlhneuro.imaging import AffineTransform, Grid, align, load_volume, prepare
from hlhneuro.imaging.intensities import harmonise
from hlhneuro.imaging.template import template_maps
from hlhneuro.settings import AlignSettings, PrepareSettings

SHARED = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal"
EDGE_MM = 2.0
NOISE = 0.03
RISE = 0.6
CENTRE_MM = (26.0, -20.0, 26.0)

pytestmark = pytest.mark.benchmark

# What the second session differs in, besides the lesion; gains, offsets and fields are those of the second scanner, the
# first has the inverse field. Fields differ by up to a quarter of the signal between the sides of the head.
CASES = {
    "same scanner": {},
    "gain 2.3, offset 6 %, field": {"gain": 700.0, "offset": 40.0, "bent": True},
    "contrast to the power 1.15": {"power": 1.15},
    "noise three times as high": {"noise": 3 * NOISE},
    "slices of 6 mm": {"slices": 3},
    "smoothed (0.7 voxels)": {"smooth": 0.7},
    "oedema, +.1 in 30 % of white matter": {"oedema": 0.1},
    "atrophy, ventricles 2 mm wider": {"atrophy": True},
}


@pytest.fixture(scope="module")
def brain():
    affine = np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0])
    affine[:3, 3] = (-80, -116, -74)
    grid = Grid((81, 98, 80), affine)
    maps = dict(template_maps(grid, AffineTransform.identity()))
    texture = ndi.gaussian_filter(np.random.default_rng(7).normal(size=grid.shape), 2)
    maps["truth"] = (maps["wm"] + 1.25 * maps["gm"] + 0.2 * maps["csf"]) * (1 + 0.02 * texture / texture.std())
    return maps, grid.points_mm()


def lesion(maps, points, share):
    """The white matter nearest to one point, as much of it as asked for."""
    white = maps["wm"] > 0.5
    away = np.where(white, np.linalg.norm(points - np.array(CENTRE_MM), axis=-1), np.inf)
    return away <= np.quantile(away[white], share) if share else np.zeros(white.shape, bool)


def scanned(truth, seed, field, *, noise=NOISE, gain=1.0, offset=0.0, bent=False, power=1.0, slices=1, smooth=0.0, **_):
    image = np.maximum(truth, 0) ** power
    image = ndi.uniform_filter1d(image, slices, axis=2) if slices > 1 else image
    image = image + np.random.default_rng(seed).normal(0, noise, truth.shape)
    if slices > 1:
        image = ndi.affine_transform(image[..., ::slices], (1, 1, 1 / slices), output_shape=truth.shape, mode="nearest")
    image = ndi.gaussian_filter(image, smooth) if smooth else image
    return ((image * gain + offset) * (field if bent else 1)).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_how_much_of_a_change_survives(brain, case):
    maps, points = brain
    what, truth, inside = CASES[case], maps["truth"], maps["brain"] > 0.5
    field = np.exp(-0.1 * points[..., 0] / 80 - 0.08 * np.cos(points[..., 1] / 40))
    print(f"\n{case}\n  lesion  recovered  bias wm / gm / csf (SD)  noise stated       found/stated all / wm / gm  s")
    for share in (0.0, 0.01, 0.05, 0.2, 0.4):
        new = lesion(maps, points, share)
        second, other = truth + RISE * new, np.zeros(truth.shape)
        if "oedema" in what:
            other = what["oedema"] * lesion(maps, points, 0.3)
        if "atrophy" in what:
            near = np.linalg.norm(points - np.array((0, -15, 15)), axis=-1) < 35
            wider = np.where(near, ndi.grey_dilation(maps["csf"], size=(3, 3, 3)), maps["csf"])
            other = (0.2 - truth) * np.maximum(wider - maps["csf"], 0)
        first = scanned(truth, 1, 1 / field, bent="bent" in what)
        second = scanned(second + other, 2, field, **what)
        begun = time.perf_counter()
        (x, y), noise, _ = harmonise([first, second], [inside] * 2, maps["wm"], EDGE_MM, AlignSettings())
        seconds = time.perf_counter() - begun
        changed = ndi.binary_dilation(new | (np.abs(other) > 0.02), iterations=3)
        quiet = ndi.binary_erosion(inside, iterations=2) & ~changed
        difference, total = y - x, np.hypot(*noise)
        parts = [quiet & (maps[name] > least) for name, least in (("wm", 0.9), ("gm", 0.8), ("csf", 0.9))]
        bias = [np.median(difference[part]) / total for part in parts]
        found = [np.percentile(np.abs(difference[part]), 68.27) / total for part in (quiet, *parts[:2])]
        # The common scale is the mean of the two: half-way between what each scanner makes of the rise.
        gain, offset, power = (what.get(name, usual) for name, usual in (("gain", 1), ("offset", 0), ("power", 1)))
        true = (RISE + ((1 + RISE) ** power - 1) * gain / (gain + offset)) / 2
        core = ndi.binary_erosion(new)
        rise = (difference - (other if "oedema" in what else 0))[core]
        share_back = np.median(rise) / true if core.any() else 1.0
        print(
            f"  {share:5.0%}   {share_back:8.2f}   "
            f"{bias[0]:+6.2f} / {bias[1]:+.2f} / {bias[2]:+.2f}   {noise[0]:.4f}, {noise[1]:.4f}   "
            f"{found[0]:9.2f} / {found[1]:.2f} / {found[2]:.2f}  {seconds:8.2f}"
        )
        unlike_voxels = {"slices", "smooth"} & set(what)
        assert share_back == pytest.approx(1, abs=0.2)
        assert abs(bias[0]) < 0.2
        assert found[0] == pytest.approx(1, abs=0.15 if unlike_voxels else 0.1)


@pytest.mark.realdata
@pytest.mark.skipif(not SHARED.exists(), reason="the Ljubljana longitudinal scans are not part of the project")
@pytest.mark.parametrize("patient", ["01", "03"])
def test_what_is_left_between_real_sessions(patient):
    sessions = []
    for n in (1, 2):
        files = {c: SHARED / f"patient{patient}/raw/study{n}_{c.upper()}.nii.gz" for c in ("FLAIR", "T1w", "T2w")}
        files = {c: path for c, path in files.items() if path.exists() and path.stat().st_size}
        scans = {c: load_volume(path, c) for c, path in files.items()}
        sessions.append(prepare(f"0{n}", scans, PrepareSettings(), workers=2))
    series = align(sessions, AlignSettings(), workers=2)
    print(f"\npatient{patient}, differences over the stated SD of a difference (1 is right; kurtosis of a normal: 0)")
    for before, after in pairwise(series.sessions):
        for contrast in sorted(set(before.volumes) & set(after.volumes)):
            noise = before.noise_sd[contrast], after.noise_sd[contrast]
            pair = before.volumes[contrast].data, after.volumes[contrast].data
            inside = before.brain_mask & after.brain_mask & before.coverage[contrast] & after.coverage[contrast]
            inside = ndi.binary_erosion(inside, iterations=3)
            print(left_between(contrast, pair, noise, inside, series.template_maps))


def left_between(contrast, pair, noise, inside, maps):
    """One row: spread of the standardised difference in several places, its tails, and its histogram."""
    z = (pair[1] - pair[0]) / np.float32(np.hypot(*noise))
    steep = ndi.gaussian_gradient_magnitude((pair[0] + pair[1]) / 2, 1.0)
    quarters = np.quantile(steep[inside], (0.25, 0.75))
    places = {
        "all": inside,
        "white": inside & (maps["wm"] > 0.9),
        "grey": inside & (maps["gm"] > 0.7),
        "fluid": inside & (maps["csf"] > 0.7),
        "flat quarter": inside & (steep < quarters[0]),
        "steep quarter": inside & (steep > quarters[1]),
    }
    spreads = ", ".join(f"{name} {np.percentile(np.abs(z[here]), 68.27):.2f}" for name, here in places.items())
    white = z[places["white"]]
    shares = np.histogram(white - np.median(white), (-np.inf, -3, -2, -1, 0, 1, 2, 3, np.inf))[0] / white.size
    return (
        f"  {contrast}: noise {noise[0]:.3f}, {noise[1]:.3f}; {spreads}; median in white {np.median(white):+.2f}; "
        f"kurtosis in white {kurtosis(white):.1f} (of the middle 99 % {kurtosis(middle(white)):.1f})\n"
        f"    white matter by whole SD, % (normal: .1 2.1 13.6 34.1 34.1 13.6 2.1 .1): {np.round(100 * shares, 1)}"
    )


def middle(values):
    low, high = np.quantile(values, (0.005, 0.995))
    return values[(values >= low) & (values <= high)]
