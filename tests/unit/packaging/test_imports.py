"""Reading imports without running anything."""

from __future__ import annotations

import pytest

from cartwheel.packaging import PackagingError, imports_of
from cartwheel.packaging._imports import read_imports


@pytest.mark.parametrize(
    ("source", "at_load", "later"),
    [
        ("import a, b.c as d", {"a", "b.c"}, set()),
        ("from a.b import c", {"a.b", "a.b.c"}, set()),
        ("from . import x", {"pkg.sub", "pkg.sub.x"}, set()),
        ("from ..y import z", {"pkg.y", "pkg.y.z"}, set()),
        ("from ... import x\nfrom ....y import z", set(), set()),
        ("def f():\n    import a", set(), {"a"}),
        ("async def f():\n    import a", set(), {"a"}),
        ("class C:\n    import a\n    def f(self):\n        import b", {"a"}, {"b"}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}, set()),
        ("if True:\n    import a\nelse:\n    import b", {"a", "b"}, set()),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}, set()),
        ("import typing as t\nif t.TYPE_CHECKING:\n    import a", {"typing"}, set()),
        ("with x:\n    match y:\n        case 1:\n            import a", {"a"}, set()),
    ],
)
def test_imports_are_read(source: str, at_load: set[str], later: set[str]) -> None:
    found = list(read_imports("pkg/sub/mod.py", source.encode()))
    assert {i.name for i in found if i.at_load} == at_load
    assert {i.name for i in found if not i.at_load} == later


def test_the_packages_of_all_modules_are_named_once() -> None:
    files = {"m.py": b"import a.b\n", "n.py": b"def f():\n    import c\n", "d.txt": b"import d"}
    assert imports_of(files) == {"a", "c"}
    assert imports_of(files, at_load=True) == {"a"}


def test_what_is_no_python_is_named_with_its_line() -> None:
    with pytest.raises(PackagingError, match=r"^m\.py:2 is no Python"):
        imports_of({"m.py": b"x = 1\ny = = 2\n"})
