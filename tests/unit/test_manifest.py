"""The manifest says of an application all that has to be deployed, and names no provider."""

from __future__ import annotations

from cartwheel.access import EDGE, KEEPER
from cartwheel.manifest import Manifest, manifest_of
from cartwheel.workflow import Workflow
from cartwheel_workflows.shop import shop_app

SOURCE = "cartwheel_workflows.shop:app"
MANIFEST = manifest_of(shop_app(), SOURCE)


def test_every_declaration_of_the_application_is_in_it_once() -> None:
    app = shop_app()
    assert [f.name for f in MANIFEST.functions] == [*(s.name for s in app.services), EDGE, KEEPER]
    routes = [route.name for function in MANIFEST.functions for route in function.routes]
    assert routes == [route.name for route in app.routes]
    tasks = [task.name for function in MANIFEST.functions for task in function.tasks]
    assert sorted(tasks) == sorted(app.tasks)
    assert {one.name for one in MANIFEST.consumers} == {*app.subscriptions, *app.consumers}
    schedules = {s.name for function in MANIFEST.functions for s in function.schedules}
    assert schedules == {*app.schedules, "cartwheel.sweep_outbox"}
    assert [one.name for one in MANIFEST.collections] == list(app.collections)
    assert [one.name for one in MANIFEST.workflows] == list(app.workflows)


def test_it_is_the_same_each_time_and_survives_json() -> None:
    again = manifest_of(shop_app(), SOURCE)
    assert again.model_dump_json() == MANIFEST.model_dump_json()
    assert Manifest.model_validate_json(MANIFEST.model_dump_json()) == MANIFEST


def test_a_workflow_is_there_whole_with_its_hash_and_functions() -> None:
    checkout = next(one for one in MANIFEST.workflows if one.name == "checkout")
    workflow = Workflow.from_json(checkout.ir)
    assert workflow.content_hash == checkout.definition
    assert set(checkout.functions) <= {function.name for function in MANIFEST.functions}
    assert "payments" in checkout.functions


def test_the_edge_may_touch_nothing_and_the_keeper_what_it_sweeps() -> None:
    edge, keeper = MANIFEST.function(EDGE), MANIFEST.function(KEEPER)
    assert not any(edge.uses.model_dump().values())
    assert not keeper.routes
    assert {"orders", "payments"} <= set(keeper.uses.writes)
    assert keeper.uses.ports == ("events",)
    assert keeper.uses.secrets == ()


def test_a_function_is_granted_what_its_service_declares_and_has() -> None:
    payments = MANIFEST.function("payments").uses
    assert payments.ports == ("payments",)
    assert {"payments", "webhooks"} <= set(payments.writes)
    assert "orders" in payments.reads
    assert "orders" not in payments.writes
