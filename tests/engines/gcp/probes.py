"""One small workflow for each correction: what it gives by the documentation."""

from __future__ import annotations

from dataclasses import dataclass

from cartwheel.ports import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Probe:
    """Is a workflow that the emulator alone gets wrong."""

    correction: str
    steps: list[Json]
    expected: Json
    input: Json = None
    routines: JsonObject | None = None
    real: bool = False

    def __str__(self) -> str:
        return self.correction

    @property
    def source(self) -> JsonObject:
        """Give the document."""
        return {"main": {"params": ["run"], "steps": self.steps}, **(self.routines or {})}


def _caught(steps: list[Json], handler: list[Json]) -> JsonObject:
    return {"try": {"steps": steps}, "except": {"as": "e", "steps": handler}}


_SLEEP: Json = {"call": "sys.sleep", "args": {"seconds": 1}}

PROBES = (
    Probe(
        "constants",
        [
            {"look": {"switch": [{"condition": "${run.none == null}", "return": "it is null"}]}},
            {"end_of_it": {"return": "it is not"}},
        ],
        "it is null",
        {"none": None},
    ),
    Probe(
        "whole_values",
        [{"set": {"assign": [{"x": "${run.none}"}]}}, {"done": {"return": {"x": "${x}"}}}],
        {"x": None},
        {"none": None},
    ),
    Probe("map_type", [{"done": {"return": "${get_type(run)}"}}], "map", {"a": 1}),
    Probe(
        "locks",
        [
            {
                "first": _caught(
                    [{"fails": {"assign": [{"x": "${run.items[5]}"}]}}],
                    [{"then": {"assign": [{"x": 1}]}}],
                )
            },
            {"done": {"return": "went on"}},
        ],
        "went on",
        {"items": [1]},
    ),
    Probe(
        "first_condition",
        [
            {"start": {"assign": [{"x": 1}]}},
            {
                "look": {
                    "switch": [
                        {"condition": "${x == 1}", "steps": [{"one": {"assign": [{"x": 2}]}}]},
                        {"condition": "${x == 2}", "steps": [{"two": {"assign": [{"x": 3}]}}]},
                    ]
                }
            },
            {"done": {"return": {"x": "${x}"}}},
        ],
        {"x": 2},
    ),
    Probe(
        "retries",
        [
            {"start": {"assign": [{"count": 0}]}},
            {
                "again": {
                    "try": {
                        "steps": [
                            {"more": {"assign": [{"count": "${count + 1}"}]}},
                            {"look": {"switch": [{"condition": "${count < 3}", "next": "fail"}]}},
                            {"enough": {"return": {"count": "${count}"}}},
                            {"fail": {"raise": {"code": 1}}},
                        ]
                    },
                    "retry": {
                        "predicate": "${always}",
                        "max_retries": 5,
                        "backoff": {"initial_delay": 1, "max_delay": 1, "multiplier": 2},
                    },
                }
            },
        ],
        {"count": 3},
        routines={"always": {"params": ["e"], "steps": [{"yes": {"return": True}}]}},
    ),
    Probe(
        "loops",
        [
            {"start": {"assign": [{"seen": 0}]}},
            {
                "first": _caught(
                    [
                        {
                            "each": {
                                "for": {
                                    "value": "item",
                                    "in": [1, 2],
                                    "steps": [
                                        {"note": {"assign": [{"seen": "${item}"}]}},
                                        {"fail": {"raise": {"code": 1}}},
                                    ],
                                }
                            }
                        }
                    ],
                    [{"then": {"assign": [{"x": 1}]}}],
                )
            },
            {"done": {"return": {"seen": "${seen}"}}},
        ],
        {"seen": 1},
    ),
    Probe(
        "branches",
        [
            {"start": {"assign": [{"first": ""}, {"second": ""}]}},
            {
                "both": {
                    "parallel": {
                        "shared": ["first", "second"],
                        "branches": [
                            {
                                "one": {
                                    "steps": [
                                        {"mine_1": {"assign": [{"mine": "one"}]}},
                                        {"sleep_1": _SLEEP},
                                        {"out_1": {"assign": [{"first": "${mine}"}]}},
                                    ]
                                }
                            },
                            {
                                "two": {
                                    "steps": [
                                        {"mine_2": {"assign": [{"mine": "two"}]}},
                                        {"sleep_2": _SLEEP},
                                        {"out_2": {"assign": [{"second": "${mine}"}]}},
                                    ]
                                }
                            },
                        ],
                    }
                }
            },
            {"done": {"return": {"first": "${first}", "second": "${second}"}}},
        ],
        {"first": "one", "second": "two"},
        real=True,
    ),
    Probe(
        "sleeps",
        [
            {
                "sleep": {
                    "call": "sys.sleep_until",
                    "args": {"time": "2020-01-01T01:00:00+01:00"},
                }
            },
            {"done": {"return": "awake"}},
        ],
        "awake",
    ),
    Probe(
        "requests_and_errors",
        [
            {
                "call": {
                    "try": {
                        "call": "http.post",
                        "args": {"url": "http://127.0.0.1:9/", "auth": {"type": "OIDC"}},
                    },
                    "except": {"as": "e", "steps": [{"caught": {"return": "${e.tags[0]}"}}]},
                }
            },
            {"done": {"return": "no error"}},
        ],
        "ConnectionFailedError",
    ),
    Probe(
        "callbacks",
        [
            {"open": {"call": "events.create_callback_endpoint", "result": "address"}},
            {
                "wait": {
                    "try": {
                        "call": "events.await_callback",
                        "args": {"callback": "${address}", "timeout": 5},
                    },
                    "except": {"as": "e", "steps": [{"caught": {"return": "${e.tags[0]}"}}]},
                }
            },
            {"done": {"return": "called"}},
        ],
        "TimeoutError",
    ),
)
