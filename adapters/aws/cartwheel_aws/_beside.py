"""Opens a stage from beside, as an operator: with the caller's own credentials."""

from __future__ import annotations

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.ports import ConfigurationError
from cartwheel_aws._clients import Clients
from cartwheel_aws._host import AwsHost
from cartwheel_aws._names import Names, Place
from cartwheel_aws.machines._compile import compile_workflow, form_of


def open_beside(app: App, options: HostOptions) -> AwsHost:
    """Open a stage; raises ConfigurationError when none is named or no region or credentials are.

    Runs can be looked at, signalled and cancelled whatever they run on; those that are started or
    redriven here take the application's definitions as they are here, which have to be deployed.
    """
    access = options.access
    if access is None:
        raise ConfigurationError(
            f"which stage of '{app.name}' on AWS is meant? Give its name, as it was deployed"
        )
    from cartwheel_aws.deploy._clients import talking

    clients = Clients(access.region, access.profile)
    with talking():
        place = Place(Names(app.name, access.stage), clients.region, clients.account)
    forms = {
        one.ir.content_hash: form_of(compile_workflow(one.ir)) for one in app.workflows.values()
    }
    return AwsHost(app, options, place, clients, forms)
