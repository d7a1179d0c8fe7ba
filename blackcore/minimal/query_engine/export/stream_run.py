"""One export to whoever takes its blocks: the body of an HTTP response, for one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeAlias

from .pipeline import Crew
from .sources import is_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .compression import Codec
    from .job import ExportJob
    from .progress import ProgressCallback

Blocks: TypeAlias = Generator[bytes, None, None]


async def stream(
    job: ExportJob, callback: ProgressCallback | None, codec: Codec | None
) -> AsyncGenerator[bytes, None]:
    """Yield the text in blocks, one formatted ahead while the last is on its way.

    Nothing is formatted beyond that until the consumer asks again. Closing the generator ends
    the thread and closes the source.

    Raises:
        ExportError: an option or a row would not do. For what stands in the first block this is
            before anything is yielded.
    """
    job = job.beside_loop()
    feed = job.data if is_async(job.data) else None
    async with Crew(feed, job.settings, callback) as crew:
        chunks = None if feed is None else crew.handoff
        blocks = _compressed(
            lambda: job.asked().blocks(pause=crew.handoff.pause, chunks=chunks), codec
        )
        try:
            coming = crew.submit(lambda: next(blocks, None))
            while (block := await crew.result(coming)) is not None:
                progress = None if crew.reporter is None else job.tally.due()
                if crew.reporter is not None and progress is not None:
                    crew.reporter.report(progress)
                coming = crew.submit(lambda: next(blocks, None))
                yield block
            await crew.finish(job.tally.report(finished=True))
        finally:
            crew.handoff.stop()
            crew.submit(blocks.close)


def _compressed(make: Callable[[], Blocks], codec: Codec | None) -> Blocks:
    """Yield the blocks, compressed where there is a codec; nothing is made before the first."""
    blocks = make()
    try:
        for block in blocks:
            ready = block if codec is None else bytes(codec.compress(block))
            if ready:
                yield ready
        if codec is not None:
            yield bytes(codec.flush())
    finally:
        blocks.close()
