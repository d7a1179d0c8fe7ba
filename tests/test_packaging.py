"""What is built is whole, and what the README says of other packages named blackcore holds."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel and an sdist; nothing is fetched for it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return folder


def modules() -> set[str]:
    folders = ROOT.joinpath("blackcore").rglob("*")
    return {each.relative_to(ROOT).as_posix() for each in folders if each.suffix == ".py"}


def test_the_wheel_has_the_package_and_nothing_else(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == modules() | {"blackcore/minimal/query_engine/py.typed"}
    assert "blackcore/__init__.py" not in names
    assert {name.rpartition("/")[2] for name in names - inside} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "LICENSE",
        "entry_points.txt",
    }


def test_the_wheel_needs_what_the_project_says(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
    metadata = archive.read(name).decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert len([line for line in needed if "extra ==" not in line]) == len(project["dependencies"])
    assert f"\nRequires-Python: {project['requires-python']}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata


def test_the_sdist_has_what_one_needs_to_build_test_and_measure(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tests = {f"tests/{path.name}" for path in ROOT.joinpath("tests").glob("*.py")}
    benches = {f"benchmarks/{path.name}" for path in ROOT.joinpath("benchmarks").glob("*.py")}
    assert modules() | tests | benches <= names
    assert {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Makefile",
        "pyproject.toml",
        ".coordination/status.json",
        "benchmarks/results/latest.json",
        "benchmarks/results/latest.svg",
        "examples/demo.py",
        "specs/v2/agent-c-performance-export.md",
    } <= names
    assert not [name for name in names if name.startswith((".git/", ".venv", ".cache", "dist"))]
