"""Settings of what the report shows."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.settings._declare import tuned

__all__ = ["ReportSettings"]


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows (`hlhneuro.report`)."""

    panel_slices: int = tuned(3, "expert-set: axial slices per session that a page shows at a readable size")
    slice_spacing_mm: float = tuned(12.0, "expert-set: two slices closer than this show the same lesion", "mm")
    sessions_per_figure: int = tuned(5, "expert-set: more columns are too narrow on A4")
    quality_positions: tuple[float, ...] = tuned((0.25, 0.5, 0.75), "expert-set: parts of the brain's extent")
    checkerboard_mm: float = tuned(20.0, "expert-set: wider than a gyrus, so that each square shows an edge", "mm")
    edge_sigma_mm: float = tuned(1.5, "expert-set: edges of tissue and not of noise (Marr & Hildreth 1980)", "mm")
    edge_part: float = tuned(0.3, "expert-set: the steepest part of the brain's voxels counts as edge")
    image_dpi: int = tuned(120, "expert-set: sharp on screen, pages stay small", "dpi")
    spectra_as_svg: int = tuned(6, "measured: each vector figure takes about 0.3 MB; more are drawn as PNG")
    max_page_mb: float = tuned(10.0, "expert-set: mail servers and browsers still take it; images shrink above", "MB")
    viewer_max_mb: float = tuned(
        4.5, "expert-set: under half of the page; pictures of three sessions take 4 to 5", "MB"
    )
    viewer_voxel_mm: tuple[float, ...] = tuned(
        (1.5, 1.75, 2.0, 2.5, 3.0), "expert-set: the first that fits; above 3 mm small lesions are no longer seen", "mm"
    )
    viewer_margin_mm: float = tuned(3.0, "expert-set: the brain's edge is seen, skin and face never are", "mm")
    viewer_panes: int = tuned(6, "expert-set: sessions shown at once; browsers keep 8 to 16 graphics contexts")
    lesions_listed: int = tuned(30, "expert-set: rows that can still be read; the table file holds all lesions")
    clinical_window_days: int = tuned(
        14,
        "expert-set: symptoms and cerebrospinal fluid this near to a session stand beside its images; farther ones may "
        "be another state of the disease",
        "d",
    )
    summary_findings: int = tuned(6, "expert-set: gaps that the summary names before it refers to the findings")
    territory_slices: tuple[int, ...] = tuned((4, 2), "expert-set: axial and coronal slices that fit one row on A4")
    territory_classes_percent: tuple[float, ...] = tuned(
        (1.0, 5.0, 20.0, 50.0), "expert-set: classes of colour; a few per cent of a nucleus matter as well as half", "%"
    )
    group_columns: tuple[str, ...] = tuned(
        (), "columns of participants.tsv that divide the cohort; empty for sex and all columns with few groups"
    )
    group_limits: tuple[int, ...] = tuned(
        (2, 6), "expert-set: fewest and most groups that one panel shows side by side"
    )
    echo_classes_s: tuple[float, ...] = tuned(
        (0.06, 0.2), "expert-set: ratios are followed among short, intermediate and long echo times, never across", "s"
    )
    reasons_listed: int = tuned(25, "expert-set: rows of a cohort's page that are read; the rest is folded away")
