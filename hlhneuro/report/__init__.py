"""From results to words and pictures: findings, tables, figures and pages."""

from __future__ import annotations

from hlhneuro.report import figures
from hlhneuro.report.findings import Findings, IntervalFacts, SessionFacts, assess
from hlhneuro.report.html import write_group_report, write_report
from hlhneuro.report.methods import Methods, methods_of
from hlhneuro.report.mrsi_view import GRID_VOXEL_COLUMNS
from hlhneuro.report.results import StageStatus, SubjectResults
from hlhneuro.report.tables import COLUMNS, FIT_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS, findings_table, tables_of

__all__ = [
    "COLUMNS",
    "FIT_COLUMNS",
    "GRID_VOXEL_COLUMNS",
    "MRSINMRS_COLUMNS",
    "QC_COLUMNS",
    "Findings",
    "IntervalFacts",
    "Methods",
    "SessionFacts",
    "StageStatus",
    "SubjectResults",
    "assess",
    "figures",
    "findings_table",
    "methods_of",
    "tables_of",
    "write_group_report",
    "write_report",
]
