"""The layout of the packages in figures: files, the longest file and function, import levels, and import cycles.

    python benchmarks/layout.py [ROOT]

ROOT is a source tree, by default this one; an older tree gives the figures to compare with. Imports inside functions
and under TYPE_CHECKING count. A level is one module in the longest chain of imports inside a package; modules in a
cycle share a level. "Folder levels" and "folder cycles" take each folder of a package as one module.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("scraper", "ingest", "retrieval", "page")
Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Layout:
    """The figures of one package: among them the longest chain of imports, from the top, and the import cycles."""

    name: str
    files: int
    folders: int
    longest_file: tuple[str, int]
    longest_function: tuple[str, int]
    chain: list[list[str]]
    cycles: list[list[str]]
    folder_chain: list[list[str]]
    folder_cycles: list[list[str]]


def main(root: Path) -> None:
    """Print a table of all packages, then the longest chain and every cycle of each."""
    layouts = [measure(root, name) for name in PACKAGES if (root / name).is_dir()]
    head = (
        "package",
        "files",
        "folders",
        "longest file",
        "longest function",
        "levels",
        "cycles",
        "folder levels",
        "folder cycles",
    )
    rows = [
        (
            one.name,
            str(one.files),
            str(one.folders),
            f"{one.longest_file[0]} ({one.longest_file[1]})",
            f"{one.longest_function[0]} ({one.longest_function[1]})",
            str(len(one.chain)),
            str(len(one.cycles)),
            str(len(one.folder_chain)),
            str(len(one.folder_cycles)),
        )
        for one in layouts
    ]
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for one in layouts:
        print(f"\n{one.name}: {' > '.join('='.join(level) for level in one.chain)}")
        if one.folders > 1:
            print(f"folders: {' > '.join('='.join(level) for level in one.folder_chain)}")
        for cycle in one.cycles + one.folder_cycles:
            print(f"cycle: {', '.join(cycle)}")


def measure(root: Path, package: str) -> Layout:
    """Return the figures of a package. Empty `__init__.py` files are not counted."""
    paths = [path for path in sorted((root / package).rglob("*.py")) if path.read_text(encoding="utf-8").strip()]
    sources = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    trees = {name: ast.parse(source) for name, source in sources.items()}
    modules = {_module(path.relative_to(root).as_posix()) for path in (root / package).rglob("*.py")}
    graph = {_module(name): set(_imports(tree, modules)) - {_module(name)} for name, tree in trees.items()}
    groups = strongly_connected(graph)
    folders: Graph = {_folder(module): set() for module in graph}
    for module, imported in graph.items():
        folders[_folder(module)] |= {_folder(one) for one in imported if one in graph} - {_folder(module)}
    folder_groups = strongly_connected(folders)
    return Layout(
        name=package,
        files=len(sources),
        folders=len({path.parent for path in paths}),
        longest_file=max(((name, len(source.splitlines())) for name, source in sources.items()), key=_length),
        longest_function=max(
            (
                (f"{name}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
                for name, tree in trees.items()
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            ),
            key=_length,
        ),
        chain=longest_chain(graph, groups),
        cycles=[group for group in groups if len(group) > 1],
        folder_chain=longest_chain(folders, folder_groups),
        folder_cycles=[group for group in folder_groups if len(group) > 1],
    )


def strongly_connected(graph: Graph) -> list[list[str]]:
    """Return the modules in groups that import each other in a cycle (Tarjan 1972), imported ones first."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in sorted(graph.get(module, ())):
            if imported not in index:
                visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            start = stack.index(module)
            groups.append(sorted(stack[start:]))
            del stack[start:]

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return groups


def longest_chain(graph: Graph, groups: list[list[str]]) -> list[list[str]]:
    """Return the longest chain of groups, from the top one down; `groups` have imported ones first."""
    group_of = {module: number for number, group in enumerate(groups) for module in group}
    chains: list[list[int]] = []
    for number, group in enumerate(groups):
        below = {group_of[imported] for module in group for imported in graph.get(module, ())} - {number}
        chains.append([number, *max((chains[other] for other in below), key=len, default=[])])
    return [groups[number] for number in max(chains, key=len)]


def _imports(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Yield the modules of the package that a module imports, wherever the import is. All imports are absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in modules:
                    yield name
                elif node.module in modules:
                    yield node.module


def _module(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _folder(module: str) -> str:
    """Return the folder of a module inside its package, or the module itself if it is in none."""
    return ".".join(module.split(".")[:2])


def _length(named: tuple[str, int]) -> int:
    return named[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
