"""Rows to files and streams: CSV, JSON and JSON lines, never half a file."""

from .atomic_file import AtomicFile
from .options import CsvOptions, JsonOptions
from .progress import ExportProgress, ProgressCallback, TqdmProgress
from .sources import ArrowStream, Row, Rows
from .streaming_exporter import StreamingExporter
from .targets import TargetOptions

__all__ = [
    "ArrowStream",
    "AtomicFile",
    "CsvOptions",
    "ExportProgress",
    "JsonOptions",
    "ProgressCallback",
    "Row",
    "Rows",
    "StreamingExporter",
    "TargetOptions",
    "TqdmProgress",
]
