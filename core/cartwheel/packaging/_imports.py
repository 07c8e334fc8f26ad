"""Reads which modules a module imports, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from cartwheel.packaging._errors import PackagingError


@dataclass(frozen=True, slots=True)
class Import:
    """Is a module that another may import: its full name, and whether loading the other does it.

    `from a import b` may mean the module `a.b` or a name in `a`, so it counts as both.
    """

    name: str
    at_load: bool

    @property
    def top(self) -> str:
        """Give the name of the package that has to be there."""
        return self.name.partition(".")[0]


def imports_of(files: Mapping[str, bytes], *, at_load: bool = False) -> frozenset[str]:
    """Name the top-level packages that the modules among the files import, perhaps only those that
    are imported as soon as a module is loaded."""
    return frozenset(
        found.top
        for path, content in files.items()
        if path.endswith(".py")
        for found in read_imports(path, content)
        if found.at_load or not at_load
    )


def read_imports(path: str, content: bytes) -> Iterator[Import]:
    """Read the imports of the module at a path of an archive; raises PackagingError when it is no
    Python. What only a type checker sees is left out."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise PackagingError(f"{path}{line} is no Python: {error}") from error
    yield from _walk(tree.body, PurePosixPath(path).parent.parts, at_load=True)


def _walk(nodes: Iterable[ast.AST], package: tuple[str, ...], *, at_load: bool) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, at_load)
            case ast.ImportFrom():
                base = _base(node, package)
                if base:
                    for name in (base, *(f"{base}.{alias.name}" for alias in node.names)):
                        yield Import(name, at_load)
            case ast.If() if _for_type_checkers(node.test):
                yield from _walk(node.orelse, package, at_load=at_load)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _walk(ast.iter_child_nodes(node), package, at_load=False)
            case _:
                yield from _walk(ast.iter_child_nodes(node), package, at_load=at_load)


def _base(node: ast.ImportFrom, package: tuple[str, ...]) -> str:
    """Name what is imported from; a relative import that leaves its package names nothing."""
    if not node.level:
        return node.module or ""
    depth = len(package) - node.level + 1
    if depth <= 0:
        return ""
    return ".".join([*package[:depth], *([node.module] if node.module else [])])


def _for_type_checkers(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False
