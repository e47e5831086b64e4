"""The parts of app/ (its packages, and the modules beside them) build on each other in one direction only."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def part_of(module: str) -> str:
    """`translate` of `app.translate.tools`; empty for `app` itself."""
    return ".".join(module.split(".")[1:2])


def parts_imported_by(file: Path) -> set[str]:
    """Parts that the imports in `file` name, `from app import errors` included."""
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    modules = [node.module or "" for node in imports]
    whole = [f"app.{alias.name}" for node in imports if node.module == "app" for alias in node.names]
    return {part_of(module) for module in [*modules, *whole] if module.startswith("app.")}


def test_no_part_builds_on_one_that_builds_on_it() -> None:
    below: dict[str, set[str]] = {}
    for file in (ROOT / "app").rglob("*.py"):
        own = file.relative_to(ROOT / "app").parts[0].removesuffix(".py")
        below.setdefault(own, set()).update(parts_imported_by(file) - {own})
    assert len(below) > 20
    TopologicalSorter(below).prepare()  # raises CycleError, which names the parts
