"""The adapter for Azure: compiles workflows to Durable Functions."""

from cartwheel_azure._check import check
from cartwheel_azure._compile import compile_workflow
from cartwheel_azure._cost import cost

__all__ = ["check", "compile_workflow", "cost"]
