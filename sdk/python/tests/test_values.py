"""The pure parts: acknowledgements, lanes, states, configuration, lines."""
import pytest
from crowbar_plugin import Config, ConfigError, LimitError, wire
from crowbar_plugin.settlements import HeldLanes, Settlements, States


def settled(opened, acked, queue="main"):
    settlements = Settlements()
    for number in opened:
        settlements.opened(queue, number)
    for number in acked:
        settlements.acked(queue, number)
    return settlements.take()


@pytest.mark.parametrize("opened, acked, line", [
    ([1], [1], '{"type":"ack","delivery":1}\n'),
    ([1, 2, 3], [1, 2, 3], '{"type":"ack","upTo":3}\n'),
    ([1, 2, 3], [3, 2, 1], '{"type":"ack","upTo":3}\n'),
    ([1, 2, 3], [1, 2], '{"type":"ack","upTo":2}\n'),
    ([1, 2, 3], [2, 3], '{"type":"ack","deliveries":[2,3]}\n'),
    ([1, 2, 3, 4], [1, 2, 4], '{"type":"ack","deliveries":[1,2,4]}\n')])
def test_a_range_is_settled_only_if_nothing_in_it_is_open(opened, acked, line):
    assert settled(opened, acked) == [line]


def test_each_queue_has_a_line_and_the_last_state_goes_along():
    settlements = Settlements()
    for queue, number in (("a", 1), ("b", 2), ("a", 3)):
        settlements.opened(queue, number)
    settlements.acked("a", 1, '{"n":1}')
    settlements.acked("b", 2)
    settlements.acked("a", 3, '{"n":2}')
    assert settlements.take() == ['{"type":"ack","upTo":3,"state":{"n":2}}\n', '{"type":"ack","delivery":2}\n']
    assert settlements.take() == [] and settlements.waiting == 0 and settlements.open_count() == 0


def test_a_closed_delivery_does_not_stand_in_the_way():
    settlements = Settlements()
    for number in (1, 2, 3):
        settlements.opened("main", number)
    settlements.closed("main", 1)
    settlements.acked("main", 2)
    settlements.acked("main", 3)
    assert settlements.take() == ['{"type":"ack","upTo":3}\n']


def test_a_lane_is_held_from_a_retry_until_it_is_voided():
    lanes = HeldLanes()
    lanes.hold("a", 4)
    assert not lanes.skips("b", 5) and lanes.skips("a", 6) and lanes.lane(4) == "a"
    assert lanes.release(5) == [] and lanes.skips("a", 7)
    assert lanes.release(4) == [6, 7] and not lanes.skips("a", 8)


def test_states_are_committed_once_and_rolled_back():
    states = States({"n": 0})
    states.start("main", None)
    states.value("main")["n"] = 1
    assert states.commit("main") == '{"n":1}' and states.commit("main") is None
    states.value("main")["n"] = 2
    states.roll_back("main")
    assert states.value("main") == {"n": 1} and states.value("other") == {"n": 0}


def test_a_state_that_is_too_large_is_refused_with_what_to_do():
    with pytest.raises(LimitError, match="at most 65536: keep less in it"):
        wire.encode_state("main", "x" * 65_536)


def test_lines():
    assert wire.line({"type": "pong", "n": 1, "left": None}) == b'{"type":"pong","n":1}\n'
    assert b"\n" not in wire.line({"text": "a\nb\u2028\ud800"})[:-1]
    with pytest.raises(LimitError, match="'log' line has"):
        wire.line({"type": "log", "message": "x" * (1 << 20)})
    with pytest.raises(ValueError):
        wire.line({"n": float("nan")})
    assert wire.cut("ää", 3) == "ä"


def problems(table, read):
    config = Config(table)
    read(config)
    return [(each.path, each.message) for each in config.close()]


@pytest.mark.parametrize("table, path, message", [
    ({}, "size", "is missing; must be a whole number, at least 1, at most 9"),
    ({"size": True}, "size", "must be a whole number, at least 1, at most 9"),
    ({"size": 0}, "size", "must be a whole number, at least 1, at most 9"),
    ({"size": 3, "sise": 4}, "sise", "is not a key of this plugin; it knows 'size'")])
def test_mistakes_have_a_path(table, path, message):
    assert problems(table, lambda config: config.integer("size", minimum=1, maximum=9)) == [(path, message)]


def test_all_mistakes_are_found_at_any_depth():
    def read(config):
        for each in config.tables("lists"):
            each.text("name")
            each.table("limits").flag("on", True)
        config.texts("words", [])
        config.text("mode", "a", choices=["a", "b"])

    table = {"lists": [{"name": ""}, {"limits": {"on": 1, "of": 2}}], "words": ["x", 3], "mode": "c"}
    assert [path for path, _ in problems(table, read)] == [
        "lists[0].name", "lists[1].name", "lists[1].limits.on", "words[1]", "mode", "lists[1].limits.of"]
    assert str(ConfigError("a.b", "is wrong")) == "a.b: is wrong"
