"""Settings of the recovery run: what is put into a patient's own images."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.settings._declare import tuned

__all__ = ["RecoverySettings"]


@dataclass(frozen=True)
class RecoverySettings:
    """Known lesions in a patient's own images (`hlhneuro.pipeline.recovery`)."""

    volumes_ml: tuple[float, ...] = tuned(
        (0.1, 0.1, 0.3, 0.3, 1.0, 1.0, 3.0),
        "expert-set: from the smallest that readers count to a confluent one; few enough to leave the tissue normal",
        "ml",
    )
    contrast: float = tuned(
        0.35, "expert-set: brightness on FLAIR above white matter, between faint and plain", "of white matter"
    )
    white_probability: float = tuned(0.5, "expert-set: where white matter is the likeliest tissue")
    tissue_probability: float = tuned(0.8, "expert-set: hardly any fluid within the lesion")
    gap_mm: float = tuned(8.0, "expert-set: two slices; to other lesions and to what was put in", "mm")
    depth_mm: float = tuned(2.0, "expert-set: below the border of the brain", "mm")
    seed: int = tuned(0, "any number: the same one puts lesions at the same places")
