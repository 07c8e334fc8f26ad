"""Compiles workflows to state machines of Step Functions. Nothing of this is in a function.

_compile        the front door: a workflow becomes a definition and its frame
_generate       walks the steps; _branches, _joins, _ends, _raising, _timing write what they need
_machine        states and the labels between them; _scope, _spot, _render, _values fill them in
_check          what the engine would refuse or misread; _check_fields and _grammar know the rules
_cost           the transitions that a run bills
"""

from cartwheel_aws.machines._check import check
from cartwheel_aws.machines._compile import compile_workflow, form_of, frame
from cartwheel_aws.machines._cost import cost

__all__ = ["check", "compile_workflow", "cost", "form_of", "frame"]
