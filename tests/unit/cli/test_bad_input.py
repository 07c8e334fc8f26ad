"""Bad input to every command: a clear message, an exit code, no traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from shopctl._help import HELP
from tests.unit.cli.conftest import HELLO, Call, Done

SHOP = ("--app", "hello:app")

BAD: list[tuple[str, int, str]] = [
    # The words after `shopctl`, the exit code, and what the message says.
    ("rotes", 2, "Did you mean 'routes'"),
    ("--nope", 2, "no such option: --nope"),
    ("workflow", 2, "missing command"),
    ("runs lst", 2, "Did you mean 'list'"),
    ("dev --port 70000", 2, "--port"),
    ("dev --port http", 2, "--port"),
    ("dev --bind 999.9.9.9 --port 0 --data d", 1, "can't listen on 999.9.9.9"),
    ("dev --data file.txt", 1, "file.txt"),
    ("dev --app hello:app --seed --data d --port 0", 1, "'--seed' belongs to the shop"),
    ("dev --app nothing", 2, "'nothing' (--app) is not MODULE:NAME"),
    ("demo --data .", 1, "is not an empty folder"),
    ("demo --fast", 2, "no such option: --fast"),
    ("routes --app no_such_module:app", 1, "there is no module 'no_such_module'"),
    ("routes --app json.no_such:app", 1, "there is no module 'json.no_such'"),
    ("routes --app hello:nothing", 1, "'hello' has no 'nothing'; it has: app"),
    ("routes --app json:loads", 1, "is a function, not a cartwheel.app.App"),
    ("routes --app broken:app", 1, "ZeroDivisionError: division by zero"),
    ("routes --app unparsable:app", 1, "SyntaxError"),
    ("routes --app borrows:app", 1, "No module named 'no_such_library'"),
    ("routes --app misdeclared:app", 1, "calls hello.say, which no service here declares"),
    ("routes extra", 2, "unexpected extra argument"),
    ("openapi --out nowhere/api.json", 1, "there is no folder nowhere"),
    ("openapi --out .", 1, "s a directory"),
    ("build --provider mars --out d", 2, "no adapter 'mars' deploys; there are: "),
    ("build --provider aws", 2, "missing option '--out'"),
    ("build --provider aws --out d --architecture vax", 2, "'vax' is not one of"),
    ("build --provider aws --out d --wheels nowhere", 2, "'nowhere' does not exist"),
    ("plan", 2, "missing option '--provider'"),
    ("plan --provider aws --stage Bad! --app hello:app", 1, "stage 'Bad!' is no name"),
    ("deploy --provider aws --app hello:app", 2, "Nobody is there to answer"),
    ("deploy --provider aws --stage 9 --yes --app hello:app", 1, "stage '9' is no name"),
    ("status --provider mars", 2, "no adapter 'mars' deploys"),
    ("outputs --provider memory", 2, "no adapter 'memory' deploys"),
    ("logs --provider aws --since soon", 2, "--since soon is no duration"),
    ("logs --provider aws --follow --json", 2, "choose one of them"),
    ("invoke --provider aws", 2, "missing argument 'FUNCTION'"),
    ("invoke hello --provider aws --event none.json", 1, "No such file"),
    ("invoke hello --provider aws --event latin.json", 1, "no UTF-8 text"),
    ("rollback --provider aws --app hello:app", 2, "Nobody is there to answer"),
    ("drift --provider aws --stage - --app hello:app", 1, "stage '-' is no name"),
    ("destroy --provider aws --app hello:app", 2, "Nobody is there to answer"),
    ("adapters extra", 2, "unexpected extra argument"),
    ("doctor --port -1", 2, "--port"),
    ("workflow list --app :", 2, "is not MODULE:NAME"),
    ("workflow show nope --app hello:app", 1, "no workflow 'nope'; the application declares: w"),
    ("workflow show", 2, "missing argument 'NAME'"),
    ("workflow graph nope --app hello:app", 1, "there is no workflow 'nope'"),
    ("workflow graph welcome --format svg --app hello:app", 2, "'svg' is not one of"),
    ("workflow lint nope --app hello:app", 1, "there is no workflow 'nope'"),
    ("workflow lint --target mars --app hello:app", 2, "there is no target 'mars'; there are:"),
    ("workflow run nope --app hello:app", 1, "there is no workflow 'nope'"),
    ("workflow run welcome --input {name --app hello:app", 2, "--input is no JSON"),
    ('workflow run welcome --input {"n":NaN} --app hello:app', 2, "NaN is no JSON number"),
    ("workflow run welcome --input @none.json --app hello:app", 1, "No such file"),
    ("workflow run welcome --input @latin.json --app hello:app", 1, "no UTF-8 text"),
    ("workflow run welcome --input [] --app hello:app", 2, "--input is list, not an object"),
    ("workflow run welcome --input {} --app hello:app", 1, "input.name is missing"),
    ("workflow run welcome --adapter mars --app hello:app", 1, "there is no adapter 'mars'"),
    ("workflow run welcome --signal x --app hello:app", 2, "--signal x is not NAME=JSON"),
    ("workflow run welcome --signal answered=x --app hello:app", 2, "--signal answered is no JSON"),
    ("workflow run welcome --wait 0 --app hello:app", 2, "--wait"),
    ("workflow ir nope --app hello:app", 1, "there is no workflow 'nope'"),
    ("workflow schema --out nowhere/x", 1, "there is no folder nowhere"),
    ("workflow compile nope --app hello:app", 2, "missing option"),
    ("workflow cost nope --app hello:app", 1, "there is no workflow 'nope'"),
    ("runs list", 1, "there is no data of 'shop'"),
    ("runs list --data nowhere", 1, "there is no data of"),
    ("runs list --status odd --data kept", 2, "'odd' is not one of"),
    ("runs list --limit 0 --data kept", 2, "--limit"),
    ("runs list --data foreign", 1, "is a SQLite file of something else"),
    ("runs list --data garbage", 1, "as Cartwheel's data: file is not a database"),
    ("runs show nope --data kept", 1, "there is no run 'nope'"),
    ("runs show nope --watch --json --data kept", 2, "choose one of them"),
    ("runs signal nope answered --data kept", 1, "there is no run 'nope'"),
    ("runs signal nope answered --payload { --data kept", 2, "--payload is no JSON"),
    ("runs signal", 2, "missing argument 'RUN'"),
    ("runs cancel nope --data kept", 1, "there is no run 'nope'"),
    ("runs redrive nope --data kept", 1, "there is no run 'nope'"),
    ("dead-letters list --data nowhere", 1, "there is no data of"),
    ("dead-letters list --limit 0 --data kept", 2, "--limit"),
    ("dead-letters list --data foreign", 1, "is a SQLite file of something else"),
    ("dead-letters show dlv_1 --data kept", 1, "there is no dead letter 'dlv_1'"),
    ("dead-letters redrive", 2, "missing argument 'LETTER'"),
    ("dead-letters redrive x --data kept", 1, "there is no dead letter 'x'"),
    ("dead-letters discard x --data kept", 1, "there is no dead letter 'x'"),
    ("users add eve@example.com", 2, "--password-stdin"),
    ("users add eve@example.com --password-stdin", 1, "standard input holds no password"),
    ("users add eve@example.com --role king --password-stdin", 2, "'king' is not one of"),
    ("users add --password-stdin", 2, "missing argument 'EMAIL'"),
    ("users add eve@example.com --password-stdin --data d --provider aws", 2, "give one"),
]


@pytest.fixture
def call(shopctl: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call shopctl in a folder with things that can go wrong in it."""
    monkeypatch.syspath_prepend(str(HELLO))
    (tmp_path / "file.txt").write_text("no folder", encoding="utf-8")
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    (tmp_path / "broken.py").write_text("app = 1 / 0\n", encoding="utf-8")
    (tmp_path / "unparsable.py").write_text("app = (\n", encoding="utf-8")
    (tmp_path / "borrows.py").write_text("import no_such_library\n", encoding="utf-8")
    (tmp_path / "misdeclared.py").write_text(
        "from cartwheel.app import App\nfrom hello import welcome\n"
        "app = App('misdeclared', services=[], workflows=[welcome])\n",
        encoding="utf-8",
    )
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "cartwheel.db").write_bytes(b"this is no database, " * 100)
    _foreign(tmp_path / "foreign")
    _kept(tmp_path / "kept")
    return shopctl


def _foreign(folder: Path) -> None:
    import sqlite3

    folder.mkdir()
    with sqlite3.connect(folder / "cartwheel.db") as connection:
        connection.execute("CREATE TABLE somebody_elses (id INTEGER)")
    connection.close()


def _kept(folder: Path) -> None:
    """Make a data folder in which nothing has happened."""
    from cartwheel.app import App
    from cartwheel.host import HostOptions
    from cartwheel_local import LocalHost

    LocalHost(App("kept", services=[]), HostOptions(data=folder, background=False)).close()


def assert_told(done: Done, code: int, message: str) -> None:
    assert message.lower() in done.err.lower(), done.err
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err + done.out
    assert "has a fault" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(("words", "code", "message"), BAD, ids=[words for words, *_ in BAD])
def test_bad_input_is_told_and_not_thrown(call: Call, words: str, code: int, message: str) -> None:
    assert_told(call(*words.split(" ")), code, message)


def test_every_command_is_in_the_table() -> None:
    lines = HELP.split("commands:\n")[1].split("\n\noptions:")[0].splitlines()
    commands = {line[2:].split("  ")[0].strip() for line in lines}
    covered = {name for name in commands for words, *_ in BAD if words.startswith(name)}
    assert commands == covered
    assert len(BAD) >= 60


def test_a_port_that_is_taken_is_named(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("dev", "--data", "d", "--port", str(port))
    assert_told(done, 1, f"can't listen on 127.0.0.1 port {port}")


def test_a_password_the_api_would_refuse_is_refused(call: Call) -> None:
    add = ("users", "add", "eve@example.com", "--password-stdin", "--data", "d")
    assert_told(call(*add, stdin="short\n"), 1, "a password has 10 to 128 characters")
    bad = ("users", "add", "nobody", "--password-stdin", "--data", "d")
    assert_told(call(*bad, stdin="long enough to pass\n"), 1, "'nobody' is no e-mail address")


def test_users_are_added_to_stages_of_providers_that_can_be_opened(call: Call) -> None:
    for name in ("nimbus", "memory"):
        add = ("users", "add", "eve@example.com", "--password-stdin", "--provider", name)
        done = call(*add, stdin="long enough to pass\n")
        assert_told(done, 2, f"no adapter '{name}' deploys; there are: ")
        assert "or work on a data folder with --data" in done.err


def test_users_belong_to_the_shop(call: Call) -> None:
    add = ("users", "add", "eve@example.com", "--password-stdin", "--data", "d", *SHOP)
    assert_told(call(*add, stdin="long enough to pass\n"), 1, "has no service 'users'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tool.cartwheel\n", "is no TOML"),
        ("[tool.cartwheel]\napp = 3\n", "app is no string"),
        ('[tool.cartwheel]\napp = "hello"\n', "is not MODULE:NAME"),
        ('[tool.cartwheel]\napp = "gone:app"\n', "there is no module 'gone'"),
    ],
)
def test_a_wrong_project_file_is_named(
    call: Call, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(content, encoding="utf-8")
    done = call("routes")
    assert message in done.err
    assert "pyproject.toml" in done.err
    assert done.code in {1, 2}


def test_the_stack_is_shown_to_those_who_ask(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWHEEL_DEBUG", "1")
    done = call("routes", "--app", "broken:app")
    assert "Traceback" in done.err
    assert "error: app 'broken:app'" in done.err
    assert done.code == 1
