"""Territories: their sizes, how long they take, and what lesions put into a named one are found in."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from hlhneuro.lesions.territories import territories, territory_labels, territory_load
from hlhneuro.phantom.cases import sample_patients
from hlhneuro.phantom.lesions import map_lesions
from tests.lesions.known import anatomy
from tests.lesions.synthetic import series, template

pytestmark = pytest.mark.benchmark
# Within the skull: MNI152 1883 ml (its brain mask), adults 1450 ml on average (expert-set: between women and men).
TO_ADULT = 1450 / 1883


def test_sizes_on_the_template() -> None:
    labels, grid = territory_labels(series()), template()[0]
    table = territory_load(labels, np.zeros(labels.shape, np.int32), grid.voxel_volume_ml, 0.02)
    table = table.pivot(index="territory", columns="side", values="territory_ml")
    table["of an adult, one side"] = table.mean(axis=1) * TO_ADULT
    print("\nml on MNI152\n", table.round(2))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lesions_are_found_in_the_territory_they_were_put_in(seed: int) -> None:
    """Heads of known shape; the way to the template is 3 mm off, as a good registration may be."""
    head, aligned = anatomy(seed)
    start = time.perf_counter()
    labels = territory_labels(aligned)
    seconds = time.perf_counter() - start
    names = {t.label: f"{t.side} {t.name}" for t in territories()}
    rows = []
    for patient in sample_patients():
        visits = [visit.label for visit in patient.visits]
        for i, course in enumerate(patient.lesions):
            sizes = [course.moments[v].volume_ml if v in course.moments else 0.0 for v in visits]
            visit = visits[int(np.argmax(sizes))]
            drawn = map_lesions(head, patient.lesions, [visit], patient.seed)[0].identities == i + 1
            found = np.bincount(labels[drawn], minlength=200)
            share = found[[t.label for t in territories() if (t.name, t.side) == (course.territory, course.side)]].sum()
            rows.append((f"{course.side} {course.territory}", names.get(int(found.argmax()), "-"), share / drawn.sum()))
    table = pd.DataFrame(rows, columns=["put in", "mostly in", "share"])
    print(f"\nhead {seed}: {seconds:.2f} s, grid {labels.shape}; {(table['put in'] == table['mostly in']).sum()} of "
          f"{len(table)} lesions mostly in the named territory\n", table.round(2).to_string())  # fmt: skip
    assert (table["put in"] == table["mostly in"]).mean() > 0.7
