from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum, mrsinmrs_table
from hlhneuro.spectroscopy.mrsinmrs import MISSING

from . import made, raw

SETTINGS = SpectraSettings()


@pytest.fixture(scope="module")
def acquired():
    course = raw.drift(16, "slow")
    course = raw.Drift(course.shifts_hz, course.phases_rad, spoilt=(3,))
    header = {
        "Manufacturer": "Maker",
        "ManufacturersModelName": "One",
        "ReceiveCoilName": {"Value": '"32Ch_Head"', "Description": "Rx coil name."},
        "SequenceName": "svs_se",
        "ProtocolName": "short",
        "WaterSuppressed": True,
        "NumberOfTransients": 64,
    }
    return made.from_fid(raw.transients(20, course), ("DIM_DYN",), header=header)


@pytest.fixture(scope="module")
def table(acquired):
    fit = fit_spectrum(acquired, made.basis())
    return mrsinmrs_table(acquired, fit, SETTINGS, software="hlhneuro 9", region="thalamus").set_index("item").value


def test_what_the_data_say_is_in_the_table(table):
    assert table["manufacturer"] == "Maker"
    assert table["receive coil"] == "32Ch_Head"
    assert table["pulse sequence"] == "PRESS (svs_se, short)"
    assert table["echo time"] == "30 ms"
    assert table["repetition time"] == "2000 ms"
    assert table["nominal voxel size"] == "20 x 20 x 20 mm, 8 ml"
    assert table["number of transients"] == "64, 16 stored"
    assert table["water suppression"] == f"on, method {MISSING}"
    assert table["voxel location"].startswith("thalamus, centre at 0.0")
    assert table["rejected transients"] == "1 of 16"
    assert table["analysis software"] == "hlhneuro 9"
    assert "transients" in table["processing steps"]
    assert "tNAA" in table["Cramer-Rao bounds"]


def test_the_quality_of_a_fit_counts_rejected_transients(acquired):
    assert fit_spectrum(acquired, made.basis()).quality["rejected_transients"] == 1
    assert fit_spectrum(made.from_fid(raw.clean_fid()), made.basis()).quality["rejected_transients"] is None


def test_what_the_data_do_not_say_is_not_made_up(table):
    for item in ("transmit coil", "software of the scanner", "shimming", "flip angle", "additional hardware"):
        assert table[item] == MISSING


def test_an_acquisition_without_facts_still_gives_every_row(acquired, table):
    bare = made.from_fid(raw.clean_fid(), echo_time_s=None, repetition_time_s=None, sequence=None)
    found = mrsinmrs_table(bare, None, SETTINGS, software="hlhneuro 9").set_index("item").value
    for item in ("echo time", "repetition time", "pulse sequence", "number of transients", "manufacturer"):
        assert found[item] == MISSING
    assert found["verdict"] == "no fit"
    assert found["field strength"].startswith("2.89 T")
    assert set(found.index[:23]) == set(table.index[:23])


def test_every_value_is_text_on_one_line(table):
    assert all(isinstance(value, str) and "\n" not in value and "\t" not in value for value in table)
    assert np.char.str_len(table.to_numpy(dtype=str)).min() > 0
