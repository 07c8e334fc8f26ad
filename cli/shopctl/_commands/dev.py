"""`shopctl dev`: serves an application on this machine."""

from __future__ import annotations

import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from shopctl._commands._options import AppOption, DataOption, JsonOption

DEFAULT_PORT = 8000


def dev(
    *,
    data: DataOption = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0: a free one.")
    ] = DEFAULT_PORT,
    bind: Annotated[
        str, typer.Option("--bind", metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    seed: Annotated[
        bool, typer.Option("--seed", help="Fill the shop's catalogue first, if it is empty.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Mail, SMS and payment services as TOML; default: the project's.",
        ),
    ] = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Serve on this machine until Ctrl-C or SIGTERM; logs go to standard error.

    With --json the first line is a document with the addresses, once requests are answered.
    """
    from shopctl._apps import find_project, load_project
    from shopctl._files import data_folder
    from shopctl._local import open_local
    from shopctl._output import progress
    from shopctl._settings import load_settings

    project = find_project(app, Path.cwd())
    loaded = load_project(project)
    folder = data_folder(data, project.folder, loaded.name)
    settings = load_settings(config, project.folder)
    # From here on nothing is said before it is so: whoever reads the address may use it.
    with open_local(loaded, folder, settings) as host:
        if seed:
            from shopctl._shop import seed_shop

            count = seed_shop(host)
            sys.stderr.write(f"the catalogue has its {count} products\n")

        def ready(url: str) -> None:
            mailbox = f"{url}/_mailbox"
            if json:
                facts = {
                    "app": loaded.name,
                    "url": url,
                    "docs": f"{url}/docs",
                    "mailbox": mailbox,
                    "data": str(folder),
                    "pid": os.getpid(),
                }
                progress(json_module.dumps(facts))
                return
            progress(
                f"{loaded.title} is at {url}\n"
                f"  docs     {url}/docs\n"
                f"  mailbox  {mailbox}\n"
                f"  data     {folder}\n"
                "Ctrl-C ends it."
            )

        from cartwheel_local._http import serve

        serve(host, bind=bind, port=port, ready=ready)
        sys.stderr.write("ending: finishing what is under way\n")
    sys.stderr.write("ended cleanly; start again to go on\n")
