from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.errors import InputError
from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.norm_tables import NormEntry, published_values
from hlhneuro.spectroscopy.norms import NoNorm, Norm, Norms, read_controls, region_of

SETTINGS = PatternSettings()
NORMS = Norms.load(SETTINGS)
PRESS = {"field_t": 3.0, "echo_time_s": 0.030, "sequence": "press"}
CONTROL = NormEntry("tNAA", 1.2, 0.1, 20, 3.0, "thalamus", 3.0, 0.030, "press", "ours")
AGES = st.floats(0.0, 90.0)


def lookup(norms=NORMS, metabolite="tNAA", age_years=7.2, region="basal ganglia", **how):
    return norms.lookup(metabolite, age_years, region, **(PRESS | how))


def test_a_group_gives_its_own_values_and_two_groups_what_lies_between():
    assert lookup() == Norm(1.043, 0.118, 36, "Holmes 2017, PLoS One, doi 10.1371/journal.pone.0180973")
    between = lookup(age_years=8.2)  # half-way between 7.2 and 9.2 years
    assert between.mean == pytest.approx((1.043 + 1.088) / 2)
    assert between.sd == pytest.approx((0.118 + 0.115) / 2)
    assert between.n == 26


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"age_years": 3.0}, "gap from 2 to 5 years"),
        ({"age_years": 16.0}, "gap from 15 to 18 years"),
        ({"age_years": 12.0}, "there are 5.6, 7.2, 9.2 years"),
        ({"region": "thalamus"}, "no norm of tNAA/tCr in the thalamus"),
        ({"echo_time_s": 0.144}, "TE 144 ms"),
        ({"field_t": 1.5}, "1.5 T"),
        ({"sequence": "steam"}, "steam"),
        ({"metabolite": "Lac"}, "Lac/tCr"),
        ({"age_years": None}, "age not known"),
        ({"region": None, "sequence": None}, "region, sequence not known"),
    ],
)
def test_without_a_norm_the_reason_is_given(asked, words):
    found = lookup(**asked)
    assert isinstance(found, NoNorm)
    assert words in found.reason


@given(AGES, st.sampled_from(sorted({(e.metabolite, e.region) for e in published_values()})))
def test_published_norms_never_cross_a_gap_and_stay_near_their_groups(age, what):
    metabolite, region = what
    found = lookup(metabolite=metabolite, region=region, age_years=age)
    groups = [e for e in published_values() if (e.metabolite, e.region) == what]
    if isinstance(found, NoNorm):
        assert all(abs(e.age_years - age) > 0.05 for e in groups)
        return
    assert not 2 <= age < 5
    assert not 15 <= age < 18
    assert min(e.mean for e in groups) <= found.mean <= max(e.mean for e in groups)
    assert min(e.sd for e in groups) <= found.sd <= max(e.sd for e in groups)
    near = min((max(e.age_years, age) + 0.75) / (min(e.age_years, age) + 0.75) for e in groups) <= 1.1
    younger, older = ([e.age_years for e in groups if sign * (e.age_years - age) >= 0] for sign in (-1, 1))
    assert near or (min(older) + 0.75) / (max(younger) + 0.75) <= 1.5


@given(st.floats(0.01, 30.0), st.floats(0.01, 30.0), AGES)
def test_no_norm_lies_between_ages_that_are_too_far_apart(first, second, age):
    entries = tuple(replace(CONTROL, age_years=years) for years in (first, second))
    found = lookup(Norms(SETTINGS, entries), age_years=age, region="thalamus")
    low, high = sorted((first, second))
    ratios = [(max(years, age) + 0.75) / (min(years, age) + 0.75) for years in (low, high)]
    near = min(ratios) <= SETTINGS.norm_reach
    between = low <= age <= high and (high + 0.75) / (low + 0.75) <= SETTINGS.norm_step
    assert isinstance(found, Norm) is (near or between)


def test_own_controls_fill_a_gap_and_come_first():
    own = replace(CONTROL, age_years=7.2, region="basal ganglia")
    norms = Norms(SETTINGS, (CONTROL, own), published_values())
    assert lookup(norms).source == "ours"
    assert lookup(norms, age_years=3.1, region="thalamus").mean == 1.2
    assert lookup(norms, age_years=9.2).source.startswith("Holmes")


def test_z_knows_the_spread_of_people_their_number_and_the_fit():
    norm = Norm(1.0, 0.1, 4, "ours")
    assert norm.z(0.8, 0.0) == pytest.approx(-0.2 / (0.1 * (1 + 1 / 4) ** 0.5))
    assert abs(norm.z(0.8, 0.2)) < 1


def test_a_voxel_is_of_a_region_if_most_of_it_lies_there():
    assert region_of({"caudate": 0.2, "putamen": 0.35, "thalamus": 0.1}, SETTINGS) == "basal ganglia"
    assert region_of({"thalamus": 0.4, "deep white matter": 0.6}, SETTINGS) is None
    assert region_of({}, SETTINGS) is None


HEADER = ["metabolite", "mean", "sd", "n", "age_years", "region", "field_t", "echo_time_s", "sequence", "source"]
ROW = ["tNAA", "1.2", "0.1", "20", "3.0", "Thalamus", "3", "0.03", "PRESS", "ours"]


def write(folder, header=HEADER, row=ROW, **change):
    row = [change.get(name, cell) for name, cell in zip(header, row, strict=False)]
    path = folder / "controls.tsv"
    path.write_text("\ufeff" + "\t".join(header) + "\r\n" + "\t".join(row) + "\r\n", encoding="utf-8")
    return path


def test_controls_are_read_as_people_save_them(tmp_path):
    path = write(tmp_path, [*HEADER, "note"], [*ROW, 'a "quoted" word'])
    assert read_controls(path) == (CONTROL,)
    assert Norms.load(replace(SETTINGS, norm_controls=str(path))).controls == (CONTROL,)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"echo_time_s": "30"}, "echo_time_s"), ({"sd": "n/a"}, "sd"), ({"n": "1"}, "n"),
     ({"age_years": "nan"}, "age_years"), ({"region": " "}, "region"), ({"mean": "-1"}, "mean")],
)  # fmt: skip
def test_a_wrong_cell_is_named(tmp_path, change, field):
    with pytest.raises(InputError, match=r"controls\.tsv") as caught:
        read_controls(write(tmp_path, **change))
    assert caught.value.field == field
    assert "row 2" in caught.value.problem


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="lacks columns"):
        read_controls(write(tmp_path, HEADER[1:], ROW[1:]))
    with pytest.raises(InputError, match="cannot be read"):
        read_controls(tmp_path / "nothing.tsv")


def test_every_published_value_names_its_paper_and_lies_in_no_gap():
    assert len(published_values()) > 30
    for entry in published_values():
        assert "doi 10." in entry.source
        assert isinstance(lookup(metabolite=entry.metabolite, age_years=entry.age_years, region=entry.region), Norm)
