from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from scipy.spatial.transform import Rotation

from hlhneuro.errors import InputError, NotAssessable
from hlhneuro.imaging.transform_files import load_itk, load_linear, load_transform, save_itk, save_transform
from hlhneuro.imaging.transforms import AffineTransform, DisplacementTransform, mean_rigid, rigid_exp, rigid_log
from hlhneuro.imaging.volumes import Grid

numbers = st.floats(-1, 1, allow_nan=False)
rigids = st.tuples(*[numbers] * 6).map(lambda n: make_rigid(np.array(n[:3]) * 0.8, np.array(n[3:]) * 60))
POINTS = np.random.default_rng(0).normal(0, 60, (20, 3))


def make_rigid(rotation_vector, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rotation_vector).as_matrix()
    matrix[:3, 3] = shift
    return AffineTransform(matrix)


@given(rigids, rigids)
def test_inverse_and_composition(a, b):
    np.testing.assert_allclose(a.inverse().map(a.map(POINTS)), POINTS, atol=1e-9)
    np.testing.assert_allclose(a.after(b).map(POINTS), a.map(b.map(POINTS)), atol=1e-9)
    assert a.after(b).is_rigid


@given(rigids)
def test_twice_the_square_root_is_the_whole(a):
    half = a.power(0.5)
    assert half.is_rigid
    np.testing.assert_allclose(half.after(half).map(POINTS), a.map(POINTS), atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.lists(rigids, min_size=1, max_size=4), rigids, rigids)
def test_the_mean_moves_with_its_members_and_has_no_order(members, left, right):
    mean = mean_rigid(members)
    np.testing.assert_allclose(mean_rigid(members[::-1]).matrix, mean.matrix, atol=1e-9)
    moved = mean_rigid([left.after(t).after(right) for t in members])
    np.testing.assert_allclose(moved.matrix, left.after(mean).after(right).matrix, atol=1e-6)


def test_the_mean_of_opposite_turns_is_none():
    a = make_rigid([0, 0, 0.4], [0, 0, 0])
    np.testing.assert_allclose(mean_rigid([a, a.inverse()]).matrix, np.eye(4), atol=1e-12)


def test_a_scaling_or_a_mirror_is_not_rigid():
    assert not AffineTransform(np.diag([1.01, 1, 1, 1])).is_rigid
    assert not AffineTransform(np.diag([-1.0, 1, 1, 1])).is_rigid


def test_itk_reads_the_text_as_the_same_map_in_its_own_axes(tmp_path):
    transform = make_rigid([0.1, -0.2, 0.3], [5, -7, 11])
    save_itk(transform, tmp_path / "a.txt")
    other = sitk.ReadTransform(str(tmp_path / "a.txt"))
    flip = np.array([-1, -1, 1])
    for point in POINTS[:3]:
        np.testing.assert_allclose(np.array(other.TransformPoint((point * flip).tolist())) * flip, transform.map(point))
    np.testing.assert_allclose(load_itk(tmp_path / "a.txt").matrix, transform.matrix, atol=1e-14)


def test_a_centre_of_rotation_written_by_itk_is_understood(tmp_path):
    written = sitk.AffineTransform(3)
    written.Rotate(0, 1, 0.3)
    written.SetCenter((10, 20, 30))
    written.SetTranslation((1, 2, 3))
    sitk.WriteTransform(written, str(tmp_path / "a.txt"))
    flip = np.array([-1, -1, 1])
    want = np.array(written.TransformPoint((4.0, 5.0, 6.0))) * flip
    np.testing.assert_allclose(load_itk(tmp_path / "a.txt").map(np.array([4, 5, 6]) * flip), want)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Transform: BSplineTransform_double_3_3\nParameters: 1\nFixedParameters: 0 0 0\n",
        "Transform: AffineTransform_double_3_3\nParameters: 1 0 0\nFixedParameters: 0 0 0\n",
        "Transform: AffineTransform_double_3_3\nParameters: a b c\nFixedParameters: 0 0 0\n",
    ],
)
def test_a_file_that_is_no_linear_transform_is_named(tmp_path, text):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(InputError, match=r"bad\.txt"):
        load_itk(tmp_path / "bad.txt")


def deformation():
    grid = Grid((6, 7, 8), np.diag([4.0, 4, 4, 1]))
    field = np.random.default_rng(1).normal(0, 2, (*grid.shape, 3)).astype(np.float32)
    return DisplacementTransform(field, grid, make_rigid([0.1, 0, 0], [1, 2, 3]))


def test_a_deformation_is_exact_at_its_own_voxels():
    transform = deformation()
    want = transform.affine.map(np.array([8.0, 12, 16]) + transform.displacement_mm[2, 3, 4])
    np.testing.assert_allclose(transform.map([8.0, 12, 16]), want, atol=1e-5)


@pytest.mark.parametrize("transform", [make_rigid([0.1, 0.2, 0.3], [1, 2, 3]), deformation()])
def test_any_transform_is_written_and_read_back(tmp_path, transform):
    for path in save_transform(transform, tmp_path / "xfm"):
        assert path.exists()
    again = load_transform(tmp_path / "xfm")
    points = np.random.default_rng(2).uniform(0, 24, (50, 3))
    np.testing.assert_allclose(again.map(points), transform.map(points), atol=1e-5)


def smooth(seed, amplitude_mm=4.0, edge=2.5):
    """A field of waves 60 mm long, on a grid about a tenth of that, under a rigid-like affine with a shear."""
    rng = np.random.default_rng(seed)
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = -32
    grid = Grid((26, 26, 26), affine)
    points = grid.points_mm().astype(float)
    phases = rng.uniform(0, 2 * np.pi, (3, 3))
    waves = [np.sin(points * 2 * np.pi / 60 + phase).prod(axis=-1) for phase in phases]
    matrix = make_rigid(rng.uniform(-0.2, 0.2, 3), rng.uniform(-9, 9, 3)).matrix @ np.diag([1.1, 0.9, 1.0, 1.0])
    return DisplacementTransform(
        (amplitude_mm * np.stack(waves, axis=-1)).astype(np.float32), grid, AffineTransform(matrix)
    )


INSIDE = np.random.default_rng(3).uniform(-24, 24, (500, 3))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), rigids)
def test_deformations_invert_and_compose_to_a_hundredth_of_a_millimetre(seed, motion):
    a, b = smooth(seed), smooth(seed + 1, 3.0)
    assert np.linalg.norm(a.unmap(a.map(INSIDE)) - INSIDE, axis=1).max() < 0.01
    centres = a.affine.map(a.grid.points_mm()[3:-3:4, 3:-3:4, 3:-3:4])
    back = a.inverse()
    assert np.linalg.norm(a.map(back.map(centres)) - centres, axis=-1).max() < 0.01
    assert np.linalg.norm(back.map(a.map(INSIDE)) - INSIDE, axis=1).mean() < 0.2  # linear between voxel centres
    np.testing.assert_allclose(motion.after(a).map(POINTS), motion.map(a.map(POINTS)), atol=1e-9)
    np.testing.assert_allclose(a.after(motion).map(POINTS), a.map(motion.map(POINTS)), atol=1e-4)
    centres = a.grid.points_mm()[::4, ::4, ::4]
    np.testing.assert_allclose(b.after(a).map(centres), b.map(a.map(centres)), atol=1e-4)


def test_a_stretch_to_thrice_the_length_is_inverted_and_a_fold_is_refused():
    grid = Grid((25, 9, 9), np.diag([2.0, 4, 4, 1]))
    x = grid.points_mm()[..., 0]
    for slope, folds in ((2.0, False), (-1.6, True)):
        field = np.zeros((*grid.shape, 3), dtype=np.float32)
        field[..., 0] = slope * 5 * np.tanh((x - 24) / 5)
        transform = DisplacementTransform(field, grid, AffineTransform.identity())
        assert bool((transform.jacobian() <= 0).any()) == folds
        if folds:
            with pytest.raises(NotAssessable, match="folds"):
                transform.inverse()
        else:
            goal = transform.map([24.0, 16, 16])
            np.testing.assert_allclose(transform.inverse().map(goal), [24, 16, 16], atol=0.01)


def test_the_jacobian_is_the_change_of_volume():
    stretch = np.diag([1.2, 0.9, 1.1])
    grid = Grid((8, 8, 8), make_rigid([0.2, 0.1, -0.3], [3, 1, 2]).matrix @ np.diag([3.0, 2, 4, 1]))
    field = (grid.points_mm() @ (stretch - np.eye(3)).T).astype(np.float32)
    transform = DisplacementTransform(field, grid, AffineTransform(np.diag([2.0, 1, 1, 1])))
    np.testing.assert_allclose(transform.jacobian(), 2 * np.linalg.det(stretch), rtol=1e-4)


MOVING = Grid((40, 50, 30), make_rigid([0.1, 0, 0.2], [-60, -70, -40]).matrix @ np.diag([2.0, 2, 4, 1]))
REFERENCE = Grid((60, 60, 60), np.diag([-1.0, 1, 1, 1]) @ np.diag([3.0, 3, 3, 1]))


def flirt(motion):
    """FSL's matrix: scaled voxels, the first axis turned round where the affine keeps handedness."""
    inner = []
    for grid in (MOVING, REFERENCE):
        scale = np.diag([*grid.voxel_size_mm, 1.0])
        if np.linalg.det(grid.affine) > 0:
            turn = np.diag([-1.0, 1, 1, 1])
            turn[0, 3] = (grid.shape[0] - 1) * grid.voxel_size_mm[0]
            scale = turn @ scale
        inner.append(scale @ np.linalg.inv(grid.affine))
    return inner[1] @ motion.matrix @ np.linalg.inv(inner[0])


def lta(motion):
    rows = "\n".join(" ".join(f"{value:.12f}" for value in row) for row in motion.matrix)
    volume = "valid = 1\nfilename = x.nii\nvolume = 9 9 9\nvoxelsize = 1 1 1\n"
    volume += "xras = 1 0 0\nyras = 0 1 0\nzras = 0 0 1\ncras = 0 0 0\n"
    volumes = f"src volume info\n{volume}dst volume info\n{volume}"
    return f"type = 1 # LINEAR_RAS_TO_RAS\nnxforms = 1\nmean = 0 0 0\nsigma = 1\n1 4 4\n{rows}\n{volumes}"


def test_linear_transforms_of_three_packages_mean_the_same(tmp_path):
    motion = make_rigid([0.1, -0.2, 0.3], [5, -7, 11])
    save_itk(motion.inverse(), tmp_path / "a.txt")  # ITK pulls
    np.testing.assert_allclose(load_linear(tmp_path / "a.txt").matrix, motion.matrix, atol=1e-12)
    pytest.importorskip("nitransforms", reason="FSL and FreeSurfer files need the extra 'transforms'")
    np.savetxt(tmp_path / "a.mat", flirt(motion))
    found = load_linear(tmp_path / "a.mat", moving=MOVING, reference=REFERENCE)
    np.testing.assert_allclose(found.matrix, motion.matrix, atol=1e-4)
    (tmp_path / "a.lta").write_text(lta(motion))
    np.testing.assert_allclose(load_linear(tmp_path / "a.lta").matrix, motion.matrix, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no linear transform"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "no linear transform"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "both images"),
        ("type = 1\nnxforms = 2\n", "damaged"),
        ("1 0 0 0\n0 1 0 0\n0 0 x 0\n0 0 0 1\n", "that can be inverted"),
    ],
)
def test_a_bad_linear_file_names_itself_and_the_remedy(tmp_path, text, says):
    (tmp_path / "bad.mat").write_text(text)
    grids = {} if says == "both images" else {"moving": MOVING, "reference": REFERENCE}
    if says in ("damaged", "that can be inverted"):
        pytest.importorskip("nitransforms", reason="FSL and FreeSurfer files need the extra 'transforms'")
    with pytest.raises(InputError, match=rf"(?s)bad\.mat.*{says}.*Remedy"):
        load_linear(tmp_path / "bad.mat", **grids)


@pytest.mark.parametrize("degrees", [0.0, 1e-5, 0.03, 1.0, 40.0, 170.0])
def test_logarithm_and_exponential_agree_with_those_of_any_matrix(degrees):
    one = make_rigid(np.deg2rad(degrees) * np.array([0.9, -0.4, 0.17]), (30, -20, 5)).matrix
    np.testing.assert_allclose(rigid_exp(rigid_log(one)), one, atol=1e-9)
    np.testing.assert_allclose(linalg.expm(rigid_log(one)), one, atol=1e-9)
