"""The grammar of expressions is that of the documentation."""

from __future__ import annotations

import pytest

from cartwheel_gcp._grammar import GrammarError, parse


@pytest.mark.parametrize(
    "text",
    [
        'run.run_id + ":step:" + string(index)',
        "a.b.c[0].d != null and not (x or y)",
        'x == -1 or "k" in m',
        "math.max(-9007199254740991, math.min(9007199254740991, a + 1))",
        "json.decode(json.encode_to_string(run.input.lines))",
        'default(map.get(raised, "message"), "none")',
        'm["keys"] >= 3',
        "((a + b) * 2 // 3) % 4 - -1",
        '"a \\" quote"',
    ],
)
def test_an_expression_of_the_language_is_read(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ends too early"),
        ("a +", "ends too early"),
        ("a b", "not expected"),
        ("a == b == c", "do not chain"),
        ("f(x)", "there is no function f"),
        ("len()", "takes 1 arguments, not 0"),
        ("len(a, b)", "takes 1 arguments, not 2"),
        ("sys.sleep(1)", "needs a call step"),
        ("(a", "')' is missing"),
        ("a[1", "']' is missing"),
        ("a.1", "is no field"),
        ("and", "is no value"),
        ("a ? b", "not part of the language"),
        ("'single'", "not part of the language"),
        ("a\n+ b", "several lines"),
        ("{}", "not part of the language"),
        ('"open', "not part of the language"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(GrammarError, match=why.replace("(", r"\(").replace(")", r"\)")):
        parse(text)


def test_the_names_that_an_expression_reads_are_known() -> None:
    assert parse('a.b + c[d] + len(e) + "f"').names == {"a", "c", "d", "e"}
