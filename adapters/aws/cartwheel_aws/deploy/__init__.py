"""Building and deploying: from a manifest to a stage on AWS. Nothing of this is in a function.

_everything   the manifest with what the adapter adds
_data_stack   the template of what keeps data
_app_stack    the template of everything else, with _queues and _policies
_limits       what AWS refuses, said while building
_bundle       templates, packages, workflows and a description, as files
_driver       the deployer: data first, then packages, then everything else
_stacks       one stack, with _progress (what happens) and _changes (what would happen)
_indexes      tables' indexes, one update at a time
_records      the bucket: packages, templates, what was deployed
_watching     logs, calls, drift
_destroy      the end of a stage
"""

from cartwheel_aws.deploy._bundle import build
from cartwheel_aws.deploy._driver import AwsDeployer

__all__ = ["AwsDeployer", "build"]
