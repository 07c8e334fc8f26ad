"""The deployer: a stage on AWS is two stacks of CloudFormation and a bucket of packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cartwheel.deployment import (
    Access,
    Bundle,
    Change,
    Deployment,
    DeploymentError,
    Drift,
    LogLine,
    Plan,
    Progress,
    Removed,
    Step,
)
from cartwheel.ports import ConfigurationError, Json
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._changes import additions_of, changes_of
from cartwheel_aws.deploy._clients import DeployClients, talking
from cartwheel_aws.deploy._contents import (
    APP,
    DATA,
    PROVIDER,
    Contents,
    Version,
    contents_of,
    parsed,
    written,
)
from cartwheel_aws.deploy._destroy import Destroyer
from cartwheel_aws.deploy._health import wait_until_healthy
from cartwheel_aws.deploy._indexes import steps
from cartwheel_aws.deploy._parts import TAG
from cartwheel_aws.deploy._records import Bucket, Record, template_key, version_of
from cartwheel_aws.deploy._stacks import (
    NEVER_CAME_UP,
    ChangeSet,
    Pace,
    Stack,
    StackDriver,
    Template,
)
from cartwheel_aws.deploy._watching import Tail, call, drift_of

BUCKET = "PackagesBucket"
"""The data stack's output and the application stack's parameter: the bucket's name."""
URL = "Url"
"""The application stack's output: the address."""
INLINE = 51_200
"""Bytes of a template that is passed with the request; longer ones lie in the bucket."""
FUNCTION = "AWS::Lambda::Function"


class AwsDeployer:
    """Deploys an application to a stage on AWS with CloudFormation, and looks after it.

    Every call of AWS may be the last one of a run: the next run goes on from what it finds.
    """

    def __init__(
        self,
        app: str,
        access: Access,
        clients: DeployClients | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._app = app
        self._names = Names(app, access.stage)
        self._clients = clients or DeployClients(access)
        self._pace = pace or Pace()

    # Deploying.

    def plan(self, bundle: Bundle) -> Plan:
        """Compare a bundle with what is deployed; leaves nothing behind."""
        contents = self._contents(bundle)
        with talking():
            data, app = self._stack(self._names.data), self._stack(self._names.prefix)
            bucket = self._bucket(data.look())
            name = bucket.name if bucket else "packages"
            changes = (
                *self._compared(data, contents.data, {}, bucket),
                *self._compared(app, contents.app, {BUCKET: name}, bucket),
            )
        return Plan(PROVIDER, self._names.stage, changes)

    def deploy(
        self, bundle: Bundle, progress: Progress, *, allow_data_loss: bool = False
    ) -> Deployment:
        """Make the stage what the bundle says and wait until it answers."""
        contents = self._contents(bundle)
        with talking():
            data, changed = self._deploy_data(contents.data, progress, allow_data_loss)
            bucket = self._bucket(data)
            if bucket is None:
                raise DeploymentError(f"stack {self._names.data} has no output {BUCKET}")
            new = Version(contents.app, contents.packages, tuple(contents.packages))
            return self._deploy_app(bucket, new, progress, changed=changed)

    def rollback(self, progress: Progress) -> Deployment:
        """Deploy the version before the current one once more; data stays as it is."""
        with talking():
            bucket = self._bucket(self._stack(self._names.data).settle(progress))
            app = self._stack(self._names.prefix)
            stack = app.settle(progress)
            if bucket is None or stack is None:
                raise self._nothing()
            current = _version(app, stack)
            target = _before(bucket.records(), current)
            if target is None:
                raise DeploymentError(
                    f"there is no version before {current or 'this one'} in {bucket.name}"
                )
            for key in (target.template, *target.packages):
                if not bucket.has(key):
                    raise DeploymentError(
                        f"version {target.version} can't be deployed again: {key} is no longer in "
                        f"{bucket.name}"
                    )
            new = Version(bucket.read(target.template), {}, target.packages, back=True)
            return self._deploy_app(bucket, new, progress, changed=False)

    def _deploy_data(
        self, template: bytes, progress: Progress, allow_data_loss: bool
    ) -> tuple[Stack, bool]:
        driver = self._stack(self._names.data)
        stack = driver.settle(progress)
        wanted = parsed(template)
        current = {} if stack is None else parsed(driver.template(stack))
        changed = False
        for step in steps(current, wanted):
            body = template if step is wanted else written(step)
            with self._passed(self._bucket(stack), body) as passed:
                change = driver.change_set(passed, {}, update=stack is not None)
            if change is None:
                continue
            # All that could lose data is in the first step: nothing was changed before it.
            self._refuse_loss(driver, change, allow_data_loss, made_stack=stack is None)
            stack = driver.execute(change, progress)
            changed = True
        if stack is None:
            raise DeploymentError(f"{DATA} declares nothing")
        return stack, changed

    def _refuse_loss(
        self, driver: StackDriver, change: ChangeSet, allowed: bool, *, made_stack: bool
    ) -> None:
        plan = Plan(PROVIDER, self._names.stage, changes_of(change.pages))
        if plan.loses_data and not allowed:
            driver.discard(change, made_stack=made_stack)
            raise DeploymentError(_told_loss(plan.loses_data))

    def _deploy_app(
        self, bucket: Bucket, new: Version, progress: Progress, *, changed: bool
    ) -> Deployment:
        driver = self._stack(self._names.prefix)
        stack = driver.settle(progress)
        current = "" if stack is None else _version(driver, stack)
        version = version_of(new.template)
        key = template_key(version)
        records = _mended(bucket, current, version)
        record = _unfinished(records, current, version)
        if record is None:
            record = bucket.begin(version, new.packages, back=new.back)
            records.insert(0, record)
        for sent in bucket.upload({**new.files, key: new.template}):
            progress(Step("done", sent, "upload", action="add"))
        change = driver.change_set(
            Template(url=bucket.url(key)), {BUCKET: bucket.name}, update=stack is not None
        )
        if change is not None:
            stack = driver.execute(change, progress)
        if stack is None:
            raise DeploymentError(f"{APP} declares nothing")
        url = stack.outputs.get(URL)
        if url is not None:
            progress(Step("doing", f"{url} is asked whether it answers"))
            wait_until_healthy(url, self._clients.local_endpoint, self._pace)
        if change is None and current != version:
            # The same to AWS, only written otherwise: what is deployed keeps its version.
            bucket.remove(record.key)
            return self._deployment(stack, current, changed=changed)
        bucket.complete(record)
        bucket.prune(records)
        return self._deployment(stack, version, changed=changed or change is not None)

    # Looking.

    def status(self) -> Deployment | None:
        """Give the stage as it stands; None when there is none."""
        with talking():
            driver = self._stack(self._names.prefix)
            stack = _up(driver.look())
            if stack is None:
                return None
            return self._deployment(stack, _version(driver, stack), changed=False)

    def logs(self, function: str | None, since: float, *, follow: bool) -> Iterator[LogLine]:
        """Give what functions wrote since an epoch time, oldest first; for ever with `follow`."""
        with talking():
            names = self._functions()
            wanted = names if function is None else {function: self._found(function, names)}
            groups = [(name, f"/aws/lambda/{wanted[name]}") for name in wanted]
            yield from Tail(self._clients, groups, self._pace).lines(since, follow=follow)

    def invoke(self, function: str, event: Json) -> Json:
        """Call a function with an event as the platform would, and give its answer."""
        with talking():
            return call(self._clients, self._found(function, self._functions()), event)

    def drift(self) -> tuple[Drift, ...]:
        """Find what somebody changed beside the deployments."""
        with talking():
            found: list[Drift] = []
            drivers = [self._stack(self._names.data), self._stack(self._names.prefix)]
            stacks = [(driver, _up(driver.look())) for driver in drivers]
            if not any(stack for _, stack in stacks):
                raise self._nothing()
            for driver, stack in stacks:
                if stack is not None:
                    found += drift_of(driver, stack)
            return tuple(found)

    # The end.

    def destroy(self, progress: Progress, *, delete_data: bool) -> Removed:
        """Take away what deployments made, and nothing else; data only when told to."""
        with talking():
            destroyer = Destroyer(
                clients=self._clients,
                names=self._names,
                app=self._stack(self._names.prefix),
                data=self._stack(self._names.data),
                pace=self._pace,
                progress=progress,
            )
            return destroyer.destroy(delete_data=delete_data)

    # Parts.

    def _contents(self, bundle: Bundle) -> Contents:
        if (bundle.app, bundle.stage) != (self._app, self._names.stage):
            raise ConfigurationError(
                f"this is a bundle of '{bundle.app}', stage '{bundle.stage}', and not of "
                f"'{self._app}', stage '{self._names.stage}'"
            )
        return contents_of(bundle)

    def _stack(self, name: str) -> StackDriver:
        tags = {TAG: self._names.prefix}
        return StackDriver(self._clients.cloudformation, name, tags, self._pace)

    def _bucket(self, data: Stack | None) -> Bucket | None:
        name = data.outputs.get(BUCKET) if data is not None else None
        return Bucket(self._clients.s3, name) if name else None

    def _compared(
        self,
        driver: StackDriver,
        template: bytes,
        parameters: Mapping[str, str],
        bucket: Bucket | None,
    ) -> tuple[Change, ...]:
        found = driver.look()
        if found is not None and found.status in NEVER_CAME_UP:
            # A deployment clears that away first.
            return additions_of(parsed(template))
        stack = _up(found)
        if stack is not None and stack.status.endswith("_IN_PROGRESS"):
            raise DeploymentError(
                f"stack {driver.name} is being changed now ({stack.status}): plan again once it "
                "rests; `shopctl deploy --yes` waits for it by itself"
            )
        if stack is None and bucket is None and len(template) > INLINE:
            return additions_of(parsed(template))
        with self._passed(bucket, template) as passed:
            change = driver.change_set(passed, parameters, update=stack is not None)
        if change is None:
            return ()
        driver.discard(change, made_stack=stack is None)
        return changes_of(change.pages)

    @contextmanager
    def _passed(self, bucket: Bucket | None, template: bytes) -> Iterator[Template]:
        """Pass a template with the request, or by way of the bucket; leaves none there."""
        if len(template) <= INLINE:
            yield Template(body=template.decode())
            return
        if bucket is None:
            raise DeploymentError(
                f"{DATA} has {len(template)} bytes, and AWS takes {INLINE} while there is no "
                "bucket to put it in: deploy with fewer collections first, then with all"
            )
        key = template_key(version_of(template))
        sent = list(bucket.upload({key: template}))
        try:
            yield Template(url=bucket.url(key))
        finally:
            for one in sent:
                bucket.remove(one)

    def _functions(self) -> dict[str, str]:
        """Name the functions of the stage, as the application and as AWS call them."""
        driver = self._stack(self._names.prefix)
        stack = _up(driver.look())
        if stack is None:
            raise self._nothing()
        found = [name for kind, name in driver.resources(stack) if kind == FUNCTION]
        prefix = f"{self._names.prefix}-"
        return {name.removeprefix(prefix): name for name in sorted(found)}

    def _found(self, function: str, names: Mapping[str, str]) -> str:
        if function not in names:
            raise DeploymentError(
                f"there is no function '{function}' in stage '{self._names.stage}'; "
                f"there are: {', '.join(names) or 'none'}"
            )
        return names[function]

    def _deployment(self, stack: Stack, version: str, *, changed: bool) -> Deployment:
        outputs = {("url" if key == URL else key): value for key, value in stack.outputs.items()}
        return Deployment(
            provider=PROVIDER,
            app=self._app,
            stage=self._names.stage,
            state=stack.status,
            outputs=outputs,
            version=version,
            at=stack.at,
            changed=changed,
        )

    def _nothing(self) -> DeploymentError:
        return DeploymentError(
            f"nothing of '{self._app}' is deployed as stage '{self._names.stage}': "
            "deploy it with `shopctl deploy --provider aws`"
        )


def _told_loss(changes: Sequence[Change]) -> str:
    listed = "; ".join(
        f"{one.action} {one.kind} {one.name}"
        + (f" ({', '.join(one.details)})" if one.details else "")
        for one in changes
    )
    return (
        f"this would take data away: {listed}; nothing was changed. Keep the collection, or say "
        "that the data may go with `shopctl deploy --allow-data-loss`"
    )


def _up(stack: Stack | None) -> Stack | None:
    """Leave out a stack that only ever was planned."""
    return None if stack is None or stack.status == "REVIEW_IN_PROGRESS" else stack


def _version(driver: StackDriver, stack: Stack) -> str:
    found = driver.template(stack)
    return version_of(found.encode() if isinstance(found, str) else written(found))


def _mended(bucket: Bucket, current: str, wanted: str) -> list[Record]:
    """Read the records; finish those of interrupted runs that came through, forget the others."""
    found: list[Record] = []
    for record in bucket.records():
        if record.state == "done" or record.version == wanted:
            found.append(record)
        elif record.version == current:
            found.append(bucket.complete(record))
        else:
            bucket.remove(record.key)
    return found


def _unfinished(records: Sequence[Record], current: str, wanted: str) -> Record | None:
    """Give the record of a deployment that this one goes on with, or only says again."""
    newest = next(iter(records), None)
    if newest is None or newest.version != wanted:
        return None
    return newest if newest.state == "started" or current == wanted else None


def _before(records: Sequence[Record], current: str) -> Record | None:
    """Give the deployment to go back to; a way back that was interrupted goes on."""
    newest = next(iter(records), None)
    if newest is not None and newest.back and newest.state == "started":
        return newest
    done = (one for one in records if one.state == "done" and one.version != current)
    return next(done, None)
