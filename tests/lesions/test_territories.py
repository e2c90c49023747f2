import numpy as np
import pytest

from hlhneuro.lesions.territories import asymmetry_index, territories, territory_labels, territory_load
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


def test_left_and_right_have_the_same_size_on_a_symmetric_template(labels):
    table = territory_load(labels, np.zeros(labels.shape, np.int32), 0.008, 0.02)
    size = table.pivot(index="territory", columns="side", values="territory_ml")
    assert (size["left"] > 0.3).all()
    assert size["left"].to_numpy() == pytest.approx(size["right"].to_numpy(), rel=0.3)  # the midline plane counts right


def test_no_label_outside_the_brain(labels):
    brain = template()[1]
    assert not labels[~brain].any()
    assert (labels[brain] > 0).mean() > 0.8


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
