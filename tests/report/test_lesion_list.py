"""A patient with hundreds of lesions: the account holds all of them, the page stays short and is made quickly."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlhneuro.answers import Answer
from hlhneuro.lesions.signs import LesionSigns, Measure, Sign
from hlhneuro.report import assess, write_report
from hlhneuro.report.sections import lesions
from tests.report.walker import Tokens, sections_of

MANY, LABELS = 300, ("01", "02", "03")


@pytest.fixture(scope="module")
def crowded(results):
    """Three hundred lesions at three sessions, each with every sign."""
    rng = np.random.default_rng(3)
    sizes = np.round(rng.lognormal(-2.0, 1.0, MANY), 4)
    rows = [
        (number, label, "deep white matter", "left", size, 0.01, "stable", -20.0, 3.5, 18.0, 0.001, 0.02, 1)
        for number, size in enumerate(sizes, start=1)
        for label in LABELS
    ]
    columns = ["lesion", "session", "territory", "side", "volume_ml", "volume_sd_ml", "status", "x_mm", "y_mm", "z_mm"]
    table = pd.DataFrame(rows, columns=[*columns, "change_ml", "smallest_real_change_ml", "parts"])
    names = ("contrast_enhancement", "restricted_diffusion", "t1_hypointensity", "susceptibility")
    fraction = (Measure("fraction", 0.25),)
    signs = LesionSigns(
        tuple(
            Sign(number, label, name, Answer.PRESENT, "x", "", fraction)
            for label in LABELS
            for name in names
            for number in range(1, MANY + 1)
        )
    )
    return replace(results, aligned=None, spectra=(), signs=signs, change=replace(results.change, lesions=table))


def test_the_account_holds_all_lesions_the_largest_first(crowded):
    found = lesions.facts(crowded)["lesions"]
    assert found["count"] == len(found["rows"]) == MANY
    sizes = [row["largest_ml"] for row in found["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(len(cell["signs"]) == 4 for row in found["rows"] for cell in row["cells"])


def test_the_page_lists_the_largest_and_says_where_the_others_are(crowded, tmp_path):
    began = time.process_time()
    text = write_report(crowded, assess(crowded), tmp_path / "page.html").read_text(encoding="utf-8")
    assert time.process_time() - began < 5  # drawing the other figures included
    part = sections_of(text)["lesions"]
    limit = crowded.settings.report.lesions_listed
    assert len(part.table("single").rows) == limit < MANY
    (head,) = [words for words in part.texts if words.startswith("Single lesions over time (")]
    assert [token.text for token in Tokens(head)] == [str(limit), str(MANY)]
    assert any("The smaller ones are in the lesions table file" in words for words in part.texts)
