"""Builds the bundle of an application: two templates, packages, workflows, its description.

    data.yaml          the stack that keeps data, and the bucket of packages
    template.yaml      everything else; its parameter PackagesBucket is that bucket
    packages/*.zip     code, each under the key that the template names
    workflows/*.json   the state machines as they are in the template, for people
    manifest.json, openapi.json, README.md

The bundle needs nothing of us to be deployed: README.md says how.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from cartwheel.app import App
from cartwheel.deployment import BuildOptions, Bundle, Outside
from cartwheel.http import openapi
from cartwheel.manifest import FunctionSpec, Manifest
from cartwheel.ports import ConfigurationError, Json, JsonObject
from cartwheel.workflow import Gap, Unsupported, Workflow
from cartwheel_aws._host import SENDER
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._app_stack import AppStack, Code, Settings
from cartwheel_aws.deploy._data_stack import data_stack
from cartwheel_aws.deploy._everything import everything
from cartwheel_aws.deploy._limits import check_limits
from cartwheel_aws.deploy._package import Package, Packages, packages
from cartwheel_aws.deploy._policies import Sender
from cartwheel_aws.deploy._yaml import to_yaml
from cartwheel_aws.machines._check import check
from cartwheel_aws.machines._compile import compile_workflow, form_of

_TRACES = "CARTWHEEL_OTEL"


def build(
    manifest: Manifest, options: BuildOptions, *, package: Callable[..., Packages] = packages
) -> Bundle:
    """Build the bundle; raises ConfigurationError for what AWS or this adapter can't do.

    `package` makes the packages as `packages` does; whoever builds much keeps layers with it.
    """
    names = Names(manifest.app, options.stage)
    outside = options.outside
    settings = _settings(manifest, outside)
    whole = everything(manifest, outside.replaces)
    machines, forms = _workflows(manifest)
    handlers = {
        one.name: _handler_files(manifest, one, forms, outside.put) for one in whole.functions
    }
    options.say("packaging the code")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    built = package(
        manifest.source,
        options.folder,
        handlers,
        architecture=options.architecture,
        python=python,
        also=(outside.put.partition(":")[0],) if outside.put else (),
        extras=outside.extras,
        wheels=options.wheels,
    )
    keys = _keys(built)
    code = Code(
        layers={name: keys[name] for name in ("dependencies", "shared")},
        functions={name: keys[f"function {name}"] for name in handlers},
        architecture=options.architecture,
        runtime=f"python{python}",
    )
    files: dict[str, bytes] = {
        **templates(whole, names, code, machines, settings),
        "manifest.json": manifest.model_dump_json(indent=2).encode(),
        "openapi.json": _text(openapi(_app(manifest.source))),
        "README.md": _readme(manifest, names).encode(),
    }
    for name, machine in machines.items():
        files[f"workflows/{name}.asl.json"] = _text(machine)
    for what, one in _all(built).items():
        files[keys[what]] = one.content
    return Bundle("aws", manifest.app, options.stage, files, (*built.notes, *_sizes(built)))


def templates(
    whole: Manifest,
    names: Names,
    code: Code,
    machines: Mapping[str, JsonObject],
    settings: Settings,
) -> dict[str, bytes]:
    """Write the two templates; raises ConfigurationError for what is beyond AWS's limits."""
    stack = AppStack(whole, names, code, machines, settings)
    data, app = data_stack(whole, names), stack.template()
    written = {"data.yaml": to_yaml(data), "template.yaml": to_yaml(app)}
    check_limits(data, app, written, machines, stack.environment())
    return written


def _app(source: str) -> App:
    module, _, name = source.partition(":")
    return cast("App", getattr(import_module(module), name))


def _settings(manifest: Manifest, outside: Outside) -> Settings:
    """Give what functions are told; raises ConfigurationError when mails would have no sender."""
    if outside.variables.get(_TRACES, "off") != "off":
        raise ConfigurationError(
            "spans are not sent from functions on AWS yet: leave otel off for what is deployed, "
            "and follow the trace ids in the logs"
        )
    variables = dict(outside.variables)
    if "mailer" in outside.replaces:
        return Settings(None, variables)
    address = variables.get(SENDER, "")
    mails = sorted(one.name for one in manifest.functions if "mailer" in one.uses.ports)
    if mails and not address:
        raise ConfigurationError(
            f"{' and '.join(mails)} send mail: set mail_from, an address that SES has verified in "
            f"this region, in the configuration file, or {SENDER} in the environment"
        )
    # `Shop <shop@example.com>` is sent as the address within.
    bare = address.rpartition("<")[2].rstrip("> ")
    return Settings(Sender(bare) if bare else None, variables)


def _workflows(manifest: Manifest) -> tuple[dict[str, JsonObject], dict[str, JsonObject]]:
    """Compile the workflows: machines by name, and by content hash what starting them needs."""
    machines: dict[str, JsonObject] = {}
    forms: dict[str, JsonObject] = {}
    gaps: list[Gap] = []
    findings: list[str] = []
    for spec in manifest.workflows:
        try:
            compiled = compile_workflow(Workflow.from_json(spec.ir))
        except Unsupported as refused:
            gaps += refused.gaps
            continue
        findings += [f"workflow '{spec.name}': {finding}" for finding in check(compiled)]
        machines[spec.name] = json.loads(compiled.main)
        forms[spec.definition] = form_of(compiled)
    if gaps:
        raise Unsupported(gaps)
    if findings:
        raise ConfigurationError("\n".join(findings))
    return machines, forms


def _handler_files(
    manifest: Manifest,
    function: FunctionSpec,
    forms: Mapping[str, JsonObject],
    outside: str,
) -> dict[str, bytes]:
    more = f", {outside!r}" if outside else ""
    text = (
        f'"""The function \'{function.name}\' of {manifest.title}."""\n\n'
        "from cartwheel_aws.function import Function\n\n"
        f"handle = Function({manifest.source!r}, {function.name!r}, __file__{more}).handle\n"
    )
    return {"handler.py": text.encode(), "forms.json": json.dumps(forms, sort_keys=True).encode()}


def _all(built: Packages) -> dict[str, Package]:
    functions = {f"function {name}": package for name, package in built.functions.items()}
    return {"dependencies": built.dependencies, "shared": built.shared, **functions}


def _keys(built: Packages) -> dict[str, str]:
    """Name the packages by what they are and hold, as they lie in the bucket."""
    return {
        what: f"packages/{what.rpartition(' ')[2]}-{package.digest[:16]}.zip"
        for what, package in _all(built).items()
    }


def _sizes(built: Packages) -> tuple[str, ...]:
    return tuple(
        f"{what}: {len(package.content) / 1024 / 1024:.2f} MB zipped"
        for what, package in (("dependencies", built.dependencies), ("shared code", built.shared))
    )


def _text(document: Json) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _readme(manifest: Manifest, names: Names) -> str:
    return f"""# {manifest.title} on AWS, stage {names.stage}

What `shopctl build` made; it can be deployed with the AWS command line alone:

    aws cloudformation deploy --template-file data.yaml --stack-name {names.data}
    bucket=$(aws cloudformation describe-stacks --stack-name {names.data} \\
      --query "Stacks[0].Outputs[?OutputKey=='PackagesBucket'].OutputValue" --output text)
    aws s3 cp --recursive packages "s3://$bucket/packages"
    aws cloudformation deploy --template-file template.yaml --stack-name {names.prefix} \\
      --s3-bucket "$bucket" --parameter-overrides PackagesBucket="$bucket" \\
      --capabilities CAPABILITY_IAM

`manifest.json` says what the application is made of, `openapi.json` describes its API, and
`workflows/` has the state machines as they stand in the template.
"""
