"""A changed configuration while the plugin runs."""
import pytest
from crowbar_plugin import AsyncPlugin, Plugin, Retry
from crowbar_plugin.testing import Host

BOTH = pytest.mark.parametrize("make", [Plugin, AsyncPlugin])


def holds_its_lane(host, seen):
    """Whether nothing behind a retry is handled until `voided`; the plugin retries the first "one"."""
    first, second = host.deliver(message="one"), host.deliver(message="two")
    other = host.deliver(message="other", channelId="random")
    assert host.outcome(first).kind == "retry" and host.outcome(other).kind == "ack"
    assert seen == ["one", "other"] and second not in host._settled
    host.tell(type="voided", delivery=first, through=second)
    del host._sent[second]
    again = [host.deliver(message=text, attempt=2) for text in ("one", "two")]
    assert [host.outcome(number).kind for number in again] == ["ack", "ack"]
    return seen == ["one", "other", "one", "two"]


def pipelined(make, seen):
    plugin = make("pipe", pipelined=True)

    @plugin.on("*")
    def work(event):
        seen.append(event["message"])
        if event["message"] == "one" and event.attempt == 1:
            raise Retry("again")

    return plugin


@BOTH
@pytest.mark.parametrize("size", [3, 4])
def test_the_queues_of_a_pipelined_plugin_keep_their_order(make, size):
    seen = []
    plugin = pipelined(make, seen)
    plugin.configure(lambda config: plugin.queue("main", window=config.integer("size")))
    with Host(plugin, config={"size": 3}) as host:
        assert host.lines[0]["queues"] == [{"name": "main", "window": 3, "order": "channel"}]
        assert host.configure({"size": size})["ok"]
        if size != 3:
            assert host.hear("queues")["queues"] == [{"name": "main", "window": size, "order": "channel"}]
        assert holds_its_lane(host, seen)
        # Queues that are the same are not told again.
        assert [line["type"] for line in host.lines].count("queues") == (size != 3)


@BOTH
def test_replaced_queues_of_a_pipelined_plugin_have_an_order(make):
    seen = []
    plugin = pipelined(make, seen)
    plugin.ask("replace")(lambda queue: plugin.set_queues([{"name": "main", "window": 2}]))
    with Host(plugin) as host:
        host.tell(type="ask", id=1, what="replace")
        assert host.hear("queues")["queues"] == [{"name": "main", "window": 2, "order": "channel"}]
        assert host.hear("answer")["ok"] and holds_its_lane(host, seen)


def fragile(make):
    """A plugin whose `configure` raises where the size is 0, after it has declared a queue."""
    plugin = make("bot")

    @plugin.configure
    def configure(config):
        size = config.integer("size")
        plugin.queue(f"q{size}")
        return 12 // size

    return plugin


@BOTH
def test_a_configure_that_raises_leaves_the_old_settings(make, capfd):
    plugin = fragile(make)
    with Host(plugin, config={"size": 3}) as host:
        assert host.configure({"size": 0}) == {
            "type": "configured", "id": 1, "ok": False, "path": "",
            "message": "ZeroDivisionError: integer division or modulo by zero"}
        assert plugin.settings == 4 and [each["name"] for each in plugin._queues] == ["q3"]
        # What was noted before may be the cause.
        answer = host.configure({"size": "x"})
        assert answer["path"] == "size" and answer["message"] == (
            "size: must be a whole number; ZeroDivisionError: integer division or modulo by zero")
        assert host.event("q3").kind == "ack"
        assert host.configure({"size": 2})["ok"] and plugin.settings == 6
        assert host.drain() == 0
    trace = capfd.readouterr().err
    assert "Traceback" in trace and "return 12 // size" in trace


@BOTH
def test_a_configure_that_raises_at_first_ends_as_a_mistake_does(make):
    host = Host(fragile(make), config={"size": 0})
    assert host.hear("fatal") == {
        "type": "fatal", "code": "configuration", "path": "", "retry": False,
        "message": "ZeroDivisionError: integer division or modulo by zero"}
    assert host.wait() == 78
    host.close()


def targets(make):
    """A plugin with a queue for each target of its configuration, and one that is always there."""
    plugin = make("targets")
    plugin.queue("fixed")

    @plugin.configure
    def configure(config):
        names = config.texts("names", [])
        for name in names:
            plugin.queue(name)
        return names

    return plugin


def names(message):
    return [each["name"] for each in message["queues"]]


@BOTH
def test_a_queue_that_the_new_configuration_does_not_declare_ends(make):
    plugin = targets(make)
    with Host(plugin, config={"names": ["a", "b"]}) as host:
        assert names(host.lines[0]) == ["fixed", "a", "b"]
        assert host.configure({"names": ["b", "c"]})["ok"]
        assert names(host.hear("queues")) == ["fixed", "b", "c"]
        # A mistake leaves the queues as they are.
        assert not host.configure({"names": 1})["ok"]
        assert host.configure({"names": []})["ok"]
        assert names(host.hear("queues")) == ["fixed"]
        assert host.drain() == 0
    # What a run before was configured with is gone.
    with Host(plugin, config={"names": ["d"]}) as host:
        assert names(host.lines[0]) == ["fixed", "d"]


@BOTH
def test_without_any_queue_there_is_main_again(make):
    plugin = make("targets")
    plugin.configure(lambda config: [plugin.queue(name) for name in config.texts("names", [])])
    with Host(plugin, config={"names": ["a"]}) as host:
        assert host.configure({"names": []})["ok"]
        assert names(host.hear("queues")) == ["main"]


@BOTH
def test_queues_that_configure_sets_are_told_once(make):
    plugin = make("targets")
    plugin.configure(lambda config: plugin.set_queues([{"name": each} for each in config.texts("names")]))
    with Host(plugin, config={"names": ["a"]}) as host:
        assert host.configure({"names": ["b"]})["ok"]
        assert names(host.hear("queues")) == ["b"]
        assert host.drain() == 0
        assert [line["type"] for line in host.lines].count("queues") == 1
