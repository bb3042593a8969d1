"""The list of messages: bounded, without jumps, with links to messages."""

import re

from playwright.sync_api import expect
from support.acts import composer, row
from support.world import run, scenario

ANCHOR = """() => {
  const list = document.querySelector('.messages');
  const top = list.getBoundingClientRect().top;
  const row = [...list.querySelectorAll('.row')].find((node) => node.getBoundingClientRect().bottom > top);
  return { event: row.dataset.event, offset: row.getBoundingClientRect().top - top, rows: list.children.length,
    scroll: list.scrollTop };
}"""

# Watches, in each frame, how far a row moves other than by the wheel.
OFFSET = """(event) => {
  const list = document.querySelector('.messages');
  const row = list.querySelector(`[data-event="${event}"]`);
  return row ? row.getBoundingClientRect().top - list.getBoundingClientRect().top : null;
}"""

# Rows with buttons in a region; what has the focus after the rows were made again or are gone.
FOCUS = """async ({before, after, on, dialog}) => {
  const base = document.querySelector('script[type=module]').src.replace(/app\\.js$/, '');
  const { h, keyed } = await import(base + 'lib/h.js');
  const { openDialog, openMenu } = await import(base + 'lib/dialog.js');
  document.querySelector('#tried')?.remove();
  const rows = h('div', {});
  document.getElementById('main').append(
    h('section', { id: 'tried', tabindex: '-1', 'aria-label': 'around' }, h('button', {}, 'before'), rows));
  const show = (list) => keyed(rows, list, (row) => row.id, ({ names }) => h('p', {}, names.map((name) => h('button', {}, name))));
  show(before);
  const button = [...document.querySelectorAll('#tried button')].find((one) => one.textContent === on);
  button.focus();
  let ended;
  if (dialog === 'dialog') ended = openDialog('Asked', () => 'text');
  if (dialog === 'menu') openMenu(button, [{ label: 'only', action: () => {} }]);
  show(after);
  if (dialog === 'dialog') document.querySelector('dialog').close();
  if (dialog === 'menu') document.querySelector('[role=menuitem]').click();
  await ended;
  const { activeElement } = document;
  return activeElement.getAttribute('aria-label') ?? activeElement.textContent;
}"""


@scenario
def where_the_focus_goes(here):
    here.server.user("iris")
    here.server.channel("iris", "focus")
    page = here.sign_in("iris")
    row = [{"id": 1, "names": ["open", "stop"]}]
    cases = [
        (row, row, "stop", "stop"),
        (row, [{"id": 1, "names": ["open", "stop"]}], "stop", "stop"),
        (row, [{"id": 1, "names": ["open", "halt"]}], "stop", "halt"),
        (row, [{"id": 1, "names": ["open"]}], "stop", "around"),
        (row, [], "stop", "around"),
        (row, [{"id": 2, "names": ["stop"]}], "stop", "stop"),
        (row, [], "before", "before"),
    ]
    for before, after, on, expected in cases:
        for dialog in (None, "dialog", "menu"):
            # A dialog or a menu has the focus while the row is made again: only the name tells which button it was.
            is_renamed = expected == "halt" and dialog is not None
            found = page.evaluate(FOCUS, {"before": before, "after": after, "on": on, "dialog": dialog})
            assert found == ("around" if is_renamed else expected), f"{after} {on} {dialog}: the focus is on {found!r}"


@scenario
def five_thousand_messages(here):
    server = here.server
    server.user("ann", "bob")
    server.channel("ann", "general", "bob")
    count = 5_000
    server.many("bob", [{"type": "SEND_MESSAGE", "channelId": "general", "eventId": f"m{number}",
                         "message": f"message {number} " + "word " * (number * 7 % 40)} for number in range(count)])
    server.messages("ann", "general", f"m{count - 1}")
    ann = here.sign_in("ann")
    ann.locator(".row").first.wait_for()
    listing = ann.locator(".messages")

    # Up, page by page: the anchor row stays where it was, however many rows enter and leave.
    listing.evaluate("(list) => { list.scrollTop = list.scrollHeight; }")
    listing.hover()
    for _ in range(80):
        first = ann.evaluate("() => document.querySelector('.messages .row').dataset.event")
        if first == "m0":
            break
        # Near the top of what is shown: the next page enters above. The row at the edge is the anchor.
        start = ann.evaluate(f"() => {{ document.querySelector('.messages').scrollTop = 300; return ({ANCHOR})(); }}")
        ann.wait_for_function(
            "(first) => document.querySelector('.messages .row').dataset.event !== first", arg=first)
        offset = ann.evaluate(OFFSET, start["event"])
        assert offset is not None, "the anchor row has left"
        assert abs(offset - start["offset"]) <= 1, f"the anchor moved by {offset - start['offset']} px"
        assert ann.evaluate(ANCHOR)["rows"] <= 430, ann.evaluate(ANCHOR)
    expect(ann.locator('[data-event="m0"]')).to_have_count(1)
    rows = ann.evaluate("() => [...document.querySelectorAll('.row')].map((row) => row.dataset.event)")
    assert rows == [f"m{number}" for number in range(len(rows))], rows[:10]

    # What comes meanwhile moves nothing and is counted; the button goes there.
    before = ann.evaluate(ANCHOR)
    server.command("bob", "SEND_MESSAGE", "general", message="news while reading", eventId="news")
    expect(ann.get_by_role("button", name="1 new")).to_be_visible()
    after = ann.evaluate(ANCHOR)
    assert after["event"] == before["event"] and abs(after["offset"] - before["offset"]) <= 1, (before, after)
    here.picture(ann, "scrolled-up")
    ann.get_by_role("button", name="1 new").click()
    expect(row(ann, "news while reading")).to_be_in_viewport()
    # At the end it follows.
    server.command("bob", "SEND_MESSAGE", "general", message="more news", eventId="news2")
    expect(row(ann, "more news")).to_be_in_viewport()
    # Also while the message field grows and shrinks.
    box = composer(ann)
    box.fill("line\n" * 8)
    expect(row(ann, "more news")).to_be_in_viewport(ratio=1)
    expect(ann.locator(".jump")).to_be_hidden()
    box.fill("")

    # A link to a message, and Back.
    ann.goto(f"{server.url}/#/c/general/m/m700")
    expect(ann.locator('[data-event="m700"]')).to_be_in_viewport()
    rows = ann.evaluate("() => [...document.querySelectorAll('.row')].map((row) => row.dataset.event)")
    assert rows == sorted(rows, key=lambda event: int(event[1:])) and "m700" in rows

    # Down again from there, to the end, with nothing missing.
    for _ in range(60):
        if row(ann, "more news").count():
            break
        last = listing.evaluate("""(list) => {
          const last = [...list.querySelectorAll('.row')].at(-1).dataset.event;
          list.scrollTop = list.scrollHeight;
          return last;
        }""")
        ann.wait_for_function("(last) => [...document.querySelectorAll('.row')].at(-1).dataset.event !== last", arg=last)
    expect(row(ann, "more news")).to_have_count(1)
    rows = ann.evaluate("() => [...document.querySelectorAll('.row')].map((row) => row.dataset.event)")
    numbers = [int(event[1:]) for event in rows if re.fullmatch(r"m\d+", event)]
    assert numbers == list(range(numbers[0], count)), numbers[:5]
    assert len(rows) <= 400


if __name__ == "__main__":
    run()
