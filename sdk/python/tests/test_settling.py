"""What is settled, with which line and in which order, also where something fails or ends."""
import asyncio
import os

import pytest
from crowbar_plugin import AsyncPlugin, Plugin, Refused, Reject, Retry, wire
from crowbar_plugin.testing import Host

BOTH = pytest.mark.parametrize("make", [Plugin, AsyncPlugin])


def deliver_at_once(host, *events):
    """Delivers events with one write, so that the plugin reads them together. Returns the deliveries' numbers."""
    lines, tell = [], host.tell
    host.tell = lambda **message: lines.append(wire.line(message))
    numbers = [host.deliver(**event) for event in events]
    host.tell = tell
    os.write(host._input, b"".join(lines))
    return numbers


def rest(host):
    """The lines that nobody has heard, up to the plugin's end."""
    return list(iter(host._lines.get, None))


def covers(line, delivery):
    """Whether an acknowledgement settles a delivery that is open."""
    return delivery in line.get("deliveries", [line.get("delivery")]) or line.get("upTo", 0) >= delivery


@BOTH
def test_the_state_of_a_redrive_comes_behind_the_older_one(make):
    plugin = make("bot", state={})
    plugin.on("*")(lambda event: plugin.state.update(n=event.delivery))
    with Host(plugin) as host:
        live, redriven = deliver_at_once(host, {"mode": "live"}, {"mode": "redrive"})
        assert host.outcome(redriven).kind == "ack" and host.outcome(live).state == {"n": 1}
        assert host.lines[1:] == [
            {"type": "ack", "delivery": live, "state": {"n": 1}},
            {"type": "state", "queue": "main", "state": {"n": 2}},
            {"type": "ack", "delivery": redriven}]
        assert host.state() == {"n": 2}


@BOTH
@pytest.mark.parametrize("error, kind, code", [(Retry(503, "x"), "retry", "503"), (Reject(404), "reject", "404")])
def test_a_code_that_is_a_number_becomes_a_text(make, error, kind, code):
    plugin = make("bot")

    @plugin.on("*")
    def fail(event):
        raise error

    with Host(plugin) as host:
        outcome = host.event()
        assert (outcome.kind, outcome.code, host.drain()) == (kind, code, 0)


def test_a_handler_that_awaits_something_cancelled_is_retried():
    plugin = AsyncPlugin("bot")

    @plugin.on("*")
    async def work(event):
        if event["message"] == "cancelled":
            task = asyncio.ensure_future(asyncio.sleep(3600))
            task.cancel()
            await task

    with Host(plugin) as host:
        first, second = deliver_at_once(host, {"message": "cancelled"}, {"message": "fine"})
        assert (host.outcome(first).kind, host.outcome(first).code) == ("retry", "cancelled")
        assert host.outcome(second).kind == "ack" and host.drain() == 0


def test_a_command_that_was_given_up_does_not_hold_the_end():
    plugin = AsyncPlugin("bot")

    @plugin.on("*")
    async def work(event):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(plugin.command("SEND_MESSAGE", message="x"), 0.01)

    host = Host(plugin)
    host.start()
    # The command gets no result.
    host._note = lambda message: None
    host.deliver()
    assert host.hear("ack")
    host.close()
    assert host.status == 0


def test_the_result_of_a_command_that_was_given_up_is_dropped():
    plugin = AsyncPlugin("bot")

    @plugin.on("*")
    async def work(event):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(plugin.command("SEND_MESSAGE", message="x"), 0.01)

    host = Host(plugin)
    host.start()
    host._note = lambda message: None
    host.deliver()
    number = host.hear("command")["id"]
    assert host.hear("ack")
    host.tell(type="result", id=number, ok=True, eventId="e", position=9)
    assert host.ping(3)["n"] == 3
    host.close()
    assert host.status == 0


def test_an_event_that_waited_at_the_end_is_covered_by_no_acknowledgement():
    plugin = Plugin("bot")
    plugin.on("*")(lambda event: event.delivery == 1 and plugin.command("SEND_MESSAGE", message="x"))
    host = Host(plugin)
    host.start()
    host._note = lambda message: None
    deliver_at_once(host, {}, {}, {})
    host.hear("command")
    host.close()
    acks = [line for line in rest(host) if line["type"] == "ack"]
    assert acks and not any(covers(line, 1) for line in acks)


@BOTH
def test_a_command_that_the_host_rejects_fails_with_the_reason(make):
    plugin, caught = make("bot"), []
    if make is Plugin:
        @plugin.on("*")
        def work(event):
            with pytest.raises(Refused) as error:
                plugin.command("SEND_MESSAGE", message="x")
            caught.append((error.value.code, error.value.message))
    else:
        @plugin.on("*")
        async def work_async(event):
            with pytest.raises(Refused) as error:
                await plugin.command("SEND_MESSAGE", message="x")
            caught.append((error.value.code, error.value.message))

    host = Host(plugin)
    host.start()
    note = host._note
    host._note = lambda message: None if message["type"] == "command" else note(message)
    number = host.deliver()
    command = host.hear("command")["id"]
    # An answer of the same number is no command, nor is a command that nobody waits for.
    host.tell(type="error", message="answer", id=int(command), reason="nothing was asked under this id")
    host.tell(type="error", message="command", id="77", reason="of another")
    host.tell(type="error", message="command", reason="without an id")
    assert host.ping()["n"] == 1 and number not in host._settled
    host.tell(type="error", message="command", id=command, reason="'command' must be an object")
    assert host.outcome(number).kind == "ack"
    assert caught == [("malformed", "'command' must be an object")]
    assert host.drain() == 0
    host.close()
