"""The kit's applications where deployed functions find them: `cartwheel.testing.apps:kit_http`.

They need no pytest, and none is made before it is asked for. Build one from
`manifest_of(app, source("kit_http"))`, and add `cartwheel.testing` to what the build packages.
"""

from __future__ import annotations

from cartwheel.app import App

NAMES = (
    "corpus_rest",
    "corpus_rules",
    "kit_empty",
    "kit_http",
    "kit_messaging",
    "kit_runtime",
    "kit_runtime_changed",
    "kit_scheduled",
    "kit_scheduled_minutely",
    "kit_store",
)
"""The applications by the names that they call themselves, but for those that the kit has in two
forms, and the corpus, which is too large for one deployment: one program a rule, and the rest."""


def source(name: str) -> str:
    """Give where an application is, as manifests say it."""
    assert name in NAMES, f"the kit has no application '{name}'; it has {', '.join(NAMES)}"
    return f"{__name__}:{name}"


def __getattr__(name: str) -> App:
    match name:
        case "corpus_rest":
            from cartwheel.testing.corpus import ONE_A_RULE, PROGRAMS, corpus_app

            return corpus_app(one for one in PROGRAMS if one not in ONE_A_RULE)
        case "corpus_rules":
            from cartwheel.testing.corpus import ONE_A_RULE, corpus_app

            return corpus_app(ONE_A_RULE)
        case "kit_empty":
            from cartwheel.testing._empty_app import empty_app

            return empty_app()
        case "kit_http":
            from cartwheel.testing._http_app import http_app

            return http_app()
        case "kit_messaging":
            from cartwheel.testing._messaging_app import messaging_app

            return messaging_app()
        case "kit_runtime" | "kit_runtime_changed":
            from cartwheel.testing._runtime_app import runtime_app

            return runtime_app(changed=name == "kit_runtime_changed")
        case "kit_scheduled" | "kit_scheduled_minutely":
            from cartwheel.testing._scheduled_app import scheduled_app

            return scheduled_app(60 if name == "kit_scheduled_minutely" else 1)
        case "kit_store":
            from cartwheel.testing._store_app import store_app

            return store_app()
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
