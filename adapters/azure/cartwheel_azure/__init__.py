"""The adapter for Azure: Durable Functions for workflows, Tables for rows, Functions for HTTP."""

from cartwheel_azure._check import check
from cartwheel_azure._compile import compile_workflow
from cartwheel_azure._cost import cost
from cartwheel_azure._http import HTTP_METHODS, HTTP_ROUTE, answer, http_functions, read_request
from cartwheel_azure._store import TableStore, table_names

__all__ = [
    "HTTP_METHODS",
    "HTTP_ROUTE",
    "TableStore",
    "answer",
    "check",
    "compile_workflow",
    "cost",
    "http_functions",
    "read_request",
    "table_names",
]
