from __future__ import annotations

import pickle

import pytest

from hlhneuro.answers import Answer, Finding
from hlhneuro.errors import InputError


def test_an_error_names_file_field_value_and_remedy_and_survives_a_process_border() -> None:
    error = InputError("echo time out of range", path="a.json", field="EchoTime", found=30, remedy="give seconds")
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(one, InputError)
        assert str(one) == "a.json: EchoTime: echo time out of range (found: 30). Remedy: give seconds"


def test_an_error_from_deeper_down_gets_its_file() -> None:
    error = InputError("echo time out of range", field="EchoTime", found=30, remedy="give seconds").in_file("a.json")
    assert isinstance(error, InputError)
    assert str(error) == "a.json: EchoTime: echo time out of range (found: 30). Remedy: give seconds"


def test_a_finding_without_a_reason_cannot_exist() -> None:
    with pytest.raises(ValueError, match="no reason"):
        Finding("lactate", "Lactate", Answer.NOT_ASSESSABLE, "", "spectrum")


def test_a_finding_becomes_plain_json_types() -> None:
    found = Finding("lactate", "Lactate", Answer.PRESENT, "doublet at 1.3 ppm", "spectrum", ("01",)).to_dict()
    assert found["answer"] == "present"
    assert found["sessions"] == ["01"]
