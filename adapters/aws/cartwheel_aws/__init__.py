"""The adapter for Amazon Web Services: compiles workflows to Step Functions."""

from cartwheel_aws._compile import check, compile_workflow, cost

__all__ = ["check", "compile_workflow", "cost"]
