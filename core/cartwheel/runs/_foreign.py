"""The WorkflowRuntime over a workflow engine that is somebody else's.

The engine executes; all else rests on our store, in the partition of the run, so it means the same
whatever the engine is. The row `run` is the gate through which a run starts, and holds what
listings show; in the same commits the letterbox's head says which execution is under way and
whether the run has ended, so a signal, a cancel, a redrive and the end come one after the other.

A crash leaves at most this: a run whose execution nobody has started, an end that nobody has noted,
a wait that nobody has woken. `settle_runs` finds all three, and so does whoever asks for the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cartwheel.app import DeclaredWorkflow
from cartwheel.ports import (
    MAX_PAGE,
    CartwheelError,
    Clock,
    HistoryEntry,
    InvalidWrite,
    Json,
    JsonObject,
    Page,
    Put,
    Row,
    Run,
    RunConflict,
    RunNotFound,
    RunPage,
    RunStatus,
    Store,
    Unavailable,
    rfc3339,
)
from cartwheel.runs._definitions import Definitions
from cartwheel.runs._execution import ExecutionEngine, Launch, Seen
from cartwheel.runs._foreign_views import (
    EVERY,
    RECORDED,
    RUN,
    ended_row,
    execution_of,
    is_open,
    recorded_history,
    redriven_row,
    row_of,
    same,
    started_row,
)
from cartwheel.runs._invocation import Invocations
from cartwheel.runs._letterbox import BY_STATUS, LISTED, RUNS, TRIES
from cartwheel.runs._rounds import Rounds
from cartwheel.runs._shelf import Shelf
from cartwheel.runs._views import run_of
from cartwheel.trace import current
from cartwheel.workflow._values import mismatch


class ForeignRuntime:
    """Is a WorkflowRuntime whose runs are executed by an engine that is not ours.

    Known limits: a try that never answered is not in the history, nor is a pause between two tries;
    sleeps are there as far as the engine tells of them; `waiting_for` names no tasks. A listing
    shows a run as running until somebody has noted its end. All runs stand under one key of an
    index, so more starts and ends per second than that takes (1,000 writes on DynamoDB) wait.
    """

    def __init__(
        self,
        workflows: Mapping[str, DeclaredWorkflow],
        store: Store,
        invocations: Invocations,
        engine: ExecutionEngine,
        clock: Clock,
    ) -> None:
        self._store = store
        self._invocations = invocations
        self._letters = invocations.letters
        self._engine = engine
        self._clock = clock
        self._shelf = Shelf(store, engine)
        self._rounds = Rounds(store)
        self._definitions = Definitions(workflows, self._shelf)

    # The port.

    def start(self, workflow: str, run_id: str, input: JsonObject) -> Run:
        """Start a run; see WorkflowRuntime. What a crash leaves unstarted is started later."""
        definition = self._definitions.current(workflow)
        problem = mismatch(input, definition.ir.input)
        if problem:
            raise ValueError(f"workflow '{workflow}': {problem}")
        content, trace = self._definitions.hash_of(definition), current()
        now = self._clock.now()
        data = started_row(definition, content, input, now, trace)
        if self._letters.open(run_id, Put(RUN, data, 0), trace=trace):
            row = Row(run_id, RUN, 1, data)
            return run_of(row_of(self._launch(row)))
        row = self._row(run_id)
        if row.data["workflow"] != workflow:
            raise RunConflict(run_id, f"is a run of workflow '{row.data['workflow']}'")
        if not same(row.data["input"], input):
            raise RunConflict(run_id, "was started with another input")
        return self._shown(row)

    def signal(self, run_id: str, name: str, payload: Json, *, signal_id: str) -> bool:
        """Deliver a signal; see WorkflowRuntime."""
        row = self._row(run_id)
        workflow = str(row.data["workflow"])
        expected = self._definitions.signals(str(row.data["definition"]), workflow)
        if name not in expected:
            listed = ", ".join(sorted(expected)) or "none"
            raise ValueError(
                f"workflow '{workflow}' waits for no signal '{name}'; it waits for: {listed}"
            )
        problem = mismatch(payload, expected[name], "payload")
        if problem:
            raise ValueError(f"signal '{name}': {problem}")
        # A run that waits for the signal runs: the engine is asked about others only.
        head = self._letters.head(run_id)
        if name not in self._letters.waiting(run_id, head) and not is_open(self._settled(row)):
            return False
        return self._letters.signal(run_id, name, payload, signal_id)

    def cancel(self, run_id: str, reason: str = "") -> None:
        """Ask a run to end; see WorkflowRuntime."""
        if is_open(self._settled(self._row(run_id))):
            self._letters.cancel(run_id, reason)

    def status(self, run_id: str) -> Run:
        """Give a run; see WorkflowRuntime."""
        return self._shown(self._row(run_id))

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give a run's history; see WorkflowRuntime."""
        row = self._row(run_id)
        rows = [found for each in RECORDED for found in self._letters.rows(run_id, each)]
        pauses = [
            pause
            for number in range(1, execution_of(row) + 1)
            for pause in self._engine.pauses(self._launch_of(row, number), latest=False)
        ]
        return recorded_history(rows, pauses)

    def list(
        self,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """List runs; see WorkflowRuntime. Runs of one workflow are picked from all the others."""
        found: list[Row] = []
        while True:
            size = limit - len(found) if workflow is None else MAX_PAGE
            page = self._page(status, cursor, size)
            fitting = [row for row in page.rows if workflow in (None, row.data["workflow"])]
            if len(found) + len(fitting) > limit:
                # The page is read again up to the last row that is wanted, to have its cursor.
                last = fitting[limit - len(found) - 1]
                place = next(n for n, row in enumerate(page.rows, 1) if row is last)
                page = self._page(status, cursor, place)
                fitting = [row for row in page.rows if row.data["workflow"] == workflow]
            found += fitting
            cursor = page.next
            if cursor is None or len(found) >= limit:
                return RunPage(tuple(run_of(row_of(row)) for row in found[:limit]), cursor)

    def redrive(self, run_id: str) -> Run:
        """Execute an ended run once more; see WorkflowRuntime."""
        for _ in self._tries(run_id):
            row = self._settled(self._row(run_id))
            if row.data["status"] in {RunStatus.RUNNING, RunStatus.SUCCEEDED}:
                raise RunConflict(
                    run_id, f"has {row.data['status']}: only failed and cancelled runs go on"
                )
            data = redriven_row(row, self._clock.now())
            put = Put(RUN, data, row.version)
            if self._invocations.begin(run_id, execution_of(row) + 1, put):
                row = Row(run_id, RUN, row.version + 1, data)
                return run_of(row_of(self._launch(row)))
        raise AssertionError("unreachable: the tries end with Unavailable")

    # What an adapter calls.

    def note_end(self, run_id: str) -> Run:
        """Note the end of a run that its engine tells of, if it is the end; raises RunNotFound."""
        return run_of(row_of(self._settled(self._row(run_id))))

    def settle_runs(self, most: int = 200) -> int:
        """Look after open runs, for a schedule; gives how many have been found to have ended.

        It costs one query when nothing runs, otherwise a look at the engine and some reads for each
        run. With more than `most` open runs they take turns, and one that a crash left waits for
        its own, unless somebody asks for it. One that can't be looked after stands in no other's
        way: its error is raised at the end.
        """
        ended, first = 0, None
        for row in self._rounds.next(most):
            try:
                if is_open(self._settled(row)):
                    self._letters.resume(row.partition)
                else:
                    ended += 1
            except CartwheelError as error:
                first = first or error
        if first is not None:
            raise first
        return ended

    # What they rest on.

    def _page(self, status: RunStatus | None, cursor: str | None, limit: int) -> Page:
        index, value = (LISTED, EVERY) if status is None else (BY_STATUS, str(status))
        return self._store.query(
            RUNS.name, index.name, value, descending=True, cursor=cursor, limit=limit
        )

    def _row(self, run_id: str) -> Row:
        row = self._store.get(RUNS.name, run_id, RUN)
        if row is None:
            raise RunNotFound(run_id)
        return row

    def _launch_of(self, row: Row, number: int) -> Launch:
        workflow, definition = str(row.data["workflow"]), str(row.data["definition"])
        return Launch(row.partition, number, workflow, definition, self._shelf.form(definition))

    def _launch(self, row: Row) -> Row:
        """Have the engine start a run's execution, and give the run's row as it is then."""
        try:
            self._engine.start(self._launch_of(row, execution_of(row)), self._input_of(row))
        except ValueError as refusal:
            return self._end(row, Seen(_failed(str(refusal)), self._clock.now()))
        return row

    def _settled(self, row: Row) -> Row:
        """Give a run's row once the engine has been asked how an open run stands."""
        if not is_open(row):
            return row
        seen = self._engine.look(self._launch_of(row, execution_of(row)))
        if seen is None:
            return self._launch(row)
        return row if seen.document is None else self._end(row, seen)

    def _end(self, row: Row, seen: Seen) -> Row:
        """Note how the execution that `row` knows has ended, unless the run is further by now."""
        run_id, execution = row.partition, execution_of(row)
        document = seen.document or {}
        at = self._clock.now() if seen.at is None else seen.at
        for _ in self._tries(run_id):
            row = self._row(run_id)
            if not is_open(row) or execution_of(row) != execution:
                return row
            data = ended_row(row, document, at)
            try:
                if self._letters.end(run_id, Put(RUN, data, row.version)):
                    return Row(run_id, RUN, row.version + 1, data)
            except InvalidWrite as error:
                if document["output"] is None:
                    raise
                problem = _unexpected(f"the run's output can't be kept: {error}")
                document = {**document, "output": None, "error": document["error"] or problem}
        raise AssertionError("unreachable: the tries end with Unavailable")

    def _shown(self, row: Row) -> Run:
        """Show a run with what it waits for."""
        row = self._settled(row)
        if not is_open(row):
            return run_of(row_of(row))
        head = self._letters.head(row.partition)
        signals = [f"signal:{name}" for name in self._letters.waiting(row.partition, head)]
        pauses = self._engine.pauses(self._launch_of(row, execution_of(row)), latest=True)
        sleeps = [
            f"sleep:{pause.step} until {rfc3339(pause.until)}"
            for pause in pauses
            if pause.fired is None
        ]
        return run_of(row_of(row), cancel_requested=head.cancelled, waiting_for=(*signals, *sleeps))

    @staticmethod
    def _input_of(row: Row) -> JsonObject:
        given = row.data["input"]
        if not isinstance(given, dict):
            raise AssertionError(f"the input of run {row.partition} is no object")
        return given

    @staticmethod
    def _tries(run_id: str) -> Iterator[int]:
        yield from range(TRIES)
        raise Unavailable(f"{RUNS.name}/{run_id} stayed contended for {TRIES} tries")


def _unexpected(message: str) -> JsonObject:
    return {"code": "Unexpected", "message": message, "details": None, "retryable": False}


def _failed(message: str) -> JsonObject:
    error = _unexpected(message)
    return {"status": "failed", "output": None, "error": error, "compensation_failures": []}
