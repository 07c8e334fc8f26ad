"""The adapter for Google Cloud: compiles workflows to Workflows."""

from cartwheel_gcp._compile import check, compile_workflow, cost

__all__ = ["check", "compile_workflow", "cost"]
