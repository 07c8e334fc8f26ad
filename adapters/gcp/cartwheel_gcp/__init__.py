"""The adapter for Google Cloud: compiles workflows to Workflows."""

from cartwheel_gcp._check import check
from cartwheel_gcp._compile import compile_workflow, cost, frame

__all__ = ["check", "compile_workflow", "cost", "frame"]
