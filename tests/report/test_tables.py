"""Tidy tables: described columns, known sums, and rows that say why something is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlhneuro.report import COLUMNS, assess, columns_of, tables_of
from hlhneuro.study.derivatives import Provenance, read_table, write_table


@pytest.fixture(scope="module")
def tables(results, findings):
    return tables_of(results, findings)


def test_every_column_has_a_meaning_and_every_measure_a_unit():
    for name, columns in COLUMNS.items():
        assert next(iter(columns)) == "subject"
        for column, (unit, meaning) in columns.items():
            assert meaning, (name, column)
            if column.endswith("_ml"):
                assert unit == "ml"
            if column.endswith("_mm"):
                assert unit == "mm"


def test_tables_have_just_the_described_columns(tables):
    assert list(tables) == list(COLUMNS)
    for name, table in tables.items():
        assert list(table.columns) == list(columns_of(name, table))
        assert list(table.columns)[: len(COLUMNS[name])] == list(COLUMNS[name])
        assert (table["subject"] == "01").all()


def test_visits_hold_what_a_statistic_joins(tables):
    table = tables["visits"]
    assert list(table["days_since_first"]) == [0, 35, 119]
    assert list(table["age_years"]) == [4.5, 4.6, 4.83]
    assert set(table["patient_diagnosis"]) == {"HLH, familial"}
    assert list(table["session_treatment"].fillna("")) == ["", "dexamethasone", ""]
    assert table["steroids"].iloc[1]
    assert table["settings"].nunique() == 1
    keys = table.set_index(["subject", "session"]).index
    assert keys.is_unique
    for name in ("lesions", "territories", "spectra", "noise"):
        assert set(tables[name].set_index(["subject", "session"]).index) <= set(keys)


def test_a_column_of_the_study_never_takes_the_place_of_one_of_ours(results, findings):
    subject = replace(results.subject, covariates={"subject": "Mallory", "Sources": "x", "age_years": "99"})
    table = tables_of(replace(results, subject=subject), findings)["visits"]
    assert set(table["subject"]) == {"01"}
    assert set(table["patient_subject"]) == {"Mallory"}
    assert list(table["age_years"]) == [4.5, 4.6, 4.83]


def test_a_patient_without_a_session_has_a_row(results, findings):
    table = tables_of(replace(results, subject=replace(results.subject, sessions=())), findings)["visits"]
    assert list(table["subject"]) == ["01"]
    assert table["session"].isna().all()


def test_territory_loads_carry_the_error_of_their_lesions(tables):
    """Every sphere lies in a territory of its own."""
    there = tables["territories"].query("load_ml > 0")
    np.testing.assert_allclose(there["load_sd_ml"], 0.2)
    assert (tables["territories"].query("load_ml == 0")["load_sd_ml"] == 0).all()


def test_single_lesions_sum_to_the_load(tables):
    loads = tables["volumes"].query("structure == 'lesion_load'").set_index("session")["volume_ml"]
    sums = tables["lesions"].groupby("session")["volume_ml"].sum()
    np.testing.assert_allclose(loads.sort_index(), sums.sort_index())


def test_sphere_volume_is_that_of_geometry(tables):
    row = tables["lesions"].query("lesion == 1 and session == '02'").iloc[0]
    assert row["volume_ml"] == pytest.approx(4 / 3 * np.pi * 1.3**3, rel=0.05)  # radius 13 mm, in 3 mm voxels


def test_net_change_is_what_came_less_what_went(tables):
    table = tables["intervals"]
    parts = table["new_ml"] + table["enlarged_ml"] - table["shrunk_ml"] - table["resolved_ml"]
    np.testing.assert_allclose(table["net_ml"], parts)
    assert list(table["days"]) == [35, 84]
    assert not table["within_error"].any()


def test_registrations_and_noise_are_those_of_the_alignment(tables, results):
    table = tables["registrations"]
    assert list(table["moving"]) == ["ses-02 FLAIR", "ses-01 T1w", "ses-02 T1w", "ses-03 T1w"]
    assert table["inverse_consistency_mm"].iloc[0] == 0.21
    assert table["accepted"].all()
    assert len(tables["noise"]) == sum(len(session.noise_sd) for session in results.aligned.sessions)
    assert set(tables["noise"]["noise_sd"]) == {0.03}


def test_volumes_without_an_error_say_why(tables):
    unsure = tables["volumes"][tables["volumes"]["volume_sd_ml"].isna()]
    assert set(unsure["structure"]) == {"brain", "gm", "wm", "csf"}
    assert unsure["reason"].str.len().gt(0).all()


def test_brain_volume_is_voxels_times_their_size(tables, results):
    brain = tables["volumes"].query("structure == 'brain'")["volume_ml"].iloc[0]
    assert brain == pytest.approx(results.aligned.brain_mask.sum() * 0.027)


def test_a_spectrum_has_one_row_per_metabolite_and_no_wall_time(tables):
    table = tables["spectra"]
    assert len(table) == 2 * 8
    assert "fit_seconds" not in table  # it changes from run to run
    naa = table.query("session == '01' and metabolite == 'tNAA'").iloc[0]
    assert naa["ratio_to_tcr"] == pytest.approx(10 / 7)
    assert naa["voxel_lesion"] == 0.25


def test_nothing_measured_still_gives_tables_that_say_so(empty_results):
    tables = tables_of(empty_results, assess(empty_results))
    assert tables["lesions"].empty
    assert tables["intervals"].empty
    load = tables["volumes"].query("structure == 'lesion_load'").iloc[0]
    assert pd.isna(load["volume_ml"])
    assert load["reason"]


@pytest.mark.parametrize("name", list(COLUMNS))
def test_tables_survive_the_disk(name, tables, tmp_path):
    path = tmp_path / f"sub-01_{name}.tsv"
    described = columns_of(name, tables[name])
    write_table(path, tables[name], described, Provenance("findings", {}, {}, "0"))
    back = read_table(path)
    assert list(back.columns) == list(described)
    assert len(back) == len(tables[name])
