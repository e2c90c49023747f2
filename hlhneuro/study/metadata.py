"""Typed acquisition facts from sidecars: units in the names, and every number within what physics allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hlhneuro.errors import InputError
from hlhneuro.study.layout import Scan

__all__ = ["PHYSICAL_RANGES", "Acquisition", "PhysicalRange", "read_acquisition"]


class PhysicalRange(NamedTuple):
    """Where a sidecar field can lie at all; outside it is a mistake, most often of unit."""

    low: float
    high: float
    unit: str
    source: str


# Wide on purpose: they catch a wrong unit, not an unusual protocol.
PHYSICAL_RANGES: Mapping[str, PhysicalRange] = {
    "EchoTime": PhysicalRange(
        1e-5, 1.0, "s", "physical range, expert-set: ultra-short echoes start near 10 us; brain signal is gone by 1 s"
    ),
    "RepetitionTime": PhysicalRange(
        1e-3, 30.0, "s", "physical range, expert-set: 1 ms is a gradient's limit; 30 s exceeds full relaxation of CSF"
    ),
    "InversionTime": PhysicalRange(
        1e-3, 10.0, "s", "physical range, expert-set: beyond twice the T1 of CSF at 3 T (3.8 s)"
    ),
    "MagneticFieldStrength": PhysicalRange(
        0.02, 14.1, "T", "physical range, expert-set: ultra-low-field portable to the strongest whole-head magnets"
    ),
    "FlipAngle": PhysicalRange(0.1, 360.0, "deg", "physical range, expert-set"),
    "SliceThickness": PhysicalRange(0.1, 30.0, "mm", "physical range, expert-set: beyond 30 mm no brain image"),
}


@dataclass(frozen=True)
class Acquisition:
    """How one scan was acquired; None where the sidecar does not say, never a default.

    Parameters
    ----------
    echo_time_s, repetition_time_s, inversion_time_s : float, optional
    field_strength_t, flip_angle_deg, slice_thickness_mm : float, optional
    manufacturer, model, sequence, receive_coil : str, optional
        `sequence` is ``PulseSequenceType``, else ``ScanningSequence``, else ``SequenceName``, as written.
    contrast_agent : str, optional
        ``ContrastBolusIngredient``.
    """

    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    inversion_time_s: float | None = None
    field_strength_t: float | None = None
    flip_angle_deg: float | None = None
    slice_thickness_mm: float | None = None
    manufacturer: str | None = None
    model: str | None = None
    sequence: str | None = None
    receive_coil: str | None = None
    contrast_agent: str | None = None

    @property
    def scanner(self) -> str | None:
        """Manufacturer, model and field strength in one text, for "is it the same scanner?"; None if all unknown."""
        field = f"{self.field_strength_t:g} T" if self.field_strength_t is not None else None
        return " ".join(filter(None, (self.manufacturer, self.model, field))) or None


def read_acquisition(scan: Scan) -> Acquisition:
    """Return the acquisition facts of a scan.

    Raises
    ------
    InputError
        If a value is no number or lies outside its physical range (an echo time of 30 s).
    """
    return Acquisition(
        echo_time_s=_quantity(scan, "EchoTime"),
        repetition_time_s=_quantity(scan, "RepetitionTime", "RepetitionTimePreparation", "RepetitionTimeExcitation"),
        inversion_time_s=_quantity(scan, "InversionTime"),
        field_strength_t=_quantity(scan, "MagneticFieldStrength"),
        flip_angle_deg=_quantity(scan, "FlipAngle"),
        slice_thickness_mm=_quantity(scan, "SliceThickness"),
        manufacturer=_text(scan, "Manufacturer"),
        model=_text(scan, "ManufacturersModelName"),
        sequence=_text(scan, "PulseSequenceType", "ScanningSequence", "SequenceName"),
        receive_coil=_text(scan, "ReceiveCoilName"),
        contrast_agent=_text(scan, "ContrastBolusIngredient"),
    )


def _quantity(scan: Scan, *fields: str) -> float | None:
    """Return the first of the fields that is there."""
    field = next((name for name in fields if scan.sidecar.get(name) is not None), None)
    if field is None:
        return None
    found = scan.sidecar[field]
    number: Any = found
    if isinstance(found, list) and len(set(map(str, found))) == 1:
        number = found[0]
    if isinstance(number, str):
        number = _number_in(number)
    allowed = PHYSICAL_RANGES[fields[0]]
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise InputError(
            "not a single number",
            remedy=f"write one number in {allowed.unit}, or remove the field",
            path=scan.path,
            field=field,
            found=found,
        )
    if allowed.low <= number <= allowed.high:
        return float(number)
    raise InputError(
        f"outside the physical range of {allowed.low:g} to {allowed.high:g} {allowed.unit}",
        remedy=_remedy(float(number), allowed),
        path=scan.path,
        field=field,
        found=found,
    )


def _number_in(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _remedy(number: float, allowed: PhysicalRange) -> str:
    in_seconds = number / 1000
    if allowed.unit == "s" and number > 0 and allowed.low <= in_seconds <= allowed.high:
        return f"BIDS wants seconds and this looks like milliseconds: write {in_seconds:g}"
    if allowed.unit == "T" and allowed.low <= number / 10_000 <= allowed.high:
        return f"BIDS wants tesla and this looks like gauss: write {number / 10_000:g}"
    return f"correct the sidecar; the unit is {allowed.unit}"


def _text(scan: Scan, *fields: str) -> str | None:
    for field in fields:
        value = scan.sidecar.get(field)
        if isinstance(value, list):
            value = " ".join(str(item) for item in value)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None
