"""Building and deploying: from a manifest to a stage on AWS. Nothing of this is in a function.

_everything   the manifest with what the adapter adds
_data_stack   the template of what keeps data
_app_stack    the template of everything else, with _queues and _policies
_bundle       templates, packages, workflows and a description, as files
"""

from cartwheel_aws.deploy._bundle import build

__all__ = ["build"]
