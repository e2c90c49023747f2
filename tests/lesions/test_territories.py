import numpy as np
import pytest

from hlhneuro.lesions.territories import (
    asymmetry_index,
    template_territories,
    territories,
    territory_labels,
    territory_load,
)
from hlhneuro.phantom.cases import sample_patients
from tests.lesions.synthetic import series, template


@pytest.fixture(scope="module")
def labels():
    return territory_labels(series())


def at(labels, point_mm):
    grid = template()[0]
    x, y, z = np.round(np.linalg.solve(grid.affine, (*point_mm, 1.0))[:3]).astype(int)
    return {t.label: (t.name, t.side) for t in territories()}.get(int(labels[x, y, z]))


@pytest.mark.parametrize(
    ("point_mm", "name"),
    [  # places that atlases of the MNI152 template agree on
        ((12, -18, 8), "thalamus"),
        ((26, 4, 2), "putamen"),
        ((12, 14, 8), "caudate"),
        ((19, -5, -1), "pallidum"),
        ((4, -28, -34), "pons"),
        ((6, -24, -10), "midbrain"),
        ((26, -60, -48), "cerebellar cortex and vermis"),
        ((18, -56, -36), "cerebellar white matter and dentate"),
        ((26, -20, 38), "deep white matter"),
    ],
)
@pytest.mark.parametrize(("sign", "side"), [(-1, "left"), (1, "right")])
def test_known_places_have_their_name_on_both_sides(labels, point_mm, name, sign, side):
    x, y, z = point_mm
    assert at(labels, (sign * x, y, z)) == (name, side)


def sizes_ml(labels):
    """Size of each territory on each side, without the midline plane, which belongs to neither."""
    grid = template()[0]
    x_mm = np.arange(grid.shape[0]) * grid.affine[0, 0] + grid.affine[0, 3]
    sides = labels[np.abs(x_mm) > 0.5]
    table = territory_load(sides, np.zeros(sides.shape, np.int32), grid.voxel_volume_ml, 0.02)
    return table.pivot(index="territory", columns="side", values="territory_ml")


def test_left_and_right_have_the_same_size_on_a_symmetric_template(labels):
    size = sizes_ml(labels)
    assert size["left"].to_numpy() == pytest.approx(size["right"].to_numpy(), rel=0.02)


@pytest.mark.parametrize(
    ("names", "least_ml", "most_ml"),
    [  # of one side, on the template, which is larger than an average adult by a quarter (1.88 litres within the skull)
        (("thalamus",), 7.5, 11.0),  # HarvardOxford at 50 %: 9.2
        (("caudate",), 3.5, 5.5),  # 3.7
        (("putamen",), 5.0, 7.5),  # 6.1
        (("pallidum",), 1.4, 2.5),  # 2.0
        (("midbrain",), 3.0, 5.5),  # expert-set: half of about 6 ml in adults, and a quarter more
        (("pons",), 7.5, 12.0),  # half of 15 ml, and a quarter more
        (("medulla",), 2.5, 5.0),  # half of 5 ml, and a quarter more
        (("cerebellar white matter and dentate", "cerebellar cortex and vermis"), 80.0, 105.0),  # half of 130 to 150 ml
    ],
)
def test_structures_are_as_large_as_others_find_them(labels, names, least_ml, most_ml):
    assert least_ml < sizes_ml(labels)["left"][list(names)].sum() < most_ml


def test_all_tissue_of_the_brain_has_a_label_and_nothing_outside(labels):
    _, brain, maps = template()
    assert not labels[~brain].any()
    tissue = brain & (np.maximum(maps["gm"], maps["wm"]) >= maps["csf"])
    assert labels[tissue].all()


def test_white_matter_along_sulci_is_not_periventricular(labels):
    """Fluid between the hemispheres and in the insula lies deep, but is no ventricle."""
    for point_mm, name in (
        ((8, 40, 40), "frontal subcortical white matter"),
        ((12, -50, 54), "parietal subcortical white matter"),
        ((-20, 30, 12), "periventricular white matter"),
        ((26, -50, 20), "periventricular white matter"),
    ):
        assert at(labels, point_mm)[0] == name


def test_lesions_of_the_sample_patients_lie_where_they_were_put(labels):
    grid, _, maps = template()
    names = {t.label: (t.name, t.side) for t in territories()}
    for course in {c.name: c for patient in sample_patients() for c in patient.lesions}.values():
        shape = np.array(course.axes_mm) / np.cbrt(np.prod(course.axes_mm))
        ball = np.linalg.norm((grid.points_mm() - np.array(course.centre_mm)) / shape, axis=-1) < 5  # half a millilitre
        if course.tissue == "wm":
            ball &= maps["wm"] > 0.5
        found = np.bincount(labels[ball], minlength=200)
        name, side = names[int(found.argmax())]
        # How deep the subcortical ends is a convention (4 mm), which the phantom's names do not know.
        assert side == course.side
        assert name == course.territory or {name, course.territory.split(" ", 1)[1]} == {
            "deep white matter",
            "subcortical white matter",
        }, course.name


def test_load_is_counted_where_it_lies(labels):
    identities = np.zeros(labels.shape, np.int32)
    pons = next(t for t in territories() if (t.name, t.side) == ("pons", "left"))
    inside = np.argwhere(labels == pons.label)[:10]
    identities[tuple(inside.T)] = 1
    table = territory_load(labels, identities, 0.008, 0.05).set_index(["territory", "side"])
    assert table.loc[("pons", "left"), "load_ml"] == pytest.approx(0.08)
    assert table.loc[("pons", "left"), "lesions"] == 1
    assert table["affected"].sum() == 1
    assert not territory_load(labels, identities, 0.008, 0.1)["affected"].any()


def test_asymmetry_index():
    assert asymmetry_index(1, 1) == 0
    assert asymmetry_index(2, 0) == 1
    assert asymmetry_index(1, 3) == -0.5
    assert np.isnan(asymmetry_index(0, 0))


def test_the_template_itself_has_every_territory_on_its_side():
    here, found = template_territories()
    assert set(np.unique(found)) == {0} | {territory.label for territory in territories()}
    assert not here.sessions
    index = np.argwhere(found)
    x_mm = index @ here.grid.affine[0, :3] + here.grid.affine[0, 3]
    left = found[tuple(index.T)] % 10 == 1
    reach_mm = 2.0  # tissue next to a labelled voxel takes its label, over the middle too
    assert x_mm[left].max() <= reach_mm
    assert x_mm[~left].min() >= -reach_mm
