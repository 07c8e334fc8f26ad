"""The adapter for Amazon Web Services: workflows on Step Functions, a store on DynamoDB."""

from cartwheel_aws._check import check
from cartwheel_aws._compile import compile_workflow, frame
from cartwheel_aws._cost import cost
from cartwheel_aws._handler import handler, task_answer
from cartwheel_aws._outcome import ended
from cartwheel_aws._store import DynamoStore
from cartwheel_aws._tables import table_of

__all__ = [
    "DynamoStore",
    "check",
    "compile_workflow",
    "cost",
    "ended",
    "frame",
    "handler",
    "table_of",
    "task_answer",
]
