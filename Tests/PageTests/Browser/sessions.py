"""Sessions and tabs: a new tab, a shared computer, the end of a session, seven tabs."""


from playwright.sync_api import expect

from support.acts import composer, row, say
from support.server import until
from support.windows import Windows, attention
from support.world import run, scenario

NAME = "page.example"

def stored(page):
    return page.evaluate("() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)].filter((key) => /session|draft|outbox/.test(key))")


class Streams:
    """The event streams of a profile."""

    def __init__(self, context):
        self.pages = {}
        context.on("request", lambda request: self.pages.update({request: request.frame.page})
                   if "/events/stream" in request.url else None)
        for end in ("requestfinished", "requestfailed"):
            context.on(end, lambda request: self.pages.pop(request, None))

    @property
    def open(self):
        """The addresses of those that are open. A page that closes tells of no end of its requests."""
        return [request.url for request, page in self.pages.items() if not page.is_closed()]


@scenario
def a_new_tab_and_the_end(here):
    server = here.server
    server.user("ann")
    server.channel("ann", "general")
    first = here.sign_in("ann")
    second = first.context.new_page()
    second.goto(server.url)
    expect(composer(second)).to_be_visible()
    # What is not sent yet is deleted with the session.
    here.allow("ERR_FAILED")
    first.route("**/api/commands", lambda route: route.abort())
    say(first, "never sent")
    expect(row(first, "never sent")).to_contain_text("tries again")
    composer(first).fill("a draft")
    assert any("draft" in key for key in stored(first)) and any("outbox" in key for key in stored(first)), stored(first)
    second.locator(".account-button").click()
    here.screen(second, "account-menu")
    second.get_by_role("menuitem", name="Sign out").click()
    expect(second.get_by_text("You are signed out.")).to_be_visible()
    here.screen(second, "signed-out")
    expect(first.get_by_text("You signed out in another tab.")).to_be_visible()
    assert not stored(first) and not stored(second), (stored(first), stored(second))
    expect(first.get_by_text("never sent")).to_have_count(0)
    # Somebody else at this computer finds nothing.
    server.user("eve")
    server.command("eve", "JOIN_CHANNEL", "general")
    here.sign_in("eve", second)
    expect(composer(second)).to_have_value("")
    # Signing in reaches the other tab too.
    expect(composer(first)).to_be_visible()


@scenario
def a_shared_computer(here):
    server = here.server
    server.user("bob")
    server.channel("bob", "lobby")
    context = here.context()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_text("Sign in with a token").click()
    form = page.locator("form", has=page.get_by_label("Token"))
    form.get_by_label("Token").fill(server.tokens["bob"])
    form.get_by_label("This is a shared computer").check()
    form.get_by_role("button", name="Sign in").click()
    expect(composer(page)).to_be_visible()
    composer(page).fill("a draft")
    # It stays over a reload, and neither another tab nor one that comes after it has it.
    page.reload()
    expect(composer(page)).to_have_value("a draft")
    other = context.new_page()
    other.goto(server.url)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("() => Object.keys(localStorage).filter((key) => /session|draft|outbox/.test(key))") == []
    page.close()
    later = context.new_page()
    later.goto(server.url)
    expect(later.get_by_role("heading", name="Sign in")).to_be_visible()


@scenario
def ended_elsewhere(here):
    server = here.server
    server.user("cat")
    server.channel("cat", "hall")
    cat = here.sign_in("cat")
    here.allow("401")
    composer(cat).fill("half a thought")
    server.run("user", "disable", "cat")
    expect(cat.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(cat.get_by_text("Your session has ended")).to_be_visible()
    here.screen(cat, "session-ended")
    # A disabled account gets no other session.
    form = cat.locator("form", has=cat.get_by_label("Token"))
    cat.get_by_text("Sign in with a token").click()
    form.get_by_label("Token").fill(server.tokens["cat"])
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    here.screen(cat, "account-disabled")
    server.run("user", "enable", "cat")
    here.sign_in("cat", cat)
    expect(composer(cat)).to_have_value("half a thought")


@scenario
def seven_tabs(here):
    """One stream for all; another tab takes over."""
    server = here.server
    server.user("dan", "fay")
    server.channel("dan", "den", "fay")
    fay = here.sign_in("fay")
    profile = here.context()
    streams = Streams(profile)
    tabs = [here.sign_in("dan", profile.new_page())]
    for _ in range(6):
        tabs.append(profile.new_page())
        tabs[-1].goto(server.url)
        expect(composer(tabs[-1])).to_be_visible()
    say(fay, "to all tabs")
    for tab in tabs:
        expect(row(tab, "to all tabs")).to_have_count(1)
    assert len(streams.open) == 1, streams.open
    # Each of them can send, also the one that holds the stream, and the others see it.
    for number, tab in enumerate(tabs):
        say(tab, f"from tab {number}")
    for tab in [*tabs, fay]:
        for number in range(7):
            expect(row(tab, f"from tab {number}")).to_have_count(1)
    # The tab that holds it closes, then the next one that does.
    for _ in range(2):
        tabs.pop(0).close()
        say(fay, f"to {len(tabs)} tabs")
        for tab in tabs:
            expect(row(tab, f"to {len(tabs)} tabs")).to_have_count(1)
        assert len(streams.open) == 1, streams.open


@scenario
def seven_tabs_without_locks(here):
    """On plain http each tab has a stream of its own. A browser has six connections to a server: hidden tabs give theirs
    back."""
    server = here.server
    server.user("gil", "hal")
    server.channel("gil", "hut", "hal")
    gil = here.sign_in("gil")
    url = f"http://{NAME}:{server.port}/"
    with Windows(here) as windows:
        streams = Streams(windows.context)
        tabs = []
        for number in range(7):
            page = windows.tab()
            page.clock.install()
            if number:
                page.goto(url)
            else:
                here.sign_in("hal", page, url=url)
            expect(composer(page)).to_be_visible()
            assert not page.evaluate("() => isSecureContext || 'locks' in navigator")
            for hidden in tabs:
                until(lambda hidden=hidden: not attention(hidden)[0], "the tabs behind are hidden")
                hidden.clock.run_for(31_000)
            until(lambda: len(streams.open) == 1, "one stream, of the tab that is seen", detail=lambda: str(streams.open))
            say(gil, f"for tab {number}")
            expect(row(page, f"for tab {number}")).to_have_count(1)
            tabs.append(page)
        # Seen again, a tab has what it missed, once.
        tabs[0].bring_to_front()
        for number in range(7):
            expect(row(tabs[0], f"for tab {number}")).to_have_count(1)
        say(gil, "seen again")
        expect(row(tabs[0], "seen again")).to_have_count(1)


if __name__ == "__main__":
    run(f'hosts = ["{NAME}"]\n', name=NAME)
