"""Programs of the corpus that can't run on Workflows, and why; each row is a strict xfail."""

from __future__ import annotations

KNOWN: dict[str, str] = {
    "a_map_beside_a_branch_in_a_map_in_a_saga": (
        "not possible: parallels nest 2 deep on Workflows; the compiler refuses it with that reason"
    ),
}

DOCUMENTED_ONLY: dict[str, str] = {
    "OIDC": "the emulator has no identities: the server asks for a token, nobody checks it",
    "limits": "sizes, step counts and names are checked by `cartwheel_gcp.check` alone",
    "callbacks": "the emulator has none: the correction adds them as they are documented",
    "sleep_until": "the emulator reads one form of time: the correction reads RFC 3339",
    "shared variables": "branches of the emulator share all: the correction parts them",
}
"""What is emitted as Google documents it, and shown on a corrected emulator only."""
