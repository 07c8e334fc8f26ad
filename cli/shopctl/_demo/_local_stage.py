"""The day on one machine: a server process that is killed, and its data folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cartwheel.ports import RunStatus
from shopctl._apps import SHOP, Project, load_project
from shopctl._demo._client import Order
from shopctl._demo._server import ShopProcess
from shopctl._demo._stage import Check, Crash, Records, Words, steps_of
from shopctl._journal import open_folder
from shopctl._local import beside


class LocalStage:
    """Plays the day on a server of its own; bank, mailbox and runs are read from its files."""

    pause = 0.02

    def __init__(self, data: Path) -> None:
        self.shop = ShopProcess(data)
        self._data = data

    @property
    def words(self) -> Words:
        """Give how the story calls what is here."""
        return Words(
            server="A server of its own",
            place=f"on SQLite in {self._data}",
            crash="The server is killed",
            crashed="the process gets SIGKILL",
            kept="On the disk",
        )

    def add_staff(self, email: str, password: str) -> None:
        """Add a user of the staff with `shopctl users add`."""
        self.shop.add_staff(email, password)

    def open(self) -> str:
        """Start the server."""
        return self.shop.start()

    def crash(self, place: Callable[[], Order]) -> Crash:
        """Kill the server once the order is placed, and read the dead server's journal."""
        order = place()
        self.shop.kill()
        with open_folder(self._data, None) as folder:
            page = folder.list(status=None, workflow="checkout", limit=100)
            run = next(run for run in page.runs if run.input.get("order_id") == order.order_id)
            written = steps_of(tuple(folder.history(run.run_id)))
        return Crash(order, written, running=run.ended_at is None)

    def recover(self) -> tuple[str, str]:
        """Start the server again."""
        url = self.shop.start()
        return url, f"Started again at {url}"

    def busy(self) -> bool:
        """Tell whether a run is under way, by the journal."""
        with open_folder(self._data, None) as folder:
            return bool(folder.list(status=RunStatus.RUNNING, workflow=None, limit=1).runs)

    def close(self) -> Check:
        """Ask the server to end."""
        return ended(self.shop.stop())

    def records(self) -> Records:
        """Read the stopped shop's files."""
        app = load_project(Project(SHOP, "the built-in shop", self._data))
        with beside(app, self._data) as host:
            runs = host.ports.workflows.list(limit=1000).runs
            return Records(
                charges=host.bank.charges(),
                mails=host.mailbox.mails(),
                runs=runs,
                histories={r.run_id: tuple(host.ports.workflows.history(r.run_id)) for r in runs},
                dead_letters=tuple(host.ports.dead_letters.list(limit=100)),
            )


def ended(code: int | None) -> Check:
    """Judge how the server ended: any exit code but 0 is wrong."""
    problems = () if code == 0 else (f"exit code {code}",)
    return Check("the server ended cleanly when asked to", problems, f"exit code {code}")
