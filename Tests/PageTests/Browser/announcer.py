"""What the page says to a screen reader over a minute: all of it, in order, and nothing else. The page's clock is the
test's."""

import datetime
import re

from playwright.sync_api import expect

from support.acts import act, composer, opened, row, say
from support.server import until
from support.world import BROKEN, run, scenario


class Minute:
    """A page whose timers run when the test says so."""

    def __init__(self, here, user):
        context = here.context()
        self.page = context.new_page()
        self.page.clock.install()
        here.sign_in(user, self.page)
        self.page.get_by_role("complementary").wait_for()
        until(lambda: self.heard(), "the channel's name")
        now = datetime.datetime.fromtimestamp(self.page.evaluate("() => Date.now()") / 1000)
        self.page.clock.pause_at(now + datetime.timedelta(seconds=5))
        self.seconds = 0

    def heard(self):
        return self.page.evaluate("() => heard")

    def run(self, seconds):
        self.page.clock.run_for(int(seconds * 1000))
        self.seconds += seconds

    def is_heard(self, expected):
        """Waits until exactly this was said since the start."""
        until(lambda: self.heard() == expected, "the transcript",
              detail=lambda: f"\nheard    {self.heard()}\nexpected {expected}")


@scenario
def a_minute(here):
    server = here.server
    here.allow(BROKEN)
    server.user("ann", "bob")
    server.command("bob", "RENAME_USER", name="Bob")
    server.channel("ann", "general", "bob")
    server.channel("ann", "dev", "bob")
    server.many("bob", [{"type": "SEND_MESSAGE", "channelId": "general", "message": f"old {n}"} for n in range(250)])
    minute = Minute(here, "ann")
    page = minute.page
    transcript = ["Channel general"] if "Channel general" in minute.heard() else ["Channel dev"]
    minute.is_heard(transcript)
    opened(page, "general" if transcript == ["Channel dev"] else "dev")
    transcript.append("Channel general" if transcript == ["Channel dev"] else "Channel dev")
    minute.is_heard(transcript)
    if transcript[-1] != "Channel general":
        opened(page, "general")
        transcript.append("Channel general")

    def arrive(*texts):
        server.many("bob", [{"type": "SEND_MESSAGE", "channelId": "general", "message": text} for text in texts])
        expect(row(page, texts[-1].replace("**", ""))).to_be_visible()

    # One message, when two seconds have passed.
    arrive("hello **there**")
    minute.run(1.9)
    minute.is_heard(transcript)
    minute.run(0.1)
    transcript.append("Bob: hello there")
    minute.is_heard(transcript)
    # Up to three within two seconds as they are; those behind them count for the next two.
    arrive("one")
    minute.run(1.5)
    arrive("two", "three")
    minute.run(0.5)
    transcript.append("Bob: one. Bob: two. Bob: three")
    minute.is_heard(transcript)
    # More as a number.
    arrive("burst 0", "burst 1", "burst 2", "burst 3")
    minute.run(2)
    transcript.append("4 new messages in general")
    minute.is_heard(transcript)
    arrive(*[f"flood {number}" for number in range(40)])
    minute.run(2)
    transcript.append("40 new messages in general")
    minute.is_heard(transcript)

    # Nothing of what is loaded from before, of other channels, of edits, and of the reader's own.
    page.locator(".messages").evaluate("(list) => { list.scrollTop = 0; }")
    expect(row(page, "old 200")).to_have_count(1)
    minute.run(3)
    page.get_by_role("button", name=re.compile("new")).click()
    server.command("bob", "SEND_MESSAGE", "dev", message="elsewhere")
    last = server.command("bob", "SEND_MESSAGE", "general", message="to be edited")["eventId"]
    expect(row(page, "to be edited")).to_be_visible()
    minute.run(2)
    transcript.append("Bob: to be edited")
    minute.is_heard(transcript)
    server.command("bob", "EDIT_MESSAGE", "general", messageId=last, message="was edited")
    server.command("bob", "ADD_REACTION", "general", messageId=last, reaction="🎉")
    expect(row(page, "was edited").locator(".row-body .reaction")).to_be_visible()
    say(page, "my own words")
    expect(row(page, "my own words")).not_to_have_class(re.compile("row-pending"))
    minute.run(3)
    minute.is_heard(transcript)

    # What the reader does is said when the server has it.
    say(page, "/topic About this")
    transcript.append("Topic set")
    minute.is_heard(transcript)
    act(page, "was edited", "React with 🎉")
    transcript.append("Reacted with 🎉")
    minute.is_heard(transcript)
    act(page, "my own words", "Delete…")
    page.get_by_role("button", name="Delete", exact=True).click()
    transcript.append("Message deleted")
    minute.is_heard(transcript)
    say(page, "/dance")
    transcript.append("There is no command /dance. To send this text, begin it with two slashes.")
    minute.is_heard(transcript)
    composer(page).fill("")
    opened(page, "dev")
    transcript.append("Channel dev")
    minute.is_heard(transcript)
    minute.run(10)
    minute.is_heard(transcript)

    # The connection: once when it is lost, however often it is tried; once when it is back.
    server.kill()
    expect(page.get_by_text("Offline since")).to_be_visible()
    transcript.append("Offline. Messages that you write are sent later.")
    for _ in range(25):
        minute.run(1)
    minute.is_heard(transcript)
    server.start()
    page.get_by_role("button", name="Now").click()
    transcript.append("Connected again")
    minute.is_heard(transcript)
    minute.run(10)
    minute.is_heard(transcript)
    assert minute.seconds >= 60, minute.seconds


if __name__ == "__main__":
    run()
