"""The adapter for Amazon Web Services: compiles workflows to Step Functions."""

from cartwheel_aws._check import check
from cartwheel_aws._compile import compile_workflow, frame
from cartwheel_aws._cost import cost
from cartwheel_aws._handler import handler, task_answer
from cartwheel_aws._outcome import ended

__all__ = ["check", "compile_workflow", "cost", "ended", "frame", "handler", "task_answer"]
