from . import figures
from .account.assessment import assess
from .account.findings import Findings, IntervalFacts, SessionFacts
from .html import write_group_report, write_report
from .methods import Methods, methods_of
from .results import StageStatus, SubjectResults
from .tables.build import findings_table, tables_of
from .tables.columns import COLUMNS, columns_of
from .tables.spectral_columns import FIT_COLUMNS, GRID_VOXEL_COLUMNS, MRSINMRS_COLUMNS, QC_COLUMNS

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
