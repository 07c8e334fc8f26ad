"""Writes templates as YAML that people read: texts of several lines stand as they are."""

from __future__ import annotations

from cartwheel.ports import JsonObject

WIDTH = 110


def to_yaml(template: JsonObject) -> bytes:
    """Write a template; the same one gives the same bytes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes no anchors, and blocks where a text has lines."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    written: str = yaml.dump(
        template, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    return written.encode()
