"""Acquisition facts: units, ranges, and no default anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.errors import InputError
from hlhneuro.study.layout import Scan
from hlhneuro.study.metadata import PHYSICAL_RANGES, Acquisition, read_acquisition


def scan(**sidecar):
    return Scan(Path("sub-01_svs.nii.gz"), "mrs", "svs", {"sub": "01"}, sidecar)


def test_nothing_is_assumed():
    assert read_acquisition(scan()) == Acquisition()
    assert read_acquisition(scan(EchoTime=None)).echo_time_s is None
    assert read_acquisition(scan()).scanner is None


def test_facts_are_read():
    facts = read_acquisition(
        scan(
            EchoTime=0.03,
            RepetitionTime="1.5",
            InversionTime=[2.2, 2.2],
            MagneticFieldStrength=3,
            Manufacturer=" Siemens ",
            ManufacturersModelName="Prisma",
            ScanningSequence=["SE", "IR"],
        )
    )
    assert (facts.echo_time_s, facts.repetition_time_s, facts.inversion_time_s) == (0.03, 1.5, 2.2)
    assert facts.sequence == "SE IR"
    assert facts.scanner == "Siemens Prisma 3 T"


@pytest.mark.parametrize(
    ("sidecar", "remedy"),
    [
        ({"EchoTime": 30}, "milliseconds: write 0.03"),
        ({"EchoTime": 144.0}, "milliseconds: write 0.144"),
        ({"RepetitionTime": 1500}, "milliseconds: write 1.5"),
        ({"MagneticFieldStrength": 15000}, "gauss: write 1.5"),
        ({"EchoTime": 0}, "unit is s"),
        ({"EchoTime": -0.03}, "unit is s"),
        ({"EchoTime": "thirty"}, "one number in s"),
        ({"EchoTime": [0.03, 0.144]}, "one number in s"),
        ({"EchoTime": True}, "one number in s"),
        ({"EchoTime": float("nan")}, "one number in s"),
        ({"FlipAngle": 999}, "unit is deg"),
    ],
)
def test_what_physics_does_not_allow_is_refused(sidecar, remedy):
    ((field, found),) = sidecar.items()
    with pytest.raises(InputError, match=remedy) as caught:
        read_acquisition(scan(**sidecar))
    assert caught.value.field == field
    assert caught.value.found is found
    assert caught.value.path == Path("sub-01_svs.nii.gz")


@given(st.floats(0.008, 0.3))
def test_no_usual_echo_time_passes_in_milliseconds(echo_time_s):
    assert read_acquisition(scan(EchoTime=echo_time_s)).echo_time_s == echo_time_s
    with pytest.raises(InputError, match="milliseconds"):
        read_acquisition(scan(EchoTime=echo_time_s * 1000))


def test_every_range_has_a_source_and_is_one():
    for allowed in PHYSICAL_RANGES.values():
        assert allowed.low < allowed.high
        assert "expert-set" in allowed.source
