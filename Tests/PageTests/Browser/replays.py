"""Replays in the console: progress, an end by the operator, and an end with the server."""

import pathlib

from playwright.sync_api import expect

from support.server import until
from support.plugins import Receiver, started
from support.world import BROKEN, run, scenario


def start(page, channel, rate="", queue=""):
    """Starts a replay of a channel's events by the form."""
    form = page.get_by_text("Deliver part of the log again")
    if page.get_by_role("button", name="Start the replay").is_hidden():
        form.click()
    page.get_by_role("spinbutton", name="Events a second").fill(rate)
    page.get_by_role("textbox", name="Queue").fill(queue)
    page.get_by_role("textbox", name="Channels").fill(channel)
    page.get_by_label("I know that").check()
    page.get_by_role("button", name="Start the replay").click()


def children(pid):
    """The replays that a process has started: their process ids."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == pid and b"replay" in words:
            found.append(int(folder.name))
    return found


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def prepared(here, admin, plugin, channel, count):
    """A webhook that has got a number of messages."""
    server = here.server
    server.admin(admin)
    server.channel(admin, channel)
    receiver = Receiver()
    started(server, admin, plugin, receiver.manifest())
    server.many(admin, [{"type": "SEND_MESSAGE", "channelId": channel, "message": f"event {number} of {channel}."} for number in range(count)])
    until(lambda: len(receiver.bodies) == count, "the first deliveries", detail=server.log)
    receiver.bodies.clear()
    return receiver


@scenario
def progress_and_the_end(here):
    with prepared(here, "ada", "hook", "general", 40) as receiver:
        ada = here.sign_in("ada", path="#/plugins/hook")
        replays = ada.get_by_role("region", name="Replays")
        # As fast as it goes.
        start(ada, "general")
        expect(replays.get_by_role("row").filter(has_text="done")).to_contain_text("100 %, 40 of 40 events")
        assert len(receiver.bodies) == 40, len(receiver.bodies)
        # Slow enough to be watched: the bar grows, and the operator stops it.
        receiver.bodies.clear()
        start(ada, "general", "4")
        running = replays.get_by_role("row").filter(has_text="running")
        bar = running.get_by_role("progressbar", name="Replay of hook")
        until(lambda: 0 < float(bar.get_attribute("value") or 0) < 100, "some progress")
        before = float(bar.get_attribute("value"))
        until(lambda: float(bar.get_attribute("value") or 0) > before, "more progress")
        # Another one of the same plugin must wait: the page says why.
        here.allow("/api/admin/replays")
        start(ada, "general")
        expect(ada.get_by_role("alert").filter(has_text="replay")).to_be_visible()
        ada.get_by_role("button", name="Stop the replay of hook").click()
        ada.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
        expect(replays.get_by_role("row").filter(has_text="cancelled")).to_have_count(1)
        expect(replays.get_by_role("row").filter(has_text="running")).to_have_count(0)
        until(lambda: not children(here.server.process.pid), "the end of its process")
        count = len(receiver.bodies)
        assert 0 < count < 40, count
        # What was not replayed comes by another one that drops the first.
        receiver.bodies.clear()
        ada.get_by_label("Drop a replay of this plugin that was interrupted").check()
        start(ada, "general")
        expect(replays.get_by_role("row").filter(has_text="done")).to_have_count(2)
        assert len(receiver.bodies) == 40, len(receiver.bodies)


@scenario
def one_queue(here):
    server = here.server
    server.admin("fay")
    server.channel("fay", "annex")
    with Receiver() as receiver:
        started(server, "fay", "two", receiver.manifest("ci", "ops"))
        server.many("fay", [{"type": "SEND_MESSAGE", "channelId": "annex", "message": f"event {number}"} for number in range(3)])
        until(lambda: len(receiver.bodies) == 6, "both deliveries of each", detail=server.log)
        receiver.bodies.clear()
        fay = here.sign_in("fay", path="#/plugins/two")
        replays = fay.get_by_role("region", name="Replays")
        start(fay, "annex", queue="nightly")
        expect(replays.get_by_role("row", name="two/nightly")).to_contain_text("'two' has no queue 'nightly'; it has: ci, ops")
        start(fay, "annex", queue="ops")
        expect(replays.get_by_role("row", name="two/ops")).to_contain_text("100 %, 3 of 3 events")
        assert len(receiver.bodies) == 3, receiver.bodies


@scenario
def it_ends_when_the_server_is_killed(here):
    server = here.server
    here.allow(BROKEN)
    with prepared(here, "eve", "slow", "lobby", 5) as receiver:
        eve = here.sign_in("eve", path="#/plugins/slow")
        start(eve, "lobby", "0.01")
        expect(eve.get_by_role("region", name="Replays")).to_contain_text("running")
        child = until(lambda: children(server.process.pid), "the replay's process")[0]
        assert is_running(child)
        server.kill()
        until(lambda: not is_running(child), "the end of the replay with its server")
        # Nothing of it goes on; the page comes back and shows that none runs.
        server.start()
        expect(eve.get_by_text("No replays yet.")).to_be_visible()
        assert not children(server.process.pid) and not is_running(child)
        # The interrupted one is in the way until the operator says so.
        receiver.bodies.clear()
        until(lambda: server.plugin("eve", "slow").get("state") == "live", "the plugin")
        start(eve, "lobby")
        expect(eve.get_by_role("region", name="Replays").get_by_role("row").filter(has_text="interrupted")).to_contain_text("failed")
        eve.get_by_label("Drop a replay of this plugin that was interrupted").check()
        start(eve, "lobby")
        expect(eve.get_by_role("region", name="Replays")).to_contain_text("100 %, 5 of 5 events")
        assert len(receiver.bodies) == 5, receiver.bodies


if __name__ == "__main__":
    run()
