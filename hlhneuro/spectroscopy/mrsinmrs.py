"""The table of minimum reporting standards (MRSinMRS) of one spectrum, filled from its data and its fit.

References
----------
Lin A et al. Minimum reporting standards for in vivo magnetic resonance spectroscopy (MRSinMRS): experts' consensus
recommendations. NMR Biomed 2021;34:e4484.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.fitting import SpectrumFit
from hlhneuro.spectroscopy.spectra import Spectrum

__all__ = ["MISSING", "mrsinmrs_table"]

MISSING = "not stated in the data"
_MAIN = ("tNAA", "tCr", "tCho", "mI", "Glx", "Lac")
Rows = list[tuple[str, str]]


def mrsinmrs_table(
    spectrum: Spectrum,
    fit: SpectrumFit | None,
    settings: SpectraSettings,
    *,
    software: str,
    region: str = "",
) -> pd.DataFrame:
    """Return every item that a report of this spectrum has to state.

    Nothing is filled in by habit: what neither the file nor its sidecar says is *not stated in the data*.

    Parameters
    ----------
    spectrum : Spectrum
        As it was read, with coils and transients.
    fit : SpectrumFit, optional
        None where there is no fit: the last two sections then say so.
    settings : SpectraSettings
        For the criteria of exclusion.
    software : str
        Name and version of the analysis.
    region : str
        Where the voxel lies, if the caller knows better than the header.

    Returns
    -------
    DataFrame
        Columns ``section``, ``item``, ``value``: text, in the order of the published table.
    """
    sections = {
        "hardware": _hardware(spectrum),
        "acquisition": _acquisition(spectrum, region),
        "analysis": _analysis(fit, software),
        "quality": _quality(fit, settings),
    }
    rows = [(name, item, value or MISSING) for name, found in sections.items() for item, value in found]
    return pd.DataFrame(rows, columns=["section", "item", "value"])


def _hardware(spectrum: Spectrum) -> Rows:
    header = spectrum.header
    coils = spectrum.fid.shape[1 + spectrum.dimensions.index("DIM_COIL")] if "DIM_COIL" in spectrum.dimensions else 0
    channels = f"{coils} channels stored" if coils else _text(header, "NumberReceiveCoilActiveElements", " channels")
    receive = _text(header, "ReceiveCoilName") or _text(header, "RxCoil")
    return [
        ("field strength", f"{spectrum.field_t:.3g} T ({spectrum.spectrometer_frequency_mhz:.4g} MHz)"),
        ("manufacturer", _text(header, "Manufacturer")),
        ("model", _text(header, "ManufacturersModelName")),
        ("software of the scanner", _text(header, "SoftwareVersions")),
        ("nucleus", spectrum.nucleus),
        ("receive coil", ", ".join(filter(None, (receive, channels)))),
        ("transmit coil", _text(header, "TransmitCoilName") or _text(header, "TxCoil")),
        ("additional hardware", ""),
    ]


def _acquisition(spectrum: Spectrum, region: str) -> Rows:
    header = spectrum.header
    edges = np.linalg.norm(spectrum.affine[:3, :3], axis=0)
    centre = spectrum.affine[:3, 3]
    place = region or _text(header, "BodyPartDetails") or _text(header, "BodyPart")
    where = f"centre at {centre[0]:.1f}, {centre[1]:.1f}, {centre[2]:.1f} mm (scanner, RAS)"
    names = (_text(header, name) for name in ("PulseSequenceType", "SequenceName", "ProtocolName"))
    said = ", ".join(dict.fromkeys(filter(None, names)))
    return [
        ("pulse sequence", " ".join(filter(None, ((spectrum.sequence or "").upper(), said and f"({said})")))),
        ("voxel location", ", ".join(filter(None, (place, where)))),
        ("nominal voxel size", f"{edges[0]:.3g} x {edges[1]:.3g} x {edges[2]:.3g} mm, {spectrum.volume_ml:.3g} ml"),
        ("repetition time", _milliseconds(spectrum.repetition_time_s)),
        ("echo time", _milliseconds(spectrum.echo_time_s)),
        (
            "mixing time",
            _text(header, "MixingTime", " s") or ("" if spectrum.sequence == "steam" else "not applicable"),
        ),
        ("number of transients", _transients(spectrum)),
        ("spectral width", f"{1 / spectrum.dwell_time_s:.0f} Hz"),
        ("spectral points", str(spectrum.points)),
        ("frequency offset of transmission", _text(header, "TxOffset", " ppm")),
        ("flip angle", _text(header, "ExcitationFlipAngle", " degree")),
        ("water suppression", _suppression(header)),
        ("outer volume suppression", _text(header, "OuterVolumeSuppression")),
        ("shimming", _text(header, "B0ShimmingTechnique") or _text(header, "ShimmingMethod")),
        ("triggering or motion correction", _text(header, "SequenceTriggered")),
    ]


def _analysis(fit: SpectrumFit | None, software: str) -> Rows:
    if fit is None:
        return [("analysis software", software), ("output", "no fit")]
    steps = [name for name, _ in fit.record]
    steps = [name for name in steps[: steps.index("basis")] if name not in ("acquisition", "water reference")]
    facts = dict(fit.record)
    scale, basis = facts.get("quantification", {}), facts.get("basis", {})
    functions = [str(name) for name in _sequence(basis.get("functions"))]
    notes = "; ".join(str(note) for note in _sequence(scale.get("notes")))
    return [
        ("analysis software", software),
        ("processing steps", ", ".join(steps)),
        ("output", f"concentrations in {scale.get('unit', 'a.u.')}, ratios to total creatine"),
        ("quantification reference and assumptions", notes),
        ("basis set", f"{basis.get('source', '')}: {len(functions)} functions ({', '.join(functions)})"),
        ("fitting model", "linear combination of basis functions with a penalised spline baseline"),
    ]


def _quality(fit: SpectrumFit | None, settings: SpectraSettings) -> Rows:
    criteria = (
        f"not usable: SNR below {settings.worst_snr:g}, linewidth above {settings.worst_linewidth_ppm:g} ppm, "
        f"or more than {settings.worst_residual:.0%} of the signal unexplained"
    )
    if fit is None:
        return [("exclusion criteria", criteria), ("verdict", "no fit")]
    quality = fit.quality
    facts = dict(fit.record)
    told = facts.get("transients", {})
    rejected = (
        f"{len(_sequence(told.get('rejected')))} of {told['count']}" if "count" in told else "transients not stored"
    )
    table = fit.concentrations.set_index("metabolite").crlb_percent
    bounds = ", ".join(f"{name} {table[name]:.0f} %" for name in _MAIN if name in table.index and table[name] < 999)
    reasons = "; ".join(str(reason) for reason in _sequence(quality.get("reasons")))
    return [
        (
            "signal-to-noise ratio",
            f"{quality['snr']:.1f} (highest metabolite peak over two standard deviations of noise)",
        ),
        ("linewidth", f"{quality['linewidth_hz']:.1f} Hz, {quality['linewidth_ppm']:.3f} ppm (strongest singlet)"),
        ("frequency shift", f"{quality['shift_ppm']:.3f} ppm"),
        ("rejected transients", rejected),
        ("exclusion criteria", criteria),
        ("Cramer-Rao bounds", bounds or "none below 999 %"),
        ("residual", f"{quality['residual_ratio']:.2f} standard deviations of the noise"),
        ("verdict", f"{quality['verdict']}{f' ({reasons})' if reasons else ''}"),
        ("sample spectrum", "figure of the fit, beside this table"),
    ]


def _transients(spectrum: Spectrum) -> str:
    stored = [
        size for name, size in zip(spectrum.dimensions, spectrum.fid.shape[1:], strict=True) if name != "DIM_COIL"
    ]
    said = _text(spectrum.header, "NumberOfTransients") or _text(spectrum.header, "NumberOfAverages")
    return ", ".join(filter(None, (said, f"{int(np.prod(stored))} stored" if stored else "")))


def _suppression(header: Mapping[str, Any]) -> str:
    how = _text(header, "WaterSuppressionType") or _text(header, "WaterSuppressionTechnique")
    on = header.get("WaterSuppressed", header.get("WaterSuppression"))
    return how or ("" if on is None else "on, method not stated in the data" if on else "off")


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.4g} ms"


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(header: Mapping[str, Any], name: str, unit: str = "") -> str:
    """Return a header field as text; NIfTI-MRS keeps some in lists, and fields of others beside a description."""
    value = header.get(name)
    if isinstance(value, Mapping):
        value = value.get("Value")
    if isinstance(value, list | tuple):
        value = ", ".join(str(part) for part in value)
    if value is None or str(value).strip() == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{str(value).strip().strip(chr(34))}{unit}"
