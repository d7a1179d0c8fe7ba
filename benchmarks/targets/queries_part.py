"""What optimizing gains over the same engine without it, beside peers, and growth with size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import geometric_mean, median

from benchmarks import bench_optimizer
from benchmarks.optimizer_contenders import (
    ByHand,
    DuckDB,
    Polars,
    as_written,
    frames_of,
    ours,
    unoptimized,
)
from benchmarks.optimizer_measure import Contender, Timing, timed
from benchmarks.optimizer_question import Question, Rows
from benchmarks.targets.figures import Figure, Part, figure

PEERS = ("DuckDB", "Polars lazy")
OFF, COLUMNS = "no optimizer", "as written"
GROWING = "range: middle distance, late"
"""The question whose cost is followed as the records become more."""


def measure(
    databases: Mapping[str, Rows],
    *,
    sizes: list[int],
    rounds: int,
    questions: Sequence[Question] = bench_optimizer.QUESTIONS,
) -> Part:
    """Return the gain over the suite, and seconds by size for the plot."""
    frames = frames_of(databases)
    contenders: list[Contender] = [ours(databases), unoptimized(databases), as_written(databases)]
    contenders += [DuckDB(frames), Polars(frames)]
    timings = [timed(question, contenders, rounds) for question in questions]
    growing = next(each for each in bench_optimizer.QUESTIONS if each.title == GROWING)
    grown = growth(databases["flights"], growing, sizes, rounds)
    gains = {each.question.title: [each.ratio(OFF), _over_better_peer(each)] for each in timings}
    return Part(gain(timings), {"gains": gains, "growth": {"title": GROWING, "seconds": grown}})


def gain(timings: list[Timing]) -> list[Figure]:
    """Return by how many percent questions are faster than with the optimizer switched off.

    Beside that, without a target: than with all columns made, each filter over its whole column in
    the order given. That leaves to the optimizer little but the order of the dearer filters.
    """
    ordered = [each for each in timings if each.question.orders]
    return [
        _faster(
            "median_faster_percent",
            "against optimizer=False, the median of {} questions",
            timings,
            OFF,
            median,
            geometric_mean,
        ),
        _faster(
            "worst_faster_percent",
            "against optimizer=False, the worst of {} with an order to choose",
            ordered,
            OFF,
            min,
            min,
        ),
        _faster(
            "worst_of_all_faster_percent",
            "  the worst of all {}",
            timings,
            OFF,
            min,
            min,
            target=None,
        ),
        _faster(
            "median_over_columns_percent",
            "  against whole columns in the order given, the median of {}",
            timings,
            COLUMNS,
            median,
            geometric_mean,
            target=None,
        ),
        _faster(
            "worst_over_columns_percent",
            "  against whole columns in the order given, the worst of {}",
            timings,
            COLUMNS,
            min,
            min,
            target=None,
        ),
        *(_over_peer(peer, timings) for peer in PEERS),
    ]


def _faster(
    name: str,
    which: str,
    timings: list[Timing],
    baseline: str,
    chosen: Callable[[list[float]], float],
    chosen_of_peers: Callable[[list[float]], float],
    *,
    target: float | None = 30.0,
) -> Figure:
    ratios = [each.seconds[baseline] / each.seconds["ours"] for each in timings]
    over_peers = [ratio for each in timings if (ratio := _over_better_peer(each)) is not None]
    return Figure(
        name,
        "optimization",
        which.format(len(timings)),
        "% faster",
        100 * (chosen(ratios) - 1),
        "above",
        target,
        peer="better of DuckDB, Polars",
        times_better=chosen_of_peers(over_peers),
    )


def _over_peer(peer: str, timings: list[Timing]) -> Figure:
    asked = [ratio for each in timings if (ratio := each.ratio(peer)) is not None]
    return figure(
        f"over_{peer.split(maxsplit=1)[0].lower()}_times",
        "optimization",
        f"  {peer}'s time over ours, geometric mean of {len(asked)}",
        "x",
        geometric_mean(asked),
        "above",
    )


def _over_better_peer(timing: Timing) -> float | None:
    asked = [timing.seconds[peer] for peer in PEERS if peer in timing.seconds]
    return min(asked) / timing.seconds["ours"] if asked else None


def growth(
    rows: Rows, question: Question, sizes: list[int], rounds: int
) -> dict[str, list[tuple[int, float]]]:
    """Return rows and seconds of one question, by who answers it."""
    grown: dict[str, list[tuple[int, float]]] = {}
    for size in sizes:
        databases = {"flights": rows[:size]}
        frames = frames_of(databases)
        contenders: list[Contender] = [ours(databases), ByHand(databases)]
        contenders += [DuckDB(frames), Polars(frames)]
        for name, seconds in timed(question, contenders, rounds).seconds.items():
            grown.setdefault(name, []).append((size, seconds))
    return grown
