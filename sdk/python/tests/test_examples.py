"""The plugins of examples/: their own examples, and each as a program."""
import importlib.util
import json
import pathlib
import socketserver
import sys
import threading

import pytest
from crowbar_plugin import Plugin
from crowbar_plugin.testing import Host, check_example

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
SOURCE = str(FOLDER.parent / "src")


def load(name):
    specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


KARMA, POLITE = load("karma").plugin, load("polite").plugin


@pytest.mark.parametrize("plugin, entry", [
    pytest.param(plugin, entry, id=f"{plugin.name}-{number}")
    for plugin in (KARMA, POLITE) for number, entry in enumerate(plugin.examples)])
def test_examples_of_decorators(plugin, entry):
    check_example(plugin, entry)


def test_an_example_that_does_not_hold_fails():
    from crowbar_plugin import Example
    kind, types, queue, handler, _ = KARMA.examples[0]
    with pytest.raises(AssertionError, match="expected state"):
        wrong = Example({"message": "bob++"}, state={}, new_state={"bob": 5})
        check_example(KARMA, (kind, types, queue, handler, wrong))


def program(name, **options):
    return Host([sys.executable, str(FOLDER / f"{name}.py")], environment={"PYTHONPATH": SOURCE}, **options)


def test_karma_goes_on_with_its_state(tmp_path):
    with program("karma", states={"main": {"bob": 41}}) as host:
        assert host.event(message="bob++").kind == "ack"
        assert host.state() == {"bob": 42}
        assert host.drain() == 0


def test_the_exporter_writes_an_event_once(tmp_path):
    file = tmp_path / "messages.jsonl"
    with program("exporter", data_dir=str(tmp_path)) as host:
        host.event(eventId="a", message="one")
        host.event(eventId="a", message="one", attempt=2)
        assert host.drain() == 0
    # As a crash leaves it: half a line.
    with file.open("ab") as output:
        output.write(b'{"eventId":"b"')
    with program("exporter", data_dir=str(tmp_path)) as host:
        host.event(eventId="a", message="one")
        host.event(eventId="b", message="two")
        assert host.drain() == 0
    assert [json.loads(line)["eventId"] for line in file.read_text().splitlines()] == ["a", "b"]


class Target(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path, answer):
        self.answer, self.lines = answer, []
        super().__init__(str(path), Target.Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.server.lines.append(json.loads(self.rfile.readline()))
            self.wfile.write(self.server.answer)


def test_a_target_that_is_down_holds_up_no_other(tmp_path):
    with Target(tmp_path / "up", b"ok\n") as up, Target(tmp_path / "bad", b"no\n") as bad:
        config = {"targets": [
            {"name": name, "socket": str(tmp_path / name)} for name in ("up", "down", "bad")]}
        with program("multi_sender", config=config) as host:
            numbers = {name: host.deliver(name, message="hello") for name in ("down", "bad", "up")}
            outcomes = {name: host.outcome(number) for name, number in numbers.items()}
            assert host.drain() == 0
        up.shutdown(), bad.shutdown()
    assert outcomes["up"].kind == "ack" and up.lines[0]["message"] == "hello"
    assert (outcomes["down"].kind, outcomes["down"].code) == ("retry", "unreachable")
    assert (outcomes["bad"].kind, outcomes["bad"].code) == ("reject", "refused")


def test_the_check_as_a_program():
    config = {"hide": ["darn"], "refuse": ["heck"]}
    with program("polite", phase="command", config=config) as host:
        assert host.check(message="Darn")["command"] == {"message": "****"}
        assert host.check(message="heck")["allow"] is False
        assert host.configure({"hide": ["x"], "refuse": []})["path"] == "refuse"
        assert host.check(message="heck")["allow"] is False
        assert host.configure({"hide": ["x"], "refuse": ["y"]})["ok"] is True
        assert host.check(message="heck")["allow"] is True
        assert host.drain() == 0


def test_the_host_is_a_fixture(host_of_a_plugin):
    assert host_of_a_plugin.event(message="hello").kind == "ack"


@pytest.fixture
def host_of_a_plugin():
    with Host(Plugin("fixture")) as host:
        yield host
