"""The adapter for Azure: compiles workflows to Durable Functions."""

from cartwheel_azure._compile import check, compile_workflow, cost

__all__ = ["check", "compile_workflow", "cost"]
