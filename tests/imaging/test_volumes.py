from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from hlhneuro.errors import InputError
from hlhneuro.imaging.resampling import resample
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, load_volume

AFFINE = np.array([[-1.0, 0, 0, 10], [0, 1.5, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])


def write(path, data, affine=AFFINE, *, sform=1, qform=1, units="mm", slope=None):
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units(units)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    if slope:
        image.header.set_slope_inter(*slope)
    nib.save(image, path)
    return path


@pytest.fixture
def data():
    return np.random.default_rng(0).uniform(1, 100, (8, 9, 5)).astype(np.float32)


def test_values_affine_and_voxel_size_come_through(tmp_path, data):
    volume = load_volume(write(tmp_path / "a.nii.gz", data), "FLAIR")
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert volume.grid.voxel_size_mm == (1.0, 1.5, 4.0)
    assert volume.grid.voxel_volume_ml == pytest.approx(0.006)
    assert volume.notes == ()


def test_scaling_of_the_header_is_applied(tmp_path):
    stored = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(2.0, -3.0)
    nib.save(image, tmp_path / "a.nii")
    # nibabel writes the scaled values such that reading gives them back; force the raw numbers instead.
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[352:] = stored.tobytes(order="F")
    header = nib.Nifti1Header.from_fileobj(open(tmp_path / "a.nii", "rb"))  # noqa: SIM115, PTH123
    raw[112:120] = np.array([2.0, -3.0], dtype=header.endianness + "f4").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(raw))
    np.testing.assert_allclose(load_volume(tmp_path / "a.nii", "ADC").data, stored * 2.0 - 3.0)


def test_trailing_singleton_axis_is_dropped_and_recorded(tmp_path, data):
    volume = load_volume(write(tmp_path / "a.nii.gz", data[..., None]), "FLAIR")
    assert volume.data.shape == data.shape
    assert "singleton_axes_dropped" in [step.name for step in volume.steps]


def test_a_few_values_that_are_not_finite_are_set_to_zero_and_said(tmp_path, data):
    data[0, 0, :2] = np.nan, np.inf
    volume = load_volume(write(tmp_path / "a.nii.gz", data), "FLAIR")
    assert np.isfinite(volume.data).all()
    assert (volume.data[0, 0, :2] == 0).all()
    step = next(step for step in volume.steps if step.name == "replace_nonfinite")
    assert step.parameters["count"] == 2
    assert volume.notes == ("2 voxels were not finite and were set to 0",)


@pytest.mark.parametrize(("units", "factor"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_become_millimetres(tmp_path, data, units, factor):
    affine = AFFINE.copy()
    affine[:3] /= factor
    volume = load_volume(write(tmp_path / "a.nii.gz", data, affine, units=units), "FLAIR")
    np.testing.assert_allclose(volume.affine, AFFINE, rtol=1e-5)
    assert "converted to mm" in volume.notes[0]


def test_sform_wins_over_qform_and_it_is_said(tmp_path, data):
    image = nib.Nifti1Image(data, AFFINE)
    other = AFFINE.copy()
    other[0, 3] += 7
    image.set_sform(AFFINE, 1)
    image.set_qform(other, 1)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = load_volume(tmp_path / "a.nii.gz", "FLAIR")
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert "disagree by up to 7.0 mm" in volume.notes[0]


def bad(kind, path, data):
    if kind == "truncated":
        write(path, np.random.default_rng(1).normal(size=(30, 30, 30)).astype(np.float32))
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "not an image":
        path.write_bytes(b"this is no image")
    elif kind == "4-D":
        write(path, np.stack([data, data], axis=-1))
    elif kind == "2-D":
        write(path, data[:, :, 0])
    elif kind == "no position":
        write(path, data, sform=0, qform=0)
    elif kind == "singular":
        image = nib.Nifti1Image(data, None)
        flat = AFFINE.copy()
        flat[:, 2] = flat[:, 1]
        flat[3] = 0, 0, 0, 1
        image.header["sform_code"] = 1
        image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = flat[:3]
        nib.save(image, path)
    elif kind == "metres in the matrix":
        write(path, data, np.diag([0.001, 0.001, 0.004, 1]))
    elif kind == "constant":
        write(path, np.full_like(data, 7))
    elif kind == "all nan":
        write(path, np.full_like(data, np.nan))
    elif kind == "complex":
        write(path, data.astype(np.complex64))
    elif kind == "scout":
        write(path, data[:, :, :1])


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("truncated", "cannot be read"),
        ("not an image", "cannot be read"),
        ("missing", "no such file"),
        ("4-D", "split it"),
        ("2-D", "not a 3-D"),
        ("no position", "left and right"),
        ("singular", "singular affine"),
        ("metres in the matrix", "implausible voxel sizes"),
        ("constant", "no signal"),
        ("all nan", "no finite value"),
        ("complex", "single real values"),
        ("scout", "too few slices"),
    ],
)
def test_bad_files_are_named_with_a_remedy(tmp_path, data, kind, says):
    path = tmp_path / "sub-01_FLAIR.nii.gz"
    bad(kind, path, data)
    with pytest.raises(InputError, match=says) as caught:
        load_volume(path, "FLAIR")
    assert "sub-01_FLAIR.nii.gz" in str(caught.value)
    assert caught.value.remedy


def test_grid_points_are_voxel_centres():
    points = Grid((2, 3, 4), AFFINE).points_mm()
    np.testing.assert_allclose(points[1, 2, 3], AFFINE[:3] @ [1, 2, 3, 1])


def test_a_mirrored_file_keeps_every_point_in_its_place(tmp_path, data):
    """Left to right or right to left in the file, both are valid: a value stays at its point of the scanner."""
    mirrored = AFFINE @ np.array([[-1, 0, 0, data.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    one = load_volume(write(tmp_path / "a.nii.gz", data), "FLAIR")
    other = load_volume(write(tmp_path / "b.nii.gz", data[::-1], mirrored), "FLAIR")
    assert np.linalg.det(one.affine) * np.linalg.det(other.affine) < 0
    target = Grid((9, 14, 20), np.array([[1.0, 0, 0, 2], [0, 1, 0, -20], [0, 0, 1, 5], [0, 0, 0, 1]]))
    images = [resample(v.data, v.grid, target, AffineTransform.identity(), "linear") for v in (one, other)]
    assert images[0].any()
    np.testing.assert_allclose(images[1], images[0], rtol=1e-5, atol=1e-4)


def test_large_integers_with_a_scale_do_not_overflow(tmp_path):
    stored = np.full((4, 5, 6), 32767, dtype=np.int16)
    stored[0] = -32768
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(1e30, 0)
    image.to_filename(tmp_path / "a.nii")
    data = load_volume(tmp_path / "a.nii", "T2w").data
    assert np.isfinite(data).all()
    assert data.min() < 0 < data.max()


def test_forms_of_unlike_codes_that_disagree_are_said_too(tmp_path, data):
    image = nib.Nifti1Image(data, AFFINE)
    other = AFFINE.copy()
    other[1, 3] -= 12
    image.set_sform(AFFINE, 4)
    image.set_qform(other, 1)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = load_volume(tmp_path / "a.nii.gz", "FLAIR")
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert "sform (code 4) and qform (code 1) disagree by up to 12.0 mm; the sform was used" in volume.notes[0]
