"""The adapter for Google Cloud: compiles workflows, keeps rows in Firestore, serves HTTP."""

from cartwheel_gcp._check import check
from cartwheel_gcp._compile import compile_workflow, cost, frame
from cartwheel_gcp._documents import exemptions_of, indexes_of
from cartwheel_gcp._http import http_function
from cartwheel_gcp._store import FirestoreStore

__all__ = [
    "FirestoreStore",
    "check",
    "compile_workflow",
    "cost",
    "exemptions_of",
    "frame",
    "http_function",
    "indexes_of",
]
