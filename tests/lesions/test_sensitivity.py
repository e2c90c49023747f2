"""What a session could have shown: how faint a lesion, and where brightness says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.lesions import segment_lesions
from hlhneuro.lesions.bright_places import bright_places
from hlhneuro.settings import LesionSettings
from tests.lesions import synthetic

AGE = {"01": 6.0}
WHITE = [(sign * x, y, z) for sign in (-1, 1) for x, y, z in ((28, 10, 26), (28, -14, 34), (20, 36, 14))]


def found(contrast: float, monkeypatch: pytest.MonkeyPatch) -> tuple[int, float]:
    """Number of the balls of 6 mm that are found, and the contrast that the session says it could show."""
    ratio = contrast / synthetic.LESION["FLAIR"]
    monkeypatch.setattr(synthetic, "LESION", {name: ratio * value for name, value in synthetic.LESION.items()})
    balls = [(place, 3.0) for place in WHITE]
    lesions = segment_lesions(synthetic.series(synthetic.session("01", balls, 2)), LesionSettings(), AGE).sessions[0]
    assert lesions.detectable_contrast is not None
    return sum(bool((lesions.mask & synthetic.truth([ball])).any()) for ball in balls), lesions.detectable_contrast


def test_lesions_well_above_the_stated_contrast_are_found_and_those_well_below_are_not(monkeypatch):
    count, stated = found(0.5, monkeypatch)
    assert count == len(WHITE)
    assert 0.02 < stated < 0.5
    monkeypatch.undo()
    assert found(2 * stated, monkeypatch)[0] >= len(WHITE) / 2
    monkeypatch.undo()
    assert found(0.4 * stated, monkeypatch)[0] <= 1


def test_more_noise_means_that_only_brighter_lesions_would_be_seen(monkeypatch):
    quiet = found(0.5, monkeypatch)[1]
    monkeypatch.undo()
    monkeypatch.setattr(synthetic, "NOISE", 3 * synthetic.NOISE)
    assert found(0.5, monkeypatch)[1] > quiet


def test_bright_places_lie_on_both_sides_of_the_template():
    grid, brain, _ = synthetic.template()
    places = bright_places(synthetic.series(synthetic.session("01", (), 1, ("FLAIR",))))
    for image in (places.outshine, places.never):
        assert (image & brain).any()
    index = np.round(np.linalg.solve(grid.affine, (24, -24, 27, 1))[:3]).astype(int)
    other = np.round(np.linalg.solve(grid.affine, (-24, -24, 27, 1))[:3]).astype(int)
    assert places.outshine[tuple(index)]
    assert places.outshine[tuple(other)]
