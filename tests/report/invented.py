"""A cohort of invented patients: the tables of real runs of made data, with every number moved at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["invented_cohort"]

DIAGNOSES = ("familial HLH", "EBV-HLH", "Griscelli syndrome", "secondary HLH")
PARTS = ("new_ml", "enlarged_ml", "stable_ml", "shrunk_ml", "resolved_ml")


def invented_cohort(tables: Mapping[str, pd.DataFrame], patients: int, seed: int = 5) -> dict[str, pd.DataFrame]:
    """Return tables of that many patients, each made from one of the given; every third has a scanner of its own."""
    rng = np.random.default_rng(seed)
    models = list(dict.fromkeys(tables["visits"]["subject"]))
    made: dict[str, list[pd.DataFrame]] = {name: [] for name in tables}
    for number in range(patients):
        model, factor = models[number % len(models)], float(rng.lognormal(0.0, 0.8))
        shift_years, shift_days = float(rng.uniform(-3, 3)), int(rng.integers(-900, 900))
        spared = set(rng.choice(34, 34 - int(rng.integers(4, 20)), replace=False))
        for name, table in tables.items():
            own = table[table["subject"] == model].assign(subject=f"{number + 1:02d}") if len(table) else table.copy()
            own = _moved(own, factor, shift_years, shift_days, rng)
            if name == "visits":
                own["patient_diagnosis"] = DIAGNOSES[number % 7 % len(DIAGNOSES)]
                own["sex"] = "FM"[number % 2]
                own["field_strength_t"] = 3.0 if number % 3 else 1.5
            if name == "territories" and len(own):
                places = own.groupby(["territory", "side"], sort=False).ngroup()
                own.loc[places.isin(spared), ["load_ml", "load_fraction", "lesions"]] = 0
                own["affected"] = own["load_ml"] >= 0.02
            made[name].append(own)
    return {
        name: pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True) for name, frames in made.items()
    }


def _moved(
    own: pd.DataFrame, factor: float, shift_years: float, shift_days: int, rng: np.random.Generator
) -> pd.DataFrame:
    for column in ("date", "date_before", "date_after"):
        if column in own:
            days = pd.to_datetime(own[column]) + pd.Timedelta(days=shift_days)
            own[column] = days.dt.strftime("%Y-%m-%d")
    if "age_years" in own:
        own["age_years"] = (own["age_years"] + shift_years).clip(lower=0.2)
    if "confidence" in own:  # volumes: brain and tissues stay
        own.loc[own["structure"] == "lesion_load", ["volume_ml", "volume_sd_ml"]] *= factor
    for column in ("load_ml", "load_sd_ml", "load_fraction", *PARTS, "net_ml", "net_sd_ml", "smallest_real_change_ml"):
        if column in own:
            own[column] = own[column] * factor
    if "load_fraction" in own:
        own["load_fraction"] = own["load_fraction"].clip(upper=1.0)
    if "ratio_to_tcr" in own:
        own["ratio_to_tcr"] = own["ratio_to_tcr"] * rng.normal(1.0, 0.15, len(own)).clip(0.5)
    return own
