"""The definitions that runs began with and keep, by content hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from cartwheel.app import DeclaredWorkflow
from cartwheel.ports import UnknownWorkflow
from cartwheel.workflow import Workflow
from cartwheel.workflow._types import Type
from cartwheel.workflow._values import signals_of

if TYPE_CHECKING:
    from cartwheel.workflow import Program


class Archive(Protocol):
    """Keeps definitions as JSON by their content hash; a `Journal` is one."""

    def define(self, definition: str, ir: str) -> None:
        """Keep a workflow's IR as JSON under its content hash; a known hash changes nothing."""
        ...

    def definition(self, definition: str) -> str | None:
        """Give the IR kept under a content hash."""
        ...


class Definitions:
    """Finds programs by content hash: the application's own, or older ones an archive kept."""

    def __init__(self, workflows: Mapping[str, DeclaredWorkflow], archive: Archive) -> None:
        self._workflows = workflows
        self._archive = archive
        self._programs: dict[str, Program] = {}
        self._signals: dict[str, dict[str, Type]] = {}
        self._hashes: dict[str, str] = {}

    def current(self, workflow: str) -> DeclaredWorkflow:
        """Give the application's workflow of that name; raises UnknownWorkflow."""
        definition = self._workflows.get(workflow)
        if definition is None:
            raise UnknownWorkflow(workflow, tuple(self._workflows))
        return definition

    def hash_of(self, definition: DeclaredWorkflow) -> str:
        """Give a definition's content hash, having kept the definition in the archive."""
        content = self._hashes.get(definition.name)
        if content is None:
            content = definition.ir.content_hash
            self._archive.define(content, definition.ir.to_json())
            self._hashes[definition.name] = content
        return content

    def program(self, content: str, workflow: str) -> Program:
        """Give the program of a definition; raises UnknownWorkflow when nobody has kept it."""
        program = self._programs.get(content)
        if program is None:
            from cartwheel.workflow import compile_program

            program = self._programs[content] = compile_program(self._ir(content, workflow))
        return program

    def signals(self, content: str, workflow: str) -> dict[str, Type]:
        """Give the signals a definition waits for, with the types of their payloads."""
        signals = self._signals.get(content)
        if signals is None:
            signals = self._signals[content] = signals_of(self._ir(content, workflow))
        return signals

    def _ir(self, content: str, workflow: str) -> Workflow:
        current = self._workflows.get(workflow)
        if current is not None and self.hash_of(current) == content:
            return current.ir
        kept = self._archive.definition(content)
        if kept is None:
            raise UnknownWorkflow(f"{workflow} {content[:12]}", tuple(self._workflows))
        return Workflow.from_json(kept)
