"""Write the spectra of one session and the truth that belongs to them."""

from __future__ import annotations

from typing import Any

from hlhneuro.imaging.transform_files import save_itk
from hlhneuro.phantom._files import write_image, write_json
from hlhneuro.phantom._session import SessionTruth
from hlhneuro.phantom.placement import place_voxel, voxel_fractions, voxel_water
from hlhneuro.phantom.spectra import WATER_PPM, Spectrum, SpectrumPlan, make_spectrum, to_nifti_mrs

__all__ = ["write_spectra"]


def write_spectra(session: SessionTruth) -> list[dict[str, object]]:
    """Write every spectrum of the session; return the rows of the table of concentrations."""
    return [
        row
        for number, plan in enumerate(session.visit.spectra)
        for row in _concentration_rows(session, plan, _write_spectrum(session, plan, number))
    ]


def _write_spectrum(session: SessionTruth, plan: SpectrumPlan, number: int) -> Spectrum:
    field_t = session.visit.field_t
    # All spectra of a visit are planned on the same voxel; the head moves a little before each.
    affine = place_voxel(session.head, session.pose, plan.voxel)
    to_truth = session.moved_pose(13, number)
    volumes = voxel_fractions(session.head, session.lesions, to_truth, affine)
    made = make_spectrum(plan, field_t, voxel_water(volumes, field_t), session.seed(number, 14))
    stem = f"{session.stem}_acq-{plan.name}"
    facts = {
        "EchoTime": plan.echo_time_s,
        "RepetitionTime": plan.repetition_time_s,
        "SequenceName": "press",
        "ProtocolName": f"svs_press_te{plan.echo_time_s * 1e3:.0f}",
        "Manufacturer": "hlhneuro phantom",
    }
    for suffix, data in (("svs", made.fid), ("mrsref", made.water)):
        if data is not None:
            image = to_nifti_mrs(data, made, affine, facts | {"WaterSuppressed": suffix == "svs"})
            sidecar = _sidecar(session, plan, made, suffix) | facts
            write_image(session.folder / "mrs" / f"{stem}_{suffix}.nii.gz", image, sidecar)
    session.truth.mkdir(parents=True, exist_ok=True)
    truth = {"VolumeFractions": {name: round(part, 6) for name, part in volumes.items()}, **made.record}
    write_json(session.truth / f"{stem}_truth.json", truth)
    save_itk(to_truth, session.truth / f"{stem}_from-svs_to-truth_mode-points_xfm.txt")
    return made


def _sidecar(session: SessionTruth, plan: SpectrumPlan, made: Spectrum, suffix: str) -> dict[str, Any]:
    suppressed = suffix == "svs"
    facts: dict[str, Any] = {
        "MagneticFieldStrength": session.visit.field_t,
        "ResonantNucleus": ["1H"],
        "SpectrometerFrequency": [made.frequency_mhz],
        "SpectralWidth": round(1.0 / made.dwell_time_s, 6),
        "NumberOfSpectralPoints": made.fid.shape[0],
        "NumberOfTransients": plan.transients if suppressed else 1,
        "AcquisitionVoxelSize": list(plan.voxel.size_mm),
        "PulseSequenceType": "PRESS",
        "WaterSuppression": suppressed,
        "ChemicalShiftReference": WATER_PPM,
    }
    if suppressed and made.water is not None:
        folder = (session.folder / "mrs").relative_to(session.root).as_posix()
        facts["ReferenceSignal"] = f"bids::{folder}/{session.stem}_acq-{plan.name}_mrsref.nii.gz"
    return facts


def _concentration_rows(session: SessionTruth, plan: SpectrumPlan, made: Spectrum) -> list[dict[str, object]]:
    creatine = made.concentrations.get("Cr", 0.0) + made.concentrations.get("PCr", 0.0)
    return [
        {
            "participant_id": f"sub-{session.patient.label}",
            "session_id": f"ses-{session.visit.label}",
            "acq": plan.name,
            "metabolite": name,
            "mmol_per_kg": float(value),
            "ratio_to_tcr": float(value / creatine) if creatine else None,
        }
        for name, value in made.concentrations.items()
    ]
