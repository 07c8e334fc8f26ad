"""The host on one machine: deliveries, crashes, the folder's lock, secrets, ids, closing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import ConfigurationError, Mail, Message, Put, SecretNotFound
from cartwheel.realtime import TimeOrderedIds
from cartwheel_local import LocalHost
from cartwheel_local._lock import FolderLock
from cartwheel_local._secrets import LocalSecrets
from tests.unit.memory.parts import Crash, Scene, painted


def options(folder: Path, *, background: bool = False) -> HostOptions:
    """Give options for a quiet host."""
    return HostOptions(data=folder, background=background, log=discard)


def fails_first(who: str, times: int) -> Scene:
    """Make a scene in which a function fails so many times."""
    left = [times]

    def act(name: str) -> None:
        if name == who and left[0]:
            left[0] -= 1
            raise ValueError("broken")

    return Scene(act=act)


def test_the_adapter_is_found_by_name(tmp_path: Path) -> None:
    adapter = load_adapter("local")
    assert (adapter.info.durable, adapter.info.virtual_time) == (True, False)
    with adapter.open(Scene().app(), options(tmp_path)) as host:
        assert abs(host.ports.clock.now() - time.time()) < 5


def test_without_threads_deliveries_wait_for_whoever_settles(tmp_path: Path) -> None:
    scene = Scene()
    with LocalHost(scene.app(), options(tmp_path)) as host:
        host.ports.events.publish([painted(1)])
        assert scene.seen == []
        host.settle()
        assert (scene.names("first"), scene.names("second")) == (["evt_1"], ["evt_1"])


@pytest.mark.parametrize("background", [False, True])
def test_settling_does_also_what_work_leads_to(tmp_path: Path, background: bool) -> None:
    hosts: list[LocalHost] = []
    left = [5]

    def act(who: str) -> None:
        time.sleep(0.01)
        if who == "worker" and left[0]:
            left[0] -= 1
            hosts[0].ports.queue.send("jobs", Message(f"m{left[0]}", {}))

    scene = Scene(act=act)
    with LocalHost(scene.app(), options(tmp_path, background=background)) as host:
        hosts.append(host)
        host.ports.queue.send("jobs", Message("m5", {}))
        host.settle()
        assert scene.names("worker") == ["m5", "m4", "m3", "m2", "m1", "m0"]


@pytest.mark.parametrize("background", [False, True])
def test_a_failing_delivery_is_tried_again_and_then_dead_until_it_is_redriven(
    tmp_path: Path, background: bool
) -> None:
    scene = fails_first("worker", 2)
    with LocalHost(
        scene.app(attempts=2, delay=0), options(tmp_path, background=background)
    ) as host:
        dead = host.ports.dead_letters
        host.ports.queue.send("jobs", Message("m1", {"n": 1}))
        host.settle()
        [letter] = dead.list()
        assert (letter.attempts, letter.error, letter.body) == (2, "ValueError: broken", {"n": 1})
        dead.redrive(letter.id)
        host.settle()
        assert (scene.names("worker"), dead.list()) == (["m1"] * 3, [])
        with pytest.raises(KeyError):
            dead.discard(letter.id)


def test_a_redriven_delivery_keeps_its_letters_name_when_it_dies_again(tmp_path: Path) -> None:
    scene = fails_first("worker", 100)
    with LocalHost(scene.app(attempts=1), options(tmp_path)) as host:
        host.ports.queue.send("jobs", Message("m1", {}))
        host.settle()
        first = host.ports.dead_letters.list()
        host.ports.dead_letters.redrive(first[0].id)
        host.settle()
        assert [x.id for x in host.ports.dead_letters.list()] == [first[0].id]


def test_threads_deliver_at_once_and_a_second_one_goes_on_beside_a_slow_consumer(
    tmp_path: Path,
) -> None:
    delivered, released = threading.Event(), threading.Event()

    def act(who: str) -> None:
        if who == "worker":
            released.wait(10)
        if who == "second":
            delivered.set()

    scene = Scene(act=act)
    with LocalHost(scene.app(), options(tmp_path, background=True)) as host:
        host.ports.queue.send("jobs", Message("slow", {}))
        host.ports.events.publish([painted(1)])
        assert delivered.wait(5)
        released.set()
        host.settle()
        assert scene.names("worker") == ["slow"]


def test_a_delivery_cut_short_by_a_crash_is_due_again(tmp_path: Path) -> None:
    def crash(who: str) -> None:
        if who == "worker":
            raise Crash

    before, after = Scene(act=crash), Scene()
    with LocalHost(before.app(), options(tmp_path)) as host:
        host.ports.queue.send("jobs", Message("m1", {}))
        with pytest.raises(Crash):
            host.settle()
    with LocalHost(after.app(), options(tmp_path)) as host:
        host.settle()
    assert (before.names("worker"), after.names("worker")) == (["m1"], ["m1"])


KILLED = """
import os, signal, sys
from pathlib import Path
from cartwheel.host import HostOptions
from cartwheel.ports import Message, Put
from cartwheel_local import LocalHost
from tests.unit.memory.parts import Scene

def act(who):
    os.kill(os.getpid(), signal.SIGKILL)

host = LocalHost(Scene(act=act).app(), HostOptions(data=Path(sys.argv[1]), background=False))
host.ports.store.commit("things", "p", [Put("a", {"n": 1}, 0)])
host.ports.queue.send("jobs", Message("m1", {}))
host.settle()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_killed_process_leaves_a_folder_that_goes_on(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60, cwd=Path.cwd()
    )
    assert killed.returncode == -signal.SIGKILL
    scene = Scene()
    with LocalHost(scene.app(), options(tmp_path)) as host:
        row = host.ports.store.get("things", "p", "a")
        assert row is not None
        assert row.data == {"n": 1}
        host.settle()
    assert scene.names("worker") == ["m1"]


class ShiftedClock:
    """Is real time some seconds later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Give the shifted time."""
        return time.time() + self.seconds

    def sleep(self, seconds: float) -> None:
        """Sleep as long as on any clock."""
        time.sleep(max(0.0, seconds))


def test_ticks_missed_while_down_are_one_tick(tmp_path: Path) -> None:
    scene = Scene()
    with LocalHost(scene.app(), options(tmp_path)) as host:
        host.settle()
        assert scene.names("minutely") == []
    for later in (605, 606):
        with LocalHost(scene.app(), options(tmp_path), clock=ShiftedClock(later)) as host:
            host.settle()
    assert scene.names("minutely") == ["demo.minutely"]


def test_a_folder_is_served_once_and_the_error_names_the_process(tmp_path: Path) -> None:
    with LocalHost(Scene().app(), options(tmp_path)):
        code = (
            "import sys; from pathlib import Path\n"
            "from cartwheel_local._lock import FolderLock\n"
            "from cartwheel.ports import ConfigurationError\n"
            "try: FolderLock(Path(sys.argv[1]))\n"
            "except ConfigurationError as error: print(error)\n"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert f"process {os.getpid()}" in other.stdout
        with pytest.raises(ConfigurationError, match="choose another data folder"):
            LocalHost(Scene().app(), options(tmp_path))
    lock = FolderLock(tmp_path)
    lock.close()
    lock.close()


def test_a_look_beside_the_server_reads_and_writes_but_works_nothing_off(tmp_path: Path) -> None:
    scene = Scene()
    with pytest.raises(ConfigurationError, match="holds no data yet"):
        LocalHost(scene.app(), options(tmp_path / "none"), beside=True)
    with LocalHost(scene.app(), options(tmp_path)) as host:
        host.ports.store.commit("things", "p", [Put("a", {}, 0)])
        with LocalHost(scene.app(), options(tmp_path), beside=True) as beside:
            assert beside.ports.store.get("things", "p", "a") is not None
            beside.ports.queue.send("jobs", Message("m1", {}))
            beside.settle()
            assert scene.seen == []
        host.settle()
        assert scene.names("worker") == ["m1"]


def test_a_folder_that_can_not_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="can't be a data folder"):
        LocalHost(Scene().app(), options(tmp_path / "file" / "data"))


def test_charges_and_mails_are_kept_apart_and_for_ever(tmp_path: Path) -> None:
    with LocalHost(Scene().app(), options(tmp_path)) as host:
        gateway = host.ports.payments
        charge = gateway.authorize(
            key="k", reference="r", amount=5, currency="EUR", token="tok_insufficient_funds"
        )
        captured = gateway.authorize(
            key="k2", reference="r2", amount=9, currency="EUR", token="tok_ok"
        )
        gateway.capture(key="c", charge_id=captured.charge_id, amount=9)
        host.ports.mailer.send(Mail("m1", "a@b.example", "subject", "text", "<p>"))
        host.ports.mailer.send(Mail("m1", "a@b.example", "again", "text"))
    assert (tmp_path / "bank.db").is_file()
    with LocalHost(Scene().app(), options(tmp_path)) as host:
        assert host.ports.payments.find("r") == charge
        assert [c.captured for c in host.bank.charges()] == [0, 9]
        again = host.ports.payments.capture(key="c", charge_id=captured.charge_id, amount=9)
        assert again.captured == 9
        assert host.mailbox.mails() == (Mail("m1", "a@b.example", "subject", "text", "<p>"),)


def test_secrets_come_from_the_options_then_the_environment_then_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text('{"a": "file", "b": "file", "c": "file"}', encoding="utf-8")
    environment = {"CARTWHEEL_SECRET_A": "environment", "CARTWHEEL_SECRET_B": "environment"}
    secrets = LocalSecrets({"a": "given"}, environment, file)
    found = [secrets.get(name).reveal() for name in ("a", "b", "c")]
    assert found == ["given", "environment", "file"]
    with pytest.raises(SecretNotFound, match=r"set CARTWHEEL_SECRET_D, or add 'd' to .*secrets"):
        secrets.get("d")


def test_a_signing_key_is_made_once_for_its_owner_only_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = LocalSecrets({}, {}, file).get("jwt_signing_key")
    other = LocalSecrets({}, {}, file)
    assert other.get("jwt_signing_key") == made
    assert other.get("cart_signing_key") != made
    assert LocalSecrets({}, {}, file).get("jwt_signing_key") == made
    assert len(bytes.fromhex(made.reveal())) == 32
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.reveal() not in f"{made} {made!r} {vars(other)!r:.0}"


@pytest.mark.parametrize("text", ["canary {", '["canary"]', '{"a": {"b": "canary"}}', "\xff"])
def test_a_broken_secrets_file_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"secrets\.json") as caught:
        LocalSecrets({}, {}, file).get("a")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_ids_sort_by_time_and_tokens_are_long() -> None:
    ids = TimeOrderedIds()
    first = ids.new("ord")
    time.sleep(0.003)
    second = ids.new("ord")
    assert first < second
    assert len(first) == len("ord_") + 26
    assert first.removeprefix("ord_").isalnum()
    assert len({ids.new("x") for _ in range(1000)}) == 1000
    assert (len(ids.token()), len(ids.token(16))) == (43, 22)


def test_closing_waits_for_what_is_under_way_and_leaves_no_thread(tmp_path: Path) -> None:
    entered = threading.Event()

    def act(who: str) -> None:
        entered.set()
        time.sleep(0.3)

    before = set(threading.enumerate())
    scene = Scene(act=act)
    host = LocalHost(scene.app(), options(tmp_path, background=True))
    host.ports.queue.send("jobs", Message("m1", {}))
    assert entered.wait(5)
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 5
    assert set(threading.enumerate()) <= before
    with LocalHost(Scene().app(), options(tmp_path)) as again:
        again.settle()
        assert again.database.rows("SELECT count(*) FROM deliveries") == [(0,)]
