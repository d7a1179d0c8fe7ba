"""What the README says of other packages named blackcore holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTEND = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
IMPORT = "import blackcore.minimal.query_engine as e; print(e.QueryEngine.__name__)"


def imported(*folders: Path) -> subprocess.CompletedProcess[str]:
    """Import the package in a fresh Python that sees just these folders besides its own."""
    script = f"import sys; sys.path = {[str(f) for f in folders]!r} + sys.path; {IMPORT}"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=folders[0],
    )


def regular_package(folder: Path, *, content: str = "") -> Path:
    """Make a foreign distribution whose two folders are regular packages."""
    minimal = folder / "blackcore" / "minimal"
    minimal.mkdir(parents=True)
    (folder / "blackcore" / "__init__.py").write_text(content)
    (minimal / "__init__.py").write_text(content)
    (minimal / "foreign.py").write_text("")
    return folder


def test_it_works_in_one_folder_with_a_regular_blackcore_package(tmp_path: Path) -> None:
    site = regular_package(tmp_path)
    ours = ROOT / "blackcore" / "minimal" / "query_engine"
    (site / "blackcore" / "minimal" / "query_engine").symlink_to(ours, target_is_directory=True)
    assert imported(site).stdout == "QueryEngine\n"


def test_a_regular_blackcore_package_in_another_folder_hides_it(tmp_path: Path) -> None:
    done = imported(regular_package(tmp_path), ROOT)
    assert "ModuleNotFoundError: No module named 'blackcore.minimal.query_engine'" in done.stderr


def test_a_regular_blackcore_package_that_looks_further_finds_it(tmp_path: Path) -> None:
    done = imported(regular_package(tmp_path, content=EXTEND), ROOT)
    assert done.stdout == "QueryEngine\n", done.stderr


def test_another_namespace_package_beside_it_keeps_working(tmp_path: Path) -> None:
    foreign = tmp_path / "blackcore" / "minimal"
    foreign.mkdir(parents=True)
    (foreign / "neighbour.py").write_text("")
    done = imported(tmp_path, ROOT)
    assert done.stdout == "QueryEngine\n", done.stderr
