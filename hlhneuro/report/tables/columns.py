"""Every column of every table: its unit and what it means."""

from __future__ import annotations

import pandas as pd

from hlhneuro.report.registrations import MEASURES
from hlhneuro.report.tables.spectral_columns import FIT_COLUMNS, GRID_COLUMNS, QC_COLUMNS
from hlhneuro.report.tables.visits import VISIT_COLUMNS, covariate_columns

__all__ = ["COLUMNS", "columns_of"]

Column = tuple[str, str]

_SUBJECT: dict[str, Column] = {"subject": ("", "Patient label, without sub-")}
_SESSION: dict[str, Column] = {
    **_SUBJECT,
    "session": ("", "Session label, without ses-"),
    "date": ("", "Day of the session, ISO 8601"),
    "age_years": ("years", "Age at the session"),
}
_PLACE: dict[str, Column] = {"territory": ("", "Name of the territory"), "side": ("", "left, right or midline")}

COLUMNS: dict[str, dict[str, Column]] = {
    "visits": {**_SESSION, **VISIT_COLUMNS},
    "lesions": {
        **_SESSION,
        "lesion": ("", "Identity of the lesion, the same number at every session"),
        **_PLACE,
        "volume_ml": ("ml", "Volume of the lesion"),
        "volume_sd_ml": ("ml", "Standard uncertainty of the volume"),
        "change_ml": ("ml", "Change of the volume since the session before; empty at the first"),
        "change_sd_ml": ("ml", "Standard uncertainty of the change"),
        "smallest_real_change_ml": ("ml", "A change smaller than this is within the measurement error"),
        "status": (
            "",
            "first, new, enlarged, stable, shrunk, resolved, reappeared, merged or split, against the session before; "
            "not comparable where the two share no contrast that shows lesions",
        ),
        "parts": ("", "Separate pieces of the lesion; what has flowed together is one lesion, so volumes come first"),
        "x_mm": ("mm", "Centroid in subject space, positive to the patient's right"),
        "y_mm": ("mm", "Centroid in subject space, positive to the front"),
        "z_mm": ("mm", "Centroid in subject space, positive upwards"),
    },
    "signs": {
        **_SESSION,
        "lesion": ("", "Identity of the lesion; 0 for a sign of the session as a whole"),
        "sign": (
            "",
            "contrast_enhancement, leptomeningeal_enhancement, restricted_diffusion, raised_diffusion, "
            "t1_hypointensity, susceptibility, mass_effect or volume_loss",
        ),
        "answer": ("", "present, absent or not assessable; the same in all rows of a lesion, session and sign"),
        "kind": ("", "Form of an enhancement that is present: nodular, ring or diffuse"),
        "measure": ("", "What the value is; the first of a sign is the one that decides; empty where there is none"),
        "value": ("", "Measured value, in the unit that the column 'unit' names"),
        "standard_uncertainty": ("", "Standard uncertainty of the value, in the same unit"),
        "unit": ("", "Unit of value and uncertainty; empty for a fraction or ratio"),
        "reason": ("", "What the answer rests on, or what is missing"),
    },
    "intervals": {
        **_SUBJECT,
        "before": ("", "Label of the earlier session"),
        "after": ("", "Label of the later session"),
        "span": ("", "interval: from one session to the next; course: from the first to the last"),
        "date_before": ("", "Day of the earlier session, ISO 8601"),
        "date_after": ("", "Day of the later session, ISO 8601"),
        "days": ("d", "Days between the two sessions"),
        "new_ml": ("ml", "Lesion that touches no lesion of the earlier session"),
        "enlarged_ml": ("ml", "Growth of lesions that were there"),
        "stable_ml": ("ml", "Lesion at both sessions"),
        "shrunk_ml": ("ml", "Part that lesions lost which are still there"),
        "resolved_ml": ("ml", "Lesions that are gone"),
        "net_ml": ("ml", "Change of the lesion load"),
        "net_sd_ml": ("ml", "Standard uncertainty of the change"),
        "smallest_real_change_ml": ("ml", "A change smaller than this is within the measurement error"),
        "within_error": ("", "Whether the change of the load is within the measurement error"),
        "reason": ("", "Why the two sessions cannot be compared; the numbers are then empty"),
    },
    "territories": {
        **_SESSION,
        **_PLACE,
        "territory_ml": ("ml", "Volume of the territory"),
        "load_ml": ("ml", "Lesion in the territory"),
        "load_sd_ml": (
            "ml",
            "Standard uncertainty of the load, from those of the lesions that reach into the territory",
        ),
        "load_fraction": ("", "Lesion in the territory as a fraction of it"),
        "lesions": ("", "Count of lesions that reach into the territory"),
        "affected": ("", "Whether the territory counts as affected"),
    },
    "volumes": {
        **_SESSION,
        "structure": ("", "lesion_load, brain, gm, wm or csf (tissue without lesions)"),
        "volume_ml": ("ml", "Volume"),
        "volume_sd_ml": ("ml", "Standard uncertainty of the volume"),
        "confidence": (
            "",
            "full, reduced or supplied (a mask of the user) for a lesion load; empty for other structures",
        ),
        "reason": ("", "Why a volume or its uncertainty is missing, or what limits it"),
    },
    "volume_change": {
        **_SUBJECT,
        "before": ("", "Label of the earlier session"),
        "after": ("", "Label of the later session"),
        "span": ("", "interval: from one session to the next; course: from the first to the last"),
        "structure": ("", "brain (parenchyma) or ventricles"),
        "volume_ml": ("ml", "Mean of both sessions: what the change refers to, no volumetry"),
        "change_ml": ("ml", "Change of the volume"),
        "change_sd_ml": ("ml", "Standard uncertainty of the change"),
        "change_percent": ("%", "Change as a part of the volume at the earlier session"),
        "log_change": ("", "Change of the natural logarithm of the volume"),
        "log_change_sd": ("", "Standard uncertainty of the logarithmic change"),
        "gap_ml": ("ml", "Difference between the two directions of the measurement"),
        "level_gap_ml": ("ml", "Difference between the two halves of the step from fluid to tissue"),
        "expected_log_change": ("", "What a healthy person of that age would show; empty if not known"),
        "expected_log_change_sd": ("", "Standard uncertainty of the expected change of one person"),
        "excess_log_change": ("", "What growth does not explain"),
        "excess_log_change_sd": ("", "Standard uncertainty of the excess"),
        "expected_source": ("", "Where the expected change comes from"),
        "steroids": ("", "Whether steroids may have moved the volumes; empty if that cannot be said"),
        "reason": ("", "Why there is no measurement, or what stays in doubt"),
    },
    "spectra": {
        **_SESSION,
        "spectrum": ("", "Entities of the spectrum"),
        "echo_time_s": ("s", "Echo time"),
        "sequence": ("", "Localisation sequence"),
        "water_reference": ("", "Whether a water reference of the same voxel was used"),
        **FIT_COLUMNS,
        **{name: QC_COLUMNS[name] for name in ("snr", "linewidth_hz", "linewidth_ppm", "verdict")},
        "voxel_gm": ("", "Fraction of grey matter in the voxel"),
        "voxel_wm": ("", "Fraction of white matter in the voxel"),
        "voxel_csf": ("", "Fraction of cerebrospinal fluid in the voxel"),
        "voxel_lesion": ("", "Fraction of lesion in the voxel"),
        "reason": ("", "Why there is no fit, or no tissue fractions"),
    },
    "mrsi": {**_SESSION, **GRID_COLUMNS},
    "registrations": {
        **_SUBJECT,
        "moving": ("", "The image that was moved: session and contrast"),
        "fixed": ("", "The image it was moved to"),
        **{name: (measure.unit, f"{measure.title}: {measure.good}") for name, measure in MEASURES.items()},
        "accepted": ("", "Whether the registration is relied on"),
        "reason": ("", "Why it is, or is not"),
    },
    "noise": {
        **_SESSION,
        "contrast": ("", "Contrast of the image"),
        "noise_sd": (
            "",
            "Residual between sessions in unchanged tissue, after normal white matter was made 1; maps with "
            "units keep theirs",
        ),
    },
    "findings": {
        **_SUBJECT,
        "session": ("", "Labels of the sessions that the finding speaks of, in order of time, separated by commas"),
        "kind": ("", "imaging, spectra, clinical or study: what the finding comes from"),
        "code": ("", "Stable name of the question"),
        "label": ("", "The question in plain words"),
        "answer": ("", "present, absent or not assessable"),
        "reason": ("", "What the answer rests on, or what is missing"),
        "scope": ("", "subject, interval, session or spectrum"),
        "subject_of": ("", "The territory, lesion or spectrum that it speaks of"),
        "value": ("", "Measured value, in the unit that the column 'unit' names"),
        "standard_uncertainty": ("", "Standard uncertainty of the value, in the same unit"),
        "unit": ("", "Unit of value, uncertainty and threshold"),
        "threshold": ("", "What the value was compared with"),
        "threshold_source": ("", "Where the threshold comes from"),
    },
}


def columns_of(name: str, table: pd.DataFrame) -> dict[str, Column]:
    """Return unit and meaning of every column of a table, the covariates of a study in ``visits`` included."""
    return COLUMNS[name] | (covariate_columns(table.columns) if name == "visits" else {})
