from . import figures
from .assessment import assess
from .findings import Findings, IntervalFacts, SessionFacts
from .html import write_group_report, write_report
from .methods import Methods, methods_of
from .results import StageStatus, SubjectResults
from .spectral_columns import FIT_COLUMNS, GRID_VOXEL_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS
from .tables import COLUMNS, columns_of, findings_table, tables_of

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
    "columns_of",
    "figures",
    "findings_table",
    "methods_of",
    "tables_of",
    "write_group_report",
    "write_report",
]
