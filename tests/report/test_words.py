"""Numbers in words: the error decides the digits, the unit stays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.report.words import age_text, join_words, number, quantity, sentence, sessions_text, sex_text

SPACE = "\u00a0"


@pytest.mark.parametrize(
    ("value", "sd", "unit", "text"),
    [
        (12.345, 0.82, "ml", "12.35 ± 0.82 ml"),
        (12.345, 8.2, "ml", "12.3 ± 8.2 ml"),
        (1234.5, 82.0, "ml", "1234 ± 82 ml"),
        (-0.5, 0.1, "", "−0.50 ± 0.10"),
        (0.123456, None, "ppm", "0.123 ppm"),
        (3.0, None, "", "3"),
        (None, None, "ml", "n/a"),
        (float("nan"), 1.0, "ml", "n/a"),
        (2.5, float("nan"), "ml", "2.50 ml"),
        (2.5, 0.0, "ml", "2.50 ml"),
    ],
)
def test_the_uncertainty_decides_the_digits(value, sd, unit, text):
    assert quantity(value, sd, unit).replace(SPACE, " ") == text


def test_changes_show_their_sign_and_zero_has_none():
    assert quantity(8.4, 0.85, "ml", signed=True).startswith("+8.40")
    assert number(-0.001, 1, signed=True) == "0.0"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e4))
def test_what_is_written_lies_within_a_tenth_of_the_uncertainty(value, sd):
    written = float(quantity(value, sd).split(SPACE)[0].replace("−", "-"))
    assert math.isclose(written, value, abs_tol=max(0.1 * sd, 0.5))
    assert abs(written - value) <= max(0.1 * sd, 0.51 if sd > 9 else 0)


def test_numbers_of_numpy_are_numbers():
    assert quantity(np.float32(1.5), np.float64(0.5), "ml") == quantity(1.5, 0.5, "ml")


@pytest.mark.parametrize(
    ("age", "text"), [(0.5, "6 months"), (1.99, "24 months"), (4.52, "4.5 years"), (None, "age unknown")]
)
def test_babies_have_months(age, text):
    assert age_text(age).replace(SPACE, " ") == text


def test_prose():
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert join_words([]) == ""
    assert sentence("no image") == "No image."
    assert sentence("ses-01 T1w: no signal") == "ses-01 T1w: no signal."
    assert sentence("tNAA is low") == "tNAA is low."
    assert sentence("") == ""
    assert [sex_text(sex) for sex in ("F", "male", "other", None)] == ["female", "male", "other", ""]
    assert sessions_text(("01", "02"), "interval") == "ses-01 to ses-02"
    assert sessions_text(("01", "02"), "session") == "ses-01 and ses-02"
