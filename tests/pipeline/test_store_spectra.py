"""One spectrum on disk: every file, and what is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from hlhneuro.pipeline.stores.spectra import SpectrumStore
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import SpectrumResult, fit_spectrum, mrsinmrs_table
from hlhneuro.study import Provenance
from tests.spectroscopy import made, raw


def test_steps_and_reporting_table_of_a_spectrum_come_back(tmp_path: Path) -> None:
    acquired = made.from_fid(raw.transients(20, raw.drift(8, "slow"), water=30.0), ("DIM_DYN",))
    fit = fit_spectrum(acquired, made.basis())
    table = mrsinmrs_table(acquired, fit, SpectraSettings(), software="hlhneuro 9")
    result = SpectrumResult("01", "acq-short", 0.03, "press", False, fit, None, (), reporting=table)
    store = SpectrumStore(tmp_path, "01", "01", {"acq": "short"}, None, Provenance("spectra", {}, {}, "9"))
    kept = store.keep(result)
    names = {path.name for path in kept.files}
    assert "sub-01_ses-01_acq-short_desc-fit_mrsinmrs.tsv" in names
    assert next(tmp_path.rglob("*mrsinmrs.json")).is_file()
    back = store.recall(kept.payload)
    assert back.reporting is not None
    assert back.fit is not None
    assert_frame_equal(back.reporting.astype(str), table, check_dtype=False)
    assert [stage.name for stage in back.fit.stages] == ["transients", "residual water removal"]
    for one, other in zip(fit.stages, back.fit.stages, strict=True):
        for field in ("ppm", "before", "after"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        assert one.courses.keys() == other.courses.keys()
        for name, values in one.courses.items():
            np.testing.assert_array_equal(values, other.courses[name])


def test_a_spectrum_without_the_table_has_no_such_file(tmp_path: Path) -> None:
    fit = fit_spectrum(made.from_fid(raw.clean_fid()), made.basis())
    result = SpectrumResult("01", "svs", 0.03, "press", False, fit, None, ())
    store = SpectrumStore(tmp_path, "01", "01", {}, None, Provenance("spectra", {}, {}, "9"))
    back = store.recall(store.keep(result).payload)
    assert back.reporting is None
    assert not list(tmp_path.rglob("*mrsinmrs*"))
    assert isinstance(back.fit.concentrations, pd.DataFrame) if back.fit else False
