"""What every durable adapter promises: a host that is closed and opened again goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from cartwheel.app import App
from cartwheel.host import Host
from cartwheel.ports import (
    ChargeStatus,
    Check,
    Conflict,
    DeadLetter,
    Event,
    Mail,
    Message,
    Put,
    Row,
    RunConflict,
    RunStatus,
    from_rfc3339,
    rfc3339,
)
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._empty_app import empty_app
from cartwheel.testing._messaging_app import (
    DELIVERY,
    HAPPENED,
    PATIENT,
    SLOWLY,
    WORK,
    let_through,
    messaging_app,
    seen,
)
from cartwheel.testing._runtime_app import calls, open_gate, runtime_app
from cartwheel.testing._runtime_case import APPROVAL, lasted, plan
from cartwheel.testing._scheduled_app import SECONDS, STEADY, scheduled_app, ticks
from cartwheel.testing._store_app import THINGS, store_app

WORKER = "kit.worker"


class DurabilityContract(Contract):
    """Holds an adapter to `AdapterInfo.durable`: what it accepted is there after a restart.

    It needs the fixture `reopen: Callable[[App], Host]`: within one test each call opens the
    application over the same data. Tests make names of their own, so they may share it.
    """

    token: ClassVar[str] = "tok_ok"
    stands_still: ClassVar[bool] = True
    """Whether nothing happens while no host is open; deployed functions go on."""

    def sent_mails(self, host: Host) -> Sequence[Mail] | None:
        """Give what readers see; None where the adapter cannot tell."""
        return None

    def restarted(self, reopen: OpenHost, app: App) -> None:
        """Open and close a host that is asked for nothing, as a restart that meets a restart."""
        with reopen(app):
            return

    # Rows.

    def test_rows_their_versions_and_their_indexes_are_there(self, reopen: OpenHost) -> None:
        place, owner = fresh("place"), fresh("owner")
        with reopen(store_app()) as host:
            store = host.ports.store
            store.commit(THINGS, place, [Put(key, {"owner": owner, "rank": 1}, 0) for key in "abc"])
            store.commit(THINGS, place, [Put("b", {"owner": owner, "rank": 0}, 1)])
        self.restarted(reopen, store_app())
        with reopen(store_app()) as host:
            store = host.ports.store
            row = Row(place, "b", 2, {"owner": owner, "rank": 0})
            assert store.get(THINGS, place, "b") == row
            assert [row.key for row in store.scan(THINGS, place).rows] == ["a", "b", "c"]
            self.eventually(
                host,
                lambda: (
                    [r.key for r in store.query(THINGS, "by_owner", owner).rows] == ["b", "a", "c"]
                ),
                "index after the restart",
            )
            with pytest.raises(Conflict):
                store.commit(THINGS, place, [Check("b", 1)])
            store.commit(THINGS, place, [Put("b", {}, 2)])

    def test_a_cursor_still_leads_on(self, reopen: OpenHost) -> None:
        owner = fresh("owner")
        with reopen(store_app()) as host:
            store = host.ports.store
            place = fresh("place")
            store.commit(THINGS, place, [Put(key, {"owner": owner}, 0) for key in "abc"])
            self.eventually(
                host, lambda: len(store.query(THINGS, "by_owner", owner).rows) == 3, "index"
            )
            cursor = store.query(THINGS, "by_owner", owner, limit=1).next
        with reopen(store_app()) as host:
            page = host.ports.store.query(THINGS, "by_owner", owner, cursor=cursor)
            assert [row.key for row in page.rows] == ["b", "c"]

    # Messages.

    def test_messages_and_events_that_were_accepted_are_delivered(self, reopen: OpenHost) -> None:
        messages = [Message(fresh("msg"), {"n": n}) for n in range(5)]
        with reopen(messaging_app()) as host:
            at = rfc3339(host.ports.clock.now())
            event = Event(fresh("evt"), HAPPENED, {"n": 1}, at)
            for message in messages:
                host.ports.queue.send(WORK, message)
            host.ports.events.publish([event])
        with reopen(messaging_app()) as host:
            for message in messages:
                self.delivered(host, WORKER, message.id)
            for consumer in ("kit.first", "kit.second"):
                self.delivered(host, consumer, event.id)

    def delivered(self, host: Host, consumer: str, item_id: str, times: int = 1) -> None:
        """Wait until a consumer got an item."""
        self.eventually(
            host,
            lambda: len(seen(host.ports, consumer, item_id)) >= times,
            f"delivery {times} of {item_id} to {consumer}",
        )

    def test_a_delayed_message_comes_at_its_time(self, reopen: OpenHost) -> None:
        message = Message(fresh("msg"), {})
        with reopen(messaging_app()) as host:
            sent = host.ports.clock.now()
            host.ports.queue.send(WORK, message, delay=2)
        with reopen(messaging_app()) as host:
            self.delivered(host, WORKER, message.id)
            (found,) = seen(host.ports, WORKER, message.id)
        assert float(str(found["now"])) >= sent + 1.9

    def test_tries_are_counted_over_a_restart(self, reopen: OpenHost) -> None:
        message = _failing("kit.patient")
        with reopen(messaging_app()) as host:
            host.ports.queue.send(SLOWLY, message)
            self.delivered(host, "kit.patient", message.id)
        with reopen(messaging_app()) as host:
            self.eventually(host, lambda: self.letters(host, message), "dead letter")
            assert len(seen(host.ports, "kit.patient", message.id)) == PATIENT.attempts

    def test_dead_letters_are_kept_and_can_be_redriven(self, reopen: OpenHost) -> None:
        message = _failing(WORKER)
        with reopen(messaging_app()) as host:
            host.ports.queue.send(WORK, message)
            before = self.eventually(host, lambda: self.letters(host, message), "dead letter")
        with reopen(messaging_app()) as host:
            assert self.letters(host, message) == before
            let_through(host.ports, message.id)
            host.ports.dead_letters.redrive(before[0].id)
            self.delivered(host, WORKER, message.id, DELIVERY.attempts + 1)
            assert self.letters(host, message) == []
        with reopen(messaging_app()) as host:
            assert self.letters(host, message) == []

    def letters(self, host: Host, message: Message) -> list[DeadLetter]:
        """Give the dead letters of a message."""
        return [one for one in host.ports.dead_letters.list() if one.body == message.body]

    # Schedules.

    def test_ticks_missed_while_closed_are_one_tick(self, reopen: OpenHost) -> None:
        if not self.stands_still:
            pytest.skip("schedules tick while no host is open: functions have been deployed")
        with reopen(scheduled_app()) as host:
            self.eventually(host, lambda: ticks(host.ports, STEADY), "first tick")
            before = len(ticks(host.ports, STEADY))
            clock = host.ports.clock
        # Just beyond two intervals, so that the tick after the missed ones is far away.
        clock.sleep(2.1 * SECONDS)
        with reopen(scheduled_app()) as host:

            def look() -> list[float] | None:
                found = ticks(host.ports, STEADY)
                return found if len(found) > before else None

            found = self.eventually(host, look, "tick after the restart")
            assert len(found) == before + 1

    # Runs.

    def test_a_run_that_sleeps_wakes_at_its_time(self, reopen: OpenHost) -> None:
        run_id = fresh("run")
        with reopen(runtime_app()) as host:
            host.ports.workflows.start("kit_sleep", run_id, plan(pause=2))
        self.restarted(reopen, runtime_app())
        with reopen(runtime_app()) as host:
            waits = self.eventually(
                host, lambda: host.ports.workflows.status(run_id).waiting_for, "sleep"
            )
            assert waits[0].startswith("sleep:sleep until ")
            self.ended(host, run_id)
            run = host.ports.workflows.status(run_id)
        assert (run.status, run.output) == (RunStatus.SUCCEEDED, {"name": "awake"})
        assert lasted(run) >= 1.9

    def ended(self, host: Host, run_id: str) -> None:
        """Wait until a run has ended."""
        self.eventually(
            host,
            lambda: host.ports.workflows.status(run_id).status != RunStatus.RUNNING,
            f"end of run {run_id}",
        )

    def test_a_run_that_waits_takes_its_signal(self, reopen: OpenHost) -> None:
        run_id = fresh("run")
        with reopen(runtime_app()) as host:
            host.ports.workflows.start("kit_wait", run_id, plan())
            self.waits(host, run_id)
        with reopen(runtime_app()) as host:
            self.waits(host, run_id)
            assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s")
            self.ended(host, run_id)
            assert host.ports.workflows.status(run_id).output == APPROVAL
            assert calls(host.ports, run_id) == ["before"]

    def waits(self, host: Host, run_id: str) -> None:
        """Wait until a run waits for its signal."""
        runtime = host.ports.workflows
        self.eventually(
            host, lambda: runtime.status(run_id).waiting_for == ("signal:approval",), "wait"
        )

    def test_a_signal_that_came_early_is_kept_and_its_second_one_dropped(
        self, reopen: OpenHost
    ) -> None:
        run_id = fresh("run")
        with reopen(runtime_app()) as host:
            host.ports.workflows.start("kit_wait", run_id, plan(pause=1))
            assert host.ports.workflows.signal(run_id, "approval", APPROVAL, signal_id="s")
        with reopen(runtime_app()) as host:
            other = {**APPROVAL, "by": "another"}
            assert not host.ports.workflows.signal(run_id, "approval", other, signal_id="s")
            self.ended(host, run_id)
            assert host.ports.workflows.status(run_id).output == APPROVAL

    def test_a_cancel_is_not_forgotten(self, reopen: OpenHost) -> None:
        run_id = fresh("run")
        with reopen(runtime_app()) as host:
            host.ports.workflows.start("kit_sleep", run_id, plan(pause=2))
            host.ports.workflows.cancel(run_id, "why")
        with reopen(runtime_app()) as host:
            assert host.ports.workflows.status(run_id).cancel_requested
            self.ended(host, run_id)
            assert host.ports.workflows.status(run_id).status == RunStatus.CANCELLED
            assert calls(host.ports, run_id) == []

    def test_a_run_keeps_the_definition_that_it_began_with(self, reopen: OpenHost) -> None:
        old, new = fresh("run"), fresh("run")
        with reopen(runtime_app()) as host:
            began = host.ports.workflows.start("kit_wait", old, plan())
            self.waits(host, old)
        with reopen(runtime_app(changed=True)) as host:
            run = host.ports.workflows.status(old)
            assert (run.version, run.definition) == ("1", began.definition)
            assert host.ports.workflows.signal(old, "approval", APPROVAL, signal_id="s")
            self.ended(host, old)
            assert host.ports.workflows.status(old).output == APPROVAL
            other = host.ports.workflows.start("kit_wait", new, plan())
            assert other.version == "2"
            assert other.definition != began.definition
            with pytest.raises(ValueError, match="approval"):
                host.ports.workflows.signal(new, "approval", APPROVAL, signal_id="s")

    def test_runs_that_have_ended_keep_result_history_and_id(self, reopen: OpenHost) -> None:
        done, failed, gate = fresh("run"), fresh("run"), fresh("gate")
        with reopen(runtime_app()) as host:
            runtime = host.ports.workflows
            runtime.start("kit_retry", done, {})
            runtime.start("kit_gate", failed, plan(gate=gate))
            for run_id in (done, failed):
                self.ended(host, run_id)
            runs = [runtime.status(run_id) for run_id in (failed, done)]
            histories = [list(runtime.history(run.run_id)) for run in runs]
        with reopen(runtime_app()) as host:
            runtime = host.ports.workflows
            listed = [run for run in runtime.list().runs if run.run_id in {done, failed}]
            assert listed == runs
            assert [runtime.status(run.run_id) for run in runs] == runs
            assert [list(runtime.history(run.run_id)) for run in runs] == histories
            assert runtime.start("kit_retry", done, {}) == runs[1]
            with pytest.raises(RunConflict):
                runtime.start("kit_greet", done, {"name": "x"})
            open_gate(host.ports, gate)
            runtime.redrive(failed)
            self.ended(host, failed)
            assert runtime.status(failed).status == RunStatus.SUCCEEDED
            assert calls(host.ports, failed) == ["first", "second", "second", "third"]

    # The world outside.

    def test_charges_and_their_keys_are_kept(self, reopen: OpenHost) -> None:
        reference = fresh("ref")

        def authorize(host: Host) -> str:
            charge = host.ports.payments.authorize(
                key=reference, reference=reference, amount=5, currency="EUR", token=self.token
            )
            return charge.charge_id

        with reopen(empty_app()) as host:
            charge_id = authorize(host)
            host.ports.payments.capture(key="capture", charge_id=charge_id, amount=5)
        with reopen(empty_app()) as host:
            assert authorize(host) == charge_id
            found = host.ports.payments.find(reference)
            assert found is not None
            assert (found.status, found.captured) == (ChargeStatus.CAPTURED, 5)
            again = host.ports.payments.capture(key="capture", charge_id=charge_id, amount=5)
            assert again == found

    def test_mails_are_kept_and_shown_once(self, reopen: OpenHost) -> None:
        mail = Mail(fresh("mail"), "a@example.com", "Kept", "for good")
        with reopen(empty_app()) as host:
            host.ports.mailer.send(mail)
        with reopen(empty_app()) as host:
            host.ports.mailer.send(mail)
            host.settle()
            sent = self.sent_mails(host)
            if sent is None:
                pytest.skip("sent_mails() gives None: this adapter cannot show what it sent")
            assert [one for one in sent if one.id == mail.id] == [mail]

    def test_a_signing_key_stays_the_same(self, reopen: OpenHost) -> None:
        with reopen(empty_app()) as host:
            key = host.ports.secrets.get("kit_signing_key")
        with reopen(empty_app()) as host:
            assert host.ports.secrets.get("kit_signing_key") == key

    def test_ids_are_not_made_again_and_time_goes_on(self, reopen: OpenHost) -> None:
        made: set[str] = set()
        before = 0.0
        for _ in range(3):
            with reopen(empty_app()) as host:
                made |= {host.ports.ids.new("id") for _ in range(100)}
                made |= {host.ports.ids.token() for _ in range(100)}
                assert host.ports.clock.now() >= before > -1
                before = host.ports.clock.now()
        assert len(made) == 600
        assert before > from_rfc3339("2020-01-01T00:00:00Z")


def _failing(consumer: str) -> Message:
    """Make a message that a consumer never takes, and that no other is like."""
    message_id = fresh("msg")
    return Message(message_id, {"fail": {consumer: -1}, "about": message_id})
