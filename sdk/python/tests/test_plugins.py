"""Plugins against a host, in this process and as programs."""
import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from crowbar_plugin import AsyncPlugin, Plugin, Refused, Reject, Retry
from crowbar_plugin.testing import Host

SOURCE = os.path.join(os.path.dirname(__file__), "..", "src")


def test_a_command_returns_its_result_and_its_cause_is_the_event():
    plugin, results = Plugin("bot"), []

    @plugin.on("MESSAGE_SENT")
    def answer(event):
        results.append(plugin.command("SEND_MESSAGE", key="k", channelId="general", message="hi", ref="r"))

    with Host(plugin) as host:
        outcome = host.event()
    assert results[0].event_id == "c1" and not results[0].duplicate
    assert outcome.commands == [
        {"type": "SEND_MESSAGE", "userId": "bot/bot", "channelId": "general", "message": "hi"}]
    assert [line["type"] for line in host.lines] == ["ready", "command", "ack"]
    assert (host.commands[0]["cause"], host.commands[0]["key"], host.commands[0]["ref"]) == (1, "k", "r")


@pytest.mark.parametrize("error, kind, code, extra", [
    (Retry("busy", after=1.5, counted=False), "retry", "busy", {"afterMs": 1500, "counted": False}),
    (Reject("bad", "no", dead_letter=False), "reject", "bad", {"deadLetter": False}),
    (ValueError("oops"), "retry", "exception", {"counted": True})])
@pytest.mark.parametrize("make", [Plugin, AsyncPlugin])
def test_an_event_is_acknowledged_only_after_its_handler_succeeded(make, error, kind, code, extra):
    plugin = make("bot", state={})

    @plugin.on("MESSAGE_SENT")
    def fail(event):
        plugin.state["n"] = plugin.state.get("n", 0) + 1
        if event["message"] == "fail":
            raise error

    with Host(plugin) as host:
        outcome = host.event(message="fail")
        assert (outcome.kind, outcome.code) == (kind, code)
        assert extra.items() <= host.lines[-1].items()
        # What the failed handler changed is forgotten.
        assert host.event(message="fine").state == {"n": 1}


def test_a_refused_command_raises():
    plugin, caught = Plugin("bot"), []

    @plugin.on("*")
    def answer(event):
        try:
            plugin.command("SEND_MESSAGE", channelId="x", message="hi")
        except Refused as error:
            caught.append(error.code)

    with Host(plugin, on_command=lambda command: ("channel_not_found", "there is no channel 'x'")) as host:
        assert host.event().kind == "ack"
    assert caught == ["channel_not_found"]


def test_a_ping_is_answered_while_a_handler_runs():
    plugin, entered, leave = Plugin("slow"), threading.Event(), threading.Event()

    @plugin.on("*")
    def work(event):
        entered.set()
        leave.wait(30)

    with Host(plugin) as host:
        number = host.deliver()
        assert entered.wait(30)
        assert host.ping(7)["n"] == 7
        assert all(line["type"] != "ack" for line in host.lines)
        leave.set()
        assert host.outcome(number).kind == "ack"


def test_what_was_done_is_acknowledged_while_a_later_handler_runs():
    plugin, leave = Plugin("slow"), threading.Event()

    @plugin.on("*")
    def work(event):
        if event["message"] == "slow":
            leave.wait(30)

    with Host(plugin) as host:
        first, second = host.deliver(message="fast"), host.deliver(message="slow")
        assert host.outcome(first).kind == "ack" and second not in host._settled
        leave.set()
        assert host.outcome(second).kind == "ack"


def test_acknowledgements_are_joined_and_none_is_lost():
    with Host(Plugin("sink")) as host:
        numbers = [host.deliver(message="x" * 100) for _ in range(2000)]
        assert all(host.outcome(number).kind == "ack" for number in numbers)
        assert host.drain() == 0
    assert sum(line["type"] == "ack" for line in host.lines) < 500


def test_a_pipelined_plugin_waits_for_voided():
    for plugin in (Plugin("pipe", pipelined=True), AsyncPlugin("pipe", pipelined=True)):
        seen = []

        @plugin.on("*")
        def work(event):
            seen.append(event["message"])
            if event["message"] == "one" and event.attempt == 1:
                raise Retry("again")

        with Host(plugin) as host:
            first = host.deliver(message="one")
            second = host.deliver(message="two")
            other = host.deliver(message="other", channelId="random")
            assert host.outcome(first).kind == "retry" and host.outcome(other).kind == "ack"
            host.tell(type="voided", delivery=first, through=second)
            del host._sent[second]
            again = [host.deliver(message="one", attempt=2), host.deliver(message="two", attempt=2)]
            assert [host.outcome(number).kind for number in again] == ["ack", "ack"]
            assert second not in host._settled
        assert seen == ["one", "other", "one", "two"]


def test_a_redriven_dead_letter_holds_no_lane():
    plugin = Plugin("pipe", pipelined=True)

    @plugin.on("*")
    def work(event):
        if event["message"] == "bad":
            raise Retry("again")

    with Host(plugin) as host:
        assert host.lines[0]["queues"] == [{"order": "channel", "name": "main"}]
        assert host.event(message="bad", mode="redrive").kind == "retry"
        assert host.event(message="good").kind == "ack"


def test_lanes_run_at_the_same_time_and_keep_their_order():
    plugin, seen = AsyncPlugin("lanes"), []
    gates = {}

    @plugin.starting
    def start():
        gates["a"] = asyncio.Event()

    @plugin.on("*")
    async def work(event):
        if event["message"] == "a1":
            await gates["a"].wait()
        if event["message"] == "b1":
            gates["a"].set()
        seen.append(event["message"])

    with Host(plugin) as host:
        numbers = [host.deliver(message=text, channelId=text[0]) for text in ("a1", "a2", "b1")]
        for number in numbers:
            host.outcome(number)
    assert seen.index("b1") < seen.index("a1") < seen.index("a2")


def test_an_async_command():
    plugin = AsyncPlugin("bot")

    @plugin.on("*")
    async def work(event):
        await plugin.join("general")
        result = await plugin.command("SEND_MESSAGE", channelId="general", message="hi", key=event.id)
        assert result.event_id == "c3"

    with Host(plugin) as host:
        assert [each["type"] for each in host.event().commands] == ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]
        assert host.drain() == 0


@pytest.mark.parametrize("make", [Plugin, AsyncPlugin])
def test_configuration_mistakes(make):
    plugin = make("bot")
    plugin.configure(lambda config: config.integer("size", minimum=1))
    plugin.on("*")(lambda event: None)
    host = Host(plugin, config={"size": 0, "sise": 1})
    fatal = [host.hear("fatal"), host.hear("fatal")]
    assert [each["path"] for each in fatal] == ["size", "sise"] and host.wait() == 78
    host.close()
    with Host(plugin, config={"size": 3}) as host:
        assert host.lines[0]["reload"] is True
        assert host.configure({"size": "x"}) == {
            "type": "configured", "id": 1, "ok": False, "path": "size", "message": "must be a whole number, at least 1"}
        assert plugin.settings == 3
        assert host.configure({"size": 4})["ok"] and plugin.settings == 4
    host = Host(plugin, config={"size": 3}, purpose="check")
    assert host.hear("ready") and host.wait() == 0
    host.close()


@pytest.mark.parametrize("make", [Plugin, AsyncPlugin])
def test_asks_status_log_and_window(make):
    plugin = make("bot")

    @plugin.ask("sizes")
    def sizes(queue):
        if queue != "main":
            raise KeyError(queue)
        return [1, 2]

    @plugin.starting
    def start():
        plugin.status("degraded", "slow", {"main": {"state": "ok"}})
        plugin.log("info", "connected", host="example")
        plugin.window(3)

    with Host(plugin) as host:
        assert host.lines[0]["asks"] == ["sizes"]
        assert [host.hear(kind)["type"] for kind in ("status", "log", "window")] == ["status", "log", "window"]
        host.tell(type="ask", id=5, what="sizes", queue="main")
        assert host.hear("answer") == {"type": "answer", "id": 5, "ok": True, "answer": [1, 2]}
        host.tell(type="ask", id=6, what="sizes")
        assert host.hear("answer")["ok"] is False


@pytest.mark.parametrize("make", [Plugin, AsyncPlugin])
def test_a_drain_finishes_what_has_arrived(make):
    plugin, seen, hooks = make("bot"), [], []
    plugin.on("*")(lambda event: seen.append(event.delivery))
    plugin.stopping(lambda: hooks.append("stopped"))
    with Host(plugin) as host:
        numbers = [host.deliver() for _ in range(50)]
        assert host.drain() == 0
        assert sorted(host._settled) == numbers and host.lines[-1]["type"] == "drained"
    assert seen == numbers and hooks == ["stopped"]


def test_the_end_of_input_ends_a_handler_that_waits_for_a_result():
    plugin = Plugin("bot")
    plugin.on("*")(lambda event: plugin.command("SEND_MESSAGE", message="x"))
    host = Host(plugin)
    host.start()
    host._note = lambda message: None
    host.deliver()
    host.hear("command")
    host.close()
    assert host.status == 0 and all(line["type"] != "ack" for line in host.lines)


def test_prints_and_child_processes_do_not_reach_the_host(tmp_path):
    program = tmp_path / "chatty.py"
    program.write_text(textwrap.dedent("""
        import subprocess
        from crowbar_plugin import Plugin
        plugin = Plugin("chatty")
        @plugin.on("*")
        def work(event):
            print("a stray print")
            subprocess.run(["echo", "a child's print"])
        plugin.main()
    """))
    with Host([sys.executable, str(program)], environment={"PYTHONPATH": SOURCE, "PATH": os.environ["PATH"]}) as host:
        assert host.event().kind == "ack" and host.drain() == 0
    assert [line["type"] for line in host.lines] == ["ready", "ack", "drained"]


def test_no_command_before_start():
    plugin, caught = Plugin("bot"), []

    @plugin.configure
    def configure(config):
        with pytest.raises(RuntimeError, match="before 'start'"):
            plugin.command("SEND_MESSAGE")
        caught.append(True)

    with Host(plugin):
        assert caught == [True]


@pytest.mark.parametrize("make, phase, words", [
    (Plugin, "command", 'has no @plugin.check'), (AsyncPlugin, "command", "has no @plugin.check")])
def test_a_wrong_phase_is_told(make, phase, words):
    host = Host(make("bot"), phase=phase)
    assert words in host.hear("fatal")["message"] and host.wait() == 78
    host.close()


def test_a_redrive_stores_its_state_with_a_line_of_its_own():
    plugin = Plugin("bot", state={})
    plugin.on("*")(lambda event: plugin.state.update(n=event.delivery))
    with Host(plugin) as host:
        assert host.event(mode="redrive").state is None
        assert host.state() == {"n": 1}


def test_many_commands_at_once_do_not_block_the_reader():
    plugin = AsyncPlugin("bot")

    @plugin.on("*")
    async def work(event):
        await asyncio.gather(*(
            plugin.command("SEND_MESSAGE", channelId="general", message="x" * 2000, key=f"{event.id}/{number}")
            for number in range(5000)))

    with Host(plugin) as host:
        assert len(host.event().commands) == 5000


def test_a_program_started_by_hand_says_what_it_is(tmp_path):
    program = tmp_path / "bot.py"
    program.write_text('from crowbar_plugin import Plugin\nPlugin("bot").main()\n')
    result = subprocess.run([sys.executable, str(program)], input=b'{"type":"ping","n":1}\n{"type":"start"}\n',
                            env={"PYTHONPATH": SOURCE}, capture_output=True, timeout=60)
    assert b"the first line must be 'hello'" in result.stderr and result.returncode == 1


@pytest.mark.parametrize("make", ["Plugin", "AsyncPlugin"])
def test_a_program_that_nobody_speaks_to_fails_and_says_why(make):
    result = subprocess.run(
        [sys.executable, "-c", f"import crowbar_plugin; crowbar_plugin.{make}('lonely').main()"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, env={"PYTHONPATH": SOURCE})
    assert (result.returncode, result.stdout) == (1, "")
    assert "before 'hello'" in result.stderr and "Traceback" not in result.stderr
