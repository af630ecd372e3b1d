"""Imports go one way through the rooms; reads the source, runs nothing."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "carsynth"

# A room may import the rooms to its right; ``*`` are the leaves that everyone may.
LEAVES = {"errors", "labels", "weights"}
ALLOWED = {
    "labels": set(),
    "errors": set(),
    "weights": {"errors"},
    "data": set(),
    "networks": set(),
    "losses": set(),
    "augment": set(),
    "modules": {"networks", "losses", "data", "augment"},
    "metrics": {"networks", "losses", "data"},
    "reporting": {"data"},
    "preparation": {"data"},
    "export": {"data"},
    "generation": {"modules", "metrics", "networks", "losses", "data", "preparation", "export"},
    "report": {"data", "reporting", "generation", "export"},
    "stages": {
        "data",
        "reporting",
        "metrics",
        "generation",
        "export",
        "report",
        "usefulness_study",
    },
    "evaluation": {"modules", "metrics", "networks", "losses", "data", "reporting"},
    "sampling": {"modules", "metrics", "networks", "losses", "data"},
    "usefulness_study": {"modules", "metrics", "networks", "losses", "data", "reporting"},
    "callbacks": {"modules", "metrics", "networks", "losses", "data", "reporting"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Rooms of carsynth that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("carsynth.")}
    return found - {"__version__"}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if room(path) in ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    here = room(path)
    below = ALLOWED[here] | ({here} | LEAVES if here not in LEAVES else {here})
    assert imports(path) <= below


def test_no_relative_import_hides_from_this_test() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_every_room_of_the_package_is_a_door_a_leaf_or_in_the_table() -> None:
    doors = {
        "train",
        "evaluate",
        "sample",
        "compare",
        "prepare",
        "generate",
        "pipeline",
        "usefulness",
    }
    doors |= {"cli", "checkpoint", "device", "launch", "run_folder"}
    rooms = {room(path) for path in PACKAGE.rglob("*.py") if "conf" not in path.parts}
    assert rooms == doors | ALLOWED.keys() | {"__init__"}
