"""Rows to files and streams: CSV, JSON and JSON lines, never half a file."""

from .atomic_file import AtomicFile
from .options import CsvOptions, JsonOptions
from .progress import ExportProgress, ProgressCallback, TqdmProgress
from .sources import ArrowStream, BuiltColumns, Row, RowChunks, Rows
from .streaming_exporter import StreamingExporter
from .targets import TargetOptions

__all__ = [
    "ArrowStream",
    "AtomicFile",
    "BuiltColumns",
    "CsvOptions",
    "ExportProgress",
    "JsonOptions",
    "ProgressCallback",
    "Row",
    "RowChunks",
    "Rows",
    "StreamingExporter",
    "TargetOptions",
    "TqdmProgress",
]
