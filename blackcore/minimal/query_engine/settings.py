"""Every limit and default, with its unit in its name.

Settings are frozen values: make a changed copy with `dataclasses.replace`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Literal, get_args

from .errors import SettingsError

MAX_FILTER_DEPTH = 64
"""Filters nested deeper are refused when a query is built."""

CachePolicy = Literal["lru", "s3fifo", "gdsf"]

CACHE_POLICIES: tuple[CachePolicy, ...] = get_args(CachePolicy)


def _require_positive(settings: object, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not value > 0:  # `not >`: NaN is neither
            raise SettingsError(
                f"{type(settings).__name__}.{name} is {value!r}; it must be a number greater than 0"
            )


def _require_not_negative(settings: object, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        if not value >= 0:
            raise SettingsError(
                f"{type(settings).__name__}.{name} is {value!r}; it must be 0 or greater"
            )


def _require_fraction(settings: object, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1:
            raise SettingsError(f"{type(settings).__name__}.{name} is {value!r}; it is from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTuningSettings:
    """How a cache with `auto_tune` finds its size."""

    min_size_mb: float | None = None
    """It shrinks no further; None: a quarter of `CacheSettings.max_size_mb`."""
    max_size_mb: float | None = None
    """It grows no further; None: four times that."""
    step_fraction: float = 0.25
    """A step up or down, in parts of the size, 0.0 to 1.0."""
    grow_seconds_per_mb: float = 0.1
    """It grows when each mebibyte of a larger cache, of up to twice the size, would have saved so
    many seconds of computing since the last look."""
    min_available_mb: float = 1024
    """It shrinks while the system has less memory left, and grows only where a step leaves it."""
    look_every_insertions: int = 200

    def __post_init__(self) -> None:
        _require_positive(self, ("look_every_insertions", "step_fraction"))
        _require_not_negative(self, ("grow_seconds_per_mb", "min_available_mb"))
        _require_fraction(self, ("step_fraction",))
        bounds = [
            name for name in ("min_size_mb", "max_size_mb") if getattr(self, name) is not None
        ]
        _require_positive(self, tuple(bounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Bounds of the cache that the engine makes when none is passed."""

    max_size_mb: float = 1024
    """Mebibytes: 1024 is a gibibyte."""
    ttl_seconds: float = 3600
    max_entries: int | None = None
    """A bound besides the bytes; None: the bytes alone."""
    policy: CachePolicy = "gdsf"
    """Who has to go for want of room: what saves the least time for its bytes (GDSF), the least
    recently used, or by S3-FIFO. Answers differ a thousandfold in what they cost and weigh."""
    auto_tune: bool = False
    """Whether the cache grows and shrinks by itself, from `max_size_mb` on."""
    tuning: CacheTuningSettings | None = None
    """How it does; None for the defaults."""

    def __post_init__(self) -> None:
        _require_positive(self, ("max_size_mb", "ttl_seconds"))
        if self.max_entries is not None:
            _require_positive(self, ("max_entries",))
        if self.policy not in CACHE_POLICIES:
            raise SettingsError(
                f"CacheSettings.policy is {self.policy!r}; it is one of {', '.join(CACHE_POLICIES)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """How queries are run."""

    columns_from_rows: int = 5_000
    """Below so many records a plain pass over the dicts is cheaper than any column."""
    planned_anew_from_rows: int = 20_000
    """Below so many records a question of a known shape is not planned anew for its values."""
    pattern_timeout_seconds: float = 2.0
    """What a look-around pattern may take over one batch of values."""
    answer_prefix_rows: int = 10_000
    """Under a limit, so many ordered rows are kept at least, so that later pages are hits."""
    columns_max_bytes: int = 1024 * 1024 * 1024
    """What the columns of all databases may keep in memory; the least useful ones go first."""

    def __post_init__(self) -> None:
        _require_positive(
            self, ("pattern_timeout_seconds", "answer_prefix_rows", "columns_max_bytes")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """What a search engine is told when the query does not say."""

    fuzzy_threshold: float = 0.8
    """0.0 to 1.0, as in the fuzzy operator."""
    mode: str = "exact"
    """"exact", "fuzzy", "prefix", or another that the engine knows."""
    case_sensitive: bool = False
    use_stemming: bool = False
    max_indexed_databases: int = 8
    """So many databases' indexes are kept; the least recently searched goes first."""

    def __post_init__(self) -> None:
        _require_positive(self, ("max_indexed_databases",))
        if not 0 <= self.fuzzy_threshold <= 1:
            raise SettingsError(
                f"SearchSettings.fuzzy_threshold is {self.fuzzy_threshold!r}; it is from 0 to 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """How files and streams are written."""

    chunk_rows: int = 1_000_000
    """The most rows gathered ahead of a writer, whatever an export's ``chunk_size`` asks for."""
    chunk_bytes: int = 8 * 1024 * 1024
    """The same bound in bytes, as estimated: rows of large values are gathered fewer at a time."""
    slice_rows: int = 2_000
    """Rows formatted at a time."""
    shared_slice_rows: int = 1_000
    """The same beside an event loop, which cannot run while a slice is formatted."""
    block_bytes: int = 64 * 1024
    """Formatted text is handed on in blocks of at least so many bytes."""
    progress_interval_seconds: float = 0.1
    """Between two reports of progress; the last report always comes. 0.0 reports every block."""
    durable: bool = True
    """Whether a file is forced to disk before it takes its name."""

    def __post_init__(self) -> None:
        _require_positive(
            self, ("chunk_rows", "chunk_bytes", "slice_rows", "shared_slice_rows", "block_bytes")
        )
        if self.progress_interval_seconds < 0:
            raise SettingsError(
                f"ExportSettings.progress_interval_seconds is {self.progress_interval_seconds!r}; "
                "it must be 0 or greater"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderSettings:
    """How a directory of JSON files is read."""

    block_bytes: int = 8 * 1024 * 1024
    """What is read at a time, and so how often progress is reported."""
    load_threads: int = 4
    """Databases loaded at once; beyond the number of cores more only cost memory."""
    read_attempts: int = 3
    """How often a file that changes while it is read is read again."""

    def __post_init__(self) -> None:
        _require_positive(self, tuple(f.name for f in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLogSettings:
    """What a query log keeps, and when it writes."""

    path: str | PathLike[str] | None = None
    """Of the file, which only its owner may read; None for the user's folder for such things, where
    `CacheWarmer` looks for it."""
    max_questions: int = 1_000
    """Different questions kept when the file is compacted, and returned; the coldest go first."""
    max_bytes: int = 4 * 1024 * 1024
    """A larger file is compacted."""
    flush_seconds: float = 5.0
    """What was asked is written so often at most,"""
    flush_questions: int = 256
    """or after so many questions."""
    half_life_seconds: float = 7 * 24 * 3600.0
    """After so long a question counts for half."""

    def __post_init__(self) -> None:
        _require_positive(self, tuple(f.name for f in fields(self) if f.name != "path"))
        if not isinstance(self.path, str | PathLike | None):
            raise SettingsError(
                f"QueryLogSettings.path is {self.path!r}; it must be a path, or None for the "
                "default one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmingSettings:
    """What warming a cache may take."""

    max_seconds: float = 30.0
    """No question is begun later. 0 warms nothing."""
    max_bytes: int = 256 * 1024 * 1024
    """No question is begun when the answers weigh so much together. 0 warms nothing."""
    max_questions: int = 200
    concurrency: int = 2
    """Questions answered at a time, each in a thread."""
    full_fraction: float = 0.9
    """0.0 to 1.0: a cache so full is warmed no further, so that nothing has to leave it."""

    def __post_init__(self) -> None:
        _require_positive(self, ("concurrency",))
        _require_not_negative(self, ("max_seconds", "max_bytes", "max_questions"))
        _require_fraction(self, ("full_fraction",))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilerSettings:
    """How often the profiler looks, and how much it shows."""

    memory_interval_seconds: float = 0.005
    """Between two looks at the resident memory; a look costs some 30 us."""
    stack_interval_seconds: float = 0.001
    """Between two looks at the stack, where stacks are sampled."""
    hottest_functions: int = 10
    """So many functions are shown in a notebook and as text."""

    def __post_init__(self) -> None:
        _require_positive(self, tuple(f.name for f in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowQueryLogSettings:
    """Which queries are noted as slow, and how many notes are kept."""

    threshold_ms: float = 100.0
    """Queries that take as long or longer are noted; 0.0 notes every one."""
    kept_entries: int = 1_000
    """The newest, in memory."""
    file_bytes: int = 16 * 1024 * 1024
    """A file that would grow beyond becomes `<name>.1`, and the one before it goes."""

    def __post_init__(self) -> None:
        _require_not_negative(self, ("threshold_ms",))
        _require_positive(self, ("kept_entries", "file_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAwareSettings:
    """How the cache follows what is searched for. Factors are parts of the usual, which is 1.0."""

    half_life_searches: int = 300
    """After so many searches an old one counts for half."""
    term_share: float = 0.05
    """A text is wanted for what it was asked, and so much of what its rarest term was asked
    besides."""
    prior_searches: float = 10.0
    """How a text is asked (filters, order) is judged by how all are, until it itself was asked
    about so many times."""
    compared_searches: int = 16
    """Who leaves for a newcomer is the least wanted of so many, drawn by chance."""
    min_factor: float = 0.5
    """A search nobody asks for lives so much shorter, and counts for so much less cost;"""
    max_factor: float = 4.0
    """one that everybody asks for so much longer, and more."""
    ttl_seconds: float = 3600.0
    """How long an answer that is brought back lives in a cache that does not tell."""
    max_terms: int = 20_000
    max_searches: int = 10_000
    """Searches that are known, kept in the cache or not."""
    max_rewarmed: int = 50
    """After an update so many of the dropped searches are answered anew, the most asked first,"""
    rewarm_seconds: float = 5.0
    """none of them begun after so long. 0 re-warms nothing."""
    old_version_seconds: float = 60.0
    """When a new version shows up unannounced, the old rows are held so long for a call that says
    what changed."""

    def __post_init__(self) -> None:
        _require_positive(
            self,
            (
                "half_life_searches",
                "prior_searches",
                "compared_searches",
                "min_factor",
                "max_factor",
                "ttl_seconds",
                "max_terms",
                "max_searches",
            ),
        )
        _require_not_negative(
            self, ("term_share", "max_rewarmed", "rewarm_seconds", "old_version_seconds")
        )
        if self.min_factor > self.max_factor:
            raise SettingsError(
                f"SearchAwareSettings.min_factor is {self.min_factor!r}; it must not be above "
                f"max_factor, which is {self.max_factor!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """All settings of one engine."""

    cache: CacheSettings = field(default_factory=CacheSettings)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    query_log: QueryLogSettings | None = None
    """Where and how the engine notes what it is asked, for `CacheWarmer`; None: it does not."""

    def __post_init__(self) -> None:
        if not isinstance(self.query_log, QueryLogSettings | None):
            raise SettingsError(
                f"EngineSettings.query_log is {self.query_log!r}; it must be QueryLogSettings(), "
                "with a path or without, or None"
            )
