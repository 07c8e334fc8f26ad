"""Which endpoint a path meets."""

from __future__ import annotations

import pytest

from cartwheel.http._router import Match, Miss, Router

ROUTES = (
    ("GET", "/"),
    ("GET", "/users"),
    ("GET", "/users/me"),
    ("PATCH", "/users/{user_id}"),
    ("GET", "/a/{x}/c"),
    ("GET", "/a/b/d"),
    ("POST", "/files/{name}/v1.0"),
)

FOUND: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("GET", "/"): ("GET /", {}),
    ("GET", "/users"): ("GET /users", {}),
    ("HEAD", "/users"): ("GET /users", {}),
    ("GET", "/users/me"): ("GET /users/me", {}),
    ("PATCH", "/users/me"): ("PATCH /users/{user_id}", {"user_id": "me"}),
    ("PATCH", "/users/x y"): ("PATCH /users/{user_id}", {"user_id": "x y"}),
    ("GET", "/a/b/c"): ("GET /a/{x}/c", {"x": "b"}),
    ("GET", "/a/b/d"): ("GET /a/b/d", {}),
    ("POST", "/files/../v1.0"): ("POST /files/{name}/v1.0", {"name": ".."}),
}

MISSED: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/users/"): (),
    ("GET", "//users"): (),
    ("PATCH", "/users/"): (),
    ("PATCH", "/users/me/"): (),
    ("GET", "/Users"): (),
    ("GET", "/a/x/d"): (),
    ("GET", ""): (),
    ("GET", "x/users"): (),
    ("OPTIONS", "*"): (),
    ("GET", "/users/{user_id}/x"): (),
    ("PATCH", "/users/" + "x" * 257): (),
    ("PATCH", "/users/" + "é" * 129): (),
    ("POST", "/users"): ("GET", "HEAD", "OPTIONS"),
    ("DELETE", "/users/me"): ("GET", "HEAD", "OPTIONS", "PATCH"),
    ("GET", "/users/you"): ("OPTIONS", "PATCH"),
    ("HEAD", "/users/you"): ("OPTIONS", "PATCH"),
}


@pytest.fixture(scope="module")
def router() -> Router[str]:
    router: Router[str] = Router()
    for method, path in ROUTES:
        router.add(method, path, f"{method} {path}")
    return router


@pytest.mark.parametrize(("method", "path"), FOUND)
def test_a_path_meets_its_endpoint(router: Router[str], method: str, path: str) -> None:
    found = router.find(method, path)
    assert isinstance(found, Match)
    assert (found.endpoint, found.params) == FOUND[method, path]


@pytest.mark.parametrize(("method", "path"), MISSED)
def test_another_path_or_method_is_missed(router: Router[str], method: str, path: str) -> None:
    found = router.find(method, path)
    assert isinstance(found, Miss)
    assert found.allow == MISSED[method, path]


def test_many_overlapping_parameters_stay_cheap() -> None:
    router: Router[str] = Router()
    for number in range(2**8):
        bits = f"{number:08b}"
        path = "".join("/{p}" if bit == "1" else "/x" for bit in bits)
        router.add("GET", path, path)
    found = router.find("GET", "/x" * 8)
    assert isinstance(found, Match)
    assert found.endpoint == "/x" * 8
    assert router.find("GET", "/x" * 9) == Miss(())
