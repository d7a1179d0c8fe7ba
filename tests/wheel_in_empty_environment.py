"""Install the wheel into an empty environment, and run the README's first example there.

python tests/wheel_in_empty_environment.py DIST README (`make package`)
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def first_example(readme: Path) -> tuple[str, str]:
    """Return the first code of a README that has an output, and the output."""
    found = EXAMPLE.search(readme.read_text(encoding="utf-8"))
    assert found is not None, f"{readme} has no example with an output"
    return found[1], found[2]


def run(*words: str | Path, folder: Path) -> str:
    """Return what a program prints; its errors are shown as they come."""
    done = subprocess.run(words, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
    return done.stdout


def main() -> None:
    """Raise where anything is not as it should be."""
    dist, readme = (Path(word).resolve() for word in sys.argv[1:])
    (wheel,) = dist.glob("*.whl")
    code, expected = first_example(readme)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "empty", with_pip=True)
        programs = folder / "empty" / ("Scripts" if sys.platform == "win32" else "bin")
        python = programs / "python"
        run(python, "-m", "pip", "install", "--quiet", "--no-compile", wheel, folder=folder)
        printed = run(python, "-I", "-c", code, folder=folder)
        assert printed == expected, f"the README says {expected!r}, and it printed {printed!r}"
        listed = run(programs / "blackcore-query", "list", "data", folder=folder)
        assert "flights" in listed, listed
    took = time.perf_counter() - began
    sys.stdout.write(f"{wheel.name}: installed where nothing was, and run, in {took:.0f} s\n")


if __name__ == "__main__":
    main()
