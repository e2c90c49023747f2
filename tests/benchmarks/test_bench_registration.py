"""Rigid registration beside the engines that are installed, in one run.

`pytest -m benchmark tests/benchmarks/test_bench_registration.py -s`; ANTs and elastix take part where `antspyx` and
`itk-elastix` are installed.
"""

from __future__ import annotations

import importlib.util
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from picsl_greedy import Greedy3D
from scipy import ndimage as ndi

from hlhneuro.imaging import AffineTransform, load_itk, load_volume, prepare
from hlhneuro.imaging._engine import sitk, to_sitk
from hlhneuro.imaging.brain import rough_brain
from hlhneuro.imaging.matching import judge, match_brains
from hlhneuro.imaging.registration import register_rigid, working_image
from hlhneuro.imaging.volumes import Volume
from hlhneuro.settings import PrepareSettings
from tests.imaging.conftest import rigid

SHARED = Path(__file__).parents[2].parent / "shared/data/ms_longitudinal"
NAMES = {"FLAIR": "FLAIR", "T1w": "T1W", "T2w": "T2W"}
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Engine = Callable[[Volume, Volume], AffineTransform]

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.realdata,
    pytest.mark.skipif(not SHARED.exists(), reason="the Ljubljana longitudinal scans are not part of the project"),
]


def load(study: int, contrast: str) -> Volume:
    """Return a scan with its bias corrected, as registration meets it; every engine gets the same."""
    volume = load_volume(SHARED / f"patient01/raw/study{study}_{NAMES[contrast]}.nii.gz", contrast)
    return prepare(f"0{study}", {contrast: volume}, PrepareSettings()).volumes[contrast]


def ours(fixed: Volume, moving: Volume) -> AffineTransform:
    images = [working_image(volume, 2.0) for volume in (fixed, moving)]
    brains = [rough_brain(image, PrepareSettings()) for image in images]
    return register_rigid(*images, *brains).transform


def greedy_alone(fixed: Volume, moving: Volume) -> AffineTransform:
    engine = Greedy3D()  # as it comes, on all threads
    images = {"fix": to_sitk(fixed.data, fixed.grid), "mov": to_sitk(moving.data, moving.grid)}
    command = "-d 3 -V 0 -a -dof 6 -i fix mov -ia-identity -o found -m NMI -n 100x50x10"
    engine.execute(command, out=io.StringIO(), err=io.StringIO(), **images, found=None)
    return AffineTransform(np.asarray(engine["found"], dtype=np.float64)).inverse()


def simple_itk(fixed: Volume, moving: Volume) -> AffineTransform:
    images = [to_sitk(volume.data, volume.grid) for volume in (fixed, moving)]
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 300)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(
        sitk.CenteredTransformInitializer(
            *images, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
        )
    )
    found = method.Execute(*images)
    return from_lps(lambda point: found.TransformPoint(point))


def ants(fixed: Volume, moving: Volume) -> AffineTransform:
    import ants as engine

    images = []
    with tempfile.TemporaryDirectory() as folder:
        for n, volume in enumerate((fixed, moving)):
            sitk.WriteImage(to_sitk(volume.data, volume.grid), f"{folder}/{n}.nii.gz")
            images.append(engine.image_read(f"{folder}/{n}.nii.gz"))
    found = engine.registration(*images, type_of_transform="Rigid", random_seed=1)
    transform = engine.read_transform(found["fwdtransforms"][0])
    return from_lps(lambda point: engine.apply_ants_transform_to_point(transform, point))


def elastix(fixed: Volume, moving: Volume) -> AffineTransform:
    import itk

    images = []
    with tempfile.TemporaryDirectory() as folder:
        for n, volume in enumerate((fixed, moving)):
            sitk.WriteImage(to_sitk(volume.data, volume.grid), f"{folder}/{n}.nii.gz")
            images.append(itk.imread(f"{folder}/{n}.nii.gz", itk.F))
        settings = itk.ParameterObject.New()
        settings.AddParameterMap(itk.ParameterObject.GetDefaultParameterMap("rigid"))
        _, found = itk.elastix_registration_method(*images, parameter_object=settings)
    numbers = np.array([float(n) for n in found.GetParameter(0, "TransformParameters")])
    centre = np.array([float(n) for n in found.GetParameter(0, "CenterOfRotationPoint")])
    euler = sitk.Euler3DTransform()
    euler.SetParameters(numbers.tolist())
    euler.SetCenter(centre.tolist())
    return from_lps(lambda point: euler.TransformPoint(point))


def from_lps(map_point: Callable[[list[float]], tuple[float, ...]]) -> AffineTransform:
    """Return the RAS+ transform of moving to fixed points, of a map of fixed to moving points in LPS."""
    origin = np.array(map_point([0.0, 0.0, 0.0]))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.array(map_point(axis.tolist())) - origin for axis in np.eye(3)], axis=1)
    matrix[:3, 3] = origin
    return AffineTransform(LPS @ matrix @ LPS).inverse()


def engines() -> dict[str, Engine]:
    found: dict[str, Engine] = {"hlhneuro": ours, "greedy alone": greedy_alone, "SimpleITK": simple_itk}
    if importlib.util.find_spec("ants"):
        found["ANTs"] = ants
    if importlib.util.find_spec("itk"):
        found["elastix"] = elastix
    return found


def moved(volume: Volume, motion: AffineTransform, noise_sd: float, rng: np.random.Generator) -> Volume:
    """Return the image turned and shifted, by quintic splines that no engine uses, with noise."""
    to_index = AffineTransform(volume.affine)
    back = to_index.inverse().after(motion.inverse()).after(to_index)
    data = ndi.affine_transform(volume.data.astype(np.float32), back.matrix, order=5)
    return Volume((data + rng.normal(0, noise_sd, data.shape)).astype(np.float32), volume.affine, volume.contrast)


def test_known_motion_beside_other_engines():
    rng = np.random.default_rng(0)
    print("\n| engine | known motion: mean, largest error, mm | exchanged images, mm | seconds |\n|---|---|---|---|")
    cases = []
    for contrast in ("FLAIR", "T1w"):
        volume = load(1, contrast)
        work = working_image(volume, 2.0)
        points = AffineTransform(work.affine).map(np.argwhere(rough_brain(work, PrepareSettings()))[::100])
        noise = 0.03 * float(np.percentile(volume.data, 95))
        still = moved(volume, AffineTransform.identity(), noise, rng)
        for size in (6, 6, 12):
            turn, shift = rng.uniform(-size, size, 3), rng.uniform(-size, size, 3)
            motion = rigid(tuple(turn), tuple(shift))
            cases.append((still, moved(volume, motion, noise, rng), motion, points))
    for name, engine in engines().items():
        errors, gaps, seconds = [], [], []
        for fixed, moving, motion, points in cases:
            begun = time.perf_counter()
            found = engine(fixed, moving)
            seconds.append(time.perf_counter() - begun)
            errors.append(np.linalg.norm(found.map(motion.map(points)) - points, axis=1).mean())
            if len(gaps) < 2:
                back = engine(moving, fixed)
                gaps.append(np.linalg.norm(found.map(back.map(points)) - points, axis=1).mean())
        print(f"| {name} | {np.mean(errors):.3f}, {max(errors):.3f} | {max(gaps):.1e} | {np.mean(seconds):.1f} |")
        if name == "hlhneuro":
            assert np.mean(errors) < 0.05
            assert max(gaps) < 1e-6


def test_contrasts_against_the_transforms_of_the_data_set():
    print("\n| engine | FLAIR to T1w, mm | FLAIR to T2w, mm |\n|---|---|---|")
    for name, engine in engines().items():
        gaps: dict[str, list[float]] = {"T1w": [], "T2w": []}
        for study in (1, 2):
            flair = load(study, "FLAIR")
            work = working_image(flair, 2.0)
            points = AffineTransform(work.affine).map(np.argwhere(rough_brain(work, PrepareSettings()))[::100])
            for contrast, found in gaps.items():
                theirs = load_itk(SHARED / f"patient01/raw/study{study}_{NAMES[contrast]}_intrastudy_to_FLAIR.txt")
                mine = engine(flair, load(study, contrast)).inverse()
                found.append(float(np.linalg.norm(mine.map(points) - theirs.map(points), axis=1).mean()))
        print("|", name, "|", " | ".join(", ".join(f"{gap:.2f}" for gap in found) for found in gaps.values()), "|")


def test_other_people_and_mirrored_heads_are_refused():
    print("\n| pair | detail | mutual information | verdict |\n|---|---|---|---|")
    settings = PrepareSettings()
    scans = {
        name: working_image(load_volume(SHARED / f"patient{patient}/raw/study{study}_FLAIR.nii.gz", "FLAIR"), 2.0)
        for name, patient, study in (("01, visit 1", "01", 1), ("01, visit 2", "01", 2), ("03, visit 1", "03", 1))
    }
    second = scans["01, visit 2"]
    scans["01, visit 2, mirrored"] = replace(second, data=np.ascontiguousarray(second.data[::-1]))
    brains = {name: rough_brain(image, settings) for name, image in scans.items()}
    first = "01, visit 1"
    for other in list(scans)[1:]:
        match = match_brains(scans[first], scans[other], brains[first], brains[other], settings)
        verdict = judge(match, other, first, settings)
        print(f"| {first}; {other} | {match.detail:.2f} | {match.similarity:.3f} | {verdict.reason} |")
        assert verdict.accepted == (other == "01, visit 2")
        assert match.mirrored == ("mirrored" in other)
