"""Clinical observations: what is read, what is refused and how it is said, and what lies beyond a limit."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.study import observed_columns, open_study, read_observations
from hlhneuro.study.observations import Amount, Limit

COLUMNS = {column.name: column for column in observed_columns()}


def observations(build, *rows, header):
    build.image("anat/T1w.nii.gz")
    build.text("phenotype/clinical.tsv", "\n".join([header, *rows]) + "\n")
    found, remarks = read_observations(open_study(build.root))
    return found, [remark.text for remark in remarks]


def test_a_table_is_read_as_it_stands(build):
    found, remarks = observations(
        build,
        "sub-01\t2021-03-16\tpresent\t14\t<200\t>100000\tיום קשה <b>ataxia</b>",
        "01\t2021-02-26\tn/a\tn/a\tn/a\tn/a\tn/a",
        header="participant_id\tdate\tneurological_symptoms\tcsf_cells_per_ul\tcsf_protein_mg_per_l\tferritin_ug_per_l\tnote",
    )
    assert remarks == []
    first, second = found
    assert (first.date, first.neurological_symptoms, dict(first.amounts)) == (dt.date(2021, 2, 26), None, {})
    assert second.neurological_symptoms is True
    assert dict(second.amounts) == {
        "csf_cells_per_ul": Amount(14.0),
        "csf_protein_mg_per_l": Amount(200.0, "<"),
        "ferritin_ug_per_l": Amount(100000.0, ">"),
    }
    assert second.note == "יום קשה <b>ataxia</b>"


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("csf_protein_mg_per_l", "0.45", "outside 20 to 60000 mg/l; it is left out; check digits and unit"),
        ("donor_chimerism_percent", "101", "outside 0 to 100 %"),
        ("ferritin_ug_per_l", "1,200", "no plain number; it is left out; write it with a decimal point"),
        ("ebv_copies_per_ml", "not detected", "a bound as <100"),
        ("csf_cells_per_ul", "-1", "no plain number"),
        ("csf_cells_per_ul", "1e999", "outside 0 to"),
        ("neurological_symptoms", "maybe", "neither present nor absent"),
        ("date", "spring", "is no date; it is left out; write it as 2020-01-31"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_and_the_rest_stays(build, column, cell, words):
    cells = {"date": "2021-03-01", "scd25_u_per_ml": "900"} | {column: cell}
    header = "\t".join(["participant_id", *cells])
    (found,), (remark,) = observations(build, "\t".join(["sub-01", *cells.values()]), header=header)
    assert remark.startswith("clinical.tsv, row 2: ")
    for expected in (column, cell, words):
        assert expected in remark
    assert column not in found.amounts
    assert found.amounts["scd25_u_per_ml"] == Amount(900.0)


def test_unknown_and_personal_columns_are_kept_out_with_a_remark(build):
    header = "participant_id\tdate\tpatient_name\tlactate"
    (found,), (personal, unknown) = observations(build, "sub-01\t2021-03-01\tJo\t2.1", header=header)
    assert not found.amounts
    assert "patient_name name the patient" in personal
    assert "lactate are not known" in unknown


def test_a_table_that_cannot_be_read_leaves_the_others(build):
    build.text("sub-01/sub-01_clinical.tsv", "date\tferritin_ug_per_l\n2021-03-01\t600\n")
    found, (remark,) = observations(build, header="id\tday")
    assert len(found) == 1
    assert "date, participant_id are missing" in remark
    (build.root / "phenotype" / "clinical.tsv").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in read_observations(open_study(build.root))[1][0].text


@pytest.mark.parametrize(
    ("column", "age", "amount", "expected"),
    [
        ("csf_cells_per_ul", 4.0, Amount(5), "usual"),
        ("csf_cells_per_ul", 4.0, Amount(6), "beyond"),
        ("csf_cells_per_ul", 4.0, Amount(5, "<"), "usual"),
        ("csf_cells_per_ul", 4.0, Amount(5, ">"), "beyond"),
        ("csf_cells_per_ul", 4.0, Amount(10, "<"), "unclear"),
        ("csf_cells_per_ul", 0.1, Amount(12), "unclear"),
        ("csf_cells_per_ul", None, Amount(12), "unclear"),
        ("csf_cells_per_ul", None, Amount(30), "beyond"),
        ("csf_protein_mg_per_l", 0.2, Amount(600), "unclear"),
        ("csf_protein_mg_per_l", 9.9, Amount(400), "beyond"),
        ("csf_protein_mg_per_l", 10.0, Amount(400), "usual"),
        ("csf_protein_mg_per_l", None, Amount(300), "usual"),
        ("ferritin_ug_per_l", 4.0, Amount(500), "beyond"),
        ("ferritin_ug_per_l", 4.0, Amount(499.9), "usual"),
        ("ferritin_ug_per_l", 4.0, Amount(500, "<"), "usual"),
        ("ferritin_ug_per_l", 4.0, Amount(400, ">"), "unclear"),
        ("donor_chimerism_percent", 4.0, Amount(19), "beyond"),
        ("donor_chimerism_percent", 4.0, Amount(25), "unclear"),
        ("donor_chimerism_percent", 4.0, Amount(95, ">"), "usual"),
        ("donor_chimerism_percent", 4.0, Amount(20, "<"), "beyond"),
    ],
)
def test_what_lies_beyond_a_limit(column, age, amount, expected):
    assert COLUMNS[column].verdict(amount, age)[0] == expected


@given(st.floats(0, 1e6), st.sampled_from(["", "<", ">"]), st.sampled_from(["above", "below"]), st.booleans())
def test_a_bound_never_says_more_than_the_number_itself(value, bound, side, reached):
    limit = Limit(0, 200, 100.0, 100.0, side, "made", reached)
    exact, bounded = limit.verdict(Amount(value)), limit.verdict(Amount(value, bound))
    assert exact != "unclear"
    assert bounded in (exact, "unclear") or value == 100.0


def test_every_column_names_its_sources_and_its_ages_have_no_gap():
    for column in observed_columns():
        assert column.range_source
        ages = sorted((limit.from_years, limit.until_years) for limit in column.limits)
        assert ages[0][0] == 0
        assert all(one[1] == other[0] for one, other in pairwise(ages))
        assert all(limit.source for limit in column.limits)
