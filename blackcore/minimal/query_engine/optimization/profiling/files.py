"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ...errors import ExportPathError


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that whoever reads it meanwhile sees the old one or the new one.

    Raises:
        ExportPathError: it cannot be written; what was there before is untouched.
    """
    target = Path(path)
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(made).replace(target)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportPathError(f"cannot write {str(target)!r}: {error.strerror}") from error
