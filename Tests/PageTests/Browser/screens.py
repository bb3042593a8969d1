"""Every screen: axe in both themes, 360 px, 200 % zoom, and the chat by keyboard alone."""

import re

from playwright.sync_api import expect
from world import row, say, until, world


def fits(page, where):
    """Nothing is wider than the screen."""
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{where} is {wide} px too wide"


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focus(page, name, role="button", tries=40):
    """Tabs until something has the focus: it can be reached."""
    target = page.get_by_role(role, name=name).first
    for _ in range(tries):
        if target.evaluate("(node) => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach the {role} {name}")


with world() as here:
    server = here.server
    for name in ("ann", "bob"):
        server.user(name)
    server.run("user", "add", "ada", "--admin")
    server.tokens["ada"] = server.run("token", "ada")
    server.command("ann", "CREATE_CHANNEL", "general", channelDescription="Everything that has no other place")
    server.command("bob", "JOIN_CHANNEL", "general")
    server.command("ann", "CREATE_CHANNEL", "release-plans")
    server.command("ann", "CREATE_CHANNEL", "board", private=True)
    server.command("bob", "SEND_MESSAGE", "general", eventId="m1", message="The **release** is planned for Monday, see https://example.org/plan.")
    server.command("bob", "SEND_MESSAGE", "general", message="```swift\nlet answer = 42\n```\n> quoted\n`code` and ~~old~~ news")
    server.command("ann", "SEND_MESSAGE", "general", eventId="m3", message="Thanks @bob!", replyTo="m1")
    server.command("bob", "ADD_REACTION", "general", messageId="m3", reaction="👍")
    server.command("ann", "ADD_REACTION", "general", messageId="m3", reaction="👍")
    server.command("bob", "SEND_MESSAGE", "general", message="@ann one more thing", kind="text")

    # Signed out.
    page = here.context().new_page()
    page.goto(server.url)
    page.get_by_role("heading", name="Sign in").wait_for()
    page.get_by_text("Sign in with a token").click()
    page.get_by_label("Token").wait_for()
    here.axe(page, "sign-in")
    fits(page, "sign-in")
    page.get_by_label("Token").fill("wrong")
    here.expected.append(re.compile("401"))
    page.get_by_role("button", name="Sign in").last.click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    here.picture(page, "sign-in-refused")

    # By keyboard alone: sign in, write, edit, react, reply, delete, mark unread, switch, search.
    page = here.context(reduced_motion="reduce").new_page()
    page.goto(server.url)
    summary = page.get_by_text("Sign in with a token")
    summary.wait_for()
    until(lambda: press(page, "Tab") or summary.evaluate("(node) => node === document.activeElement"), "the summary")
    press(page, "Enter")
    page.get_by_label("Token").wait_for()
    until(lambda: press(page, "Tab") or page.get_by_label("Token").evaluate("(node) => node === document.activeElement"), "the token's field")
    page.keyboard.type(server.tokens["ann"])
    press(page, "Enter")
    box = page.get_by_role("textbox", name=re.compile("^Message"))
    expect(box).to_be_focused()
    page.get_by_role("complementary").get_by_role("button", name="bob").wait_for()
    here.axe(page, "chat")
    page.keyboard.type("by keyboard @bo")
    expect(page.get_by_role("option", name="bob")).to_be_visible()
    here.axe(page, "completion")
    press(page, "Tab")
    expect(box).to_have_value("by keyboard @bob ")
    press(page, "Enter")
    expect(row(page, "by keyboard")).to_be_visible()
    press(page, "ArrowUp")
    page.keyboard.type("edited")
    press(page, "Enter")
    expect(row(page, "edited")).to_contain_text("(edited)")
    press(page, "Shift+Tab")
    expect(page.locator(".row:focus")).to_have_count(1)
    press(page, "Home")
    expect(page.locator(".row:focus")).to_contain_text("planned for Monday")
    press(page, "ArrowDown", "ArrowUp", "Enter")
    expect(page.get_by_role("menuitem", name="Reply")).to_be_focused()
    here.axe(page, "menu")
    press(page, "Enter")
    expect(box).to_be_focused()
    page.keyboard.type("a reply by keyboard")
    press(page, "Enter")
    expect(row(page, "a reply by keyboard").locator(".quote")).to_be_visible()
    press(page, "Shift+Tab", "End", "Enter", "ArrowDown", "Enter")
    expect(page.get_by_role("dialog", name="Add a reaction")).to_be_visible()
    here.axe(page, "reactions")
    press(page, "Enter")
    expect(row(page, "a reply by keyboard").locator(".row-body .reaction").first).to_be_visible()
    expect(page.locator(".row:focus")).to_contain_text("a reply by keyboard")
    press(page, "Enter", "End", "Enter")
    expect(page.get_by_role("dialog", name="Delete this message?")).to_be_visible()
    here.axe(page, "confirm")
    press(page, "Tab", "Enter")
    expect(row(page, "a reply by keyboard")).to_have_count(0)
    press(page, "Control+k")
    expect(page.get_by_role("dialog", name="Switch channel")).to_be_visible()
    here.axe(page, "switcher")
    page.keyboard.type("rel")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="release-plans")).to_be_visible()
    here.axe(page, "empty-channel")
    focus(page, "Search", "link")
    press(page, "Enter")
    expect(page.get_by_label("Search for")).to_be_focused()
    page.get_by_label("In", exact=True).select_option("")
    page.get_by_label("Search for").fill("release")
    press(page, "Enter")
    page.locator(".result").first.wait_for()
    here.axe(page, "search")
    page.goto(f"{server.url}/#/settings")
    page.get_by_role("heading", name="Settings").wait_for()
    here.axe(page, "settings")
    page.get_by_label("Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("As the system").check()
    page.goto(f"{server.url}/#/c/nothing")
    page.get_by_role("heading", name="This channel does not exist").wait_for()
    here.axe(page, "no-channel")
    page.get_by_role("button", name="Join or create a channel").first.click()
    page.get_by_text("Create a channel", exact=True).click()
    here.axe(page, "channels")
    press(page, "Escape")

    # The tree of a row, as a screen reader has it: author, text, time.
    page.goto(f"{server.url}/#/c/general")
    expect(row(page, "planned for Monday")).to_have_attribute("role", "article")
    order = row(page, "planned for Monday").evaluate(
        "(row) => [...row.children].map((node) => node.className.split(' ')[0])")
    assert order[:3] == ["row-author", "row-body", "row-time"], order
    assert page.locator(".messages").get_attribute("role") == "log"
    assert page.locator(".messages").get_attribute("aria-live") == "off"

    # What is announced: up to three messages as they are, more as a number.
    heard = page.evaluate_handle("""() => {
      const heard = [];
      new MutationObserver(() => heard.push(document.getElementById('announcer').textContent.trim()))
        .observe(document.getElementById('announcer'), { childList: true, characterData: true, subtree: true });
      return heard;
    }""")
    server.command("bob", "SEND_MESSAGE", "general", message="hello **there**")
    until(lambda: "bob: hello there" in heard.json_value(), "the announcement", detail=lambda: str(heard.json_value()))
    server.many("bob", [{"type": "SEND_MESSAGE", "channelId": "general", "message": f"burst {n}"} for n in range(12)])
    until(lambda: any(re.match(r"\d+ new messages in general", text) for text in heard.json_value()), "the number",
          detail=lambda: str(heard.json_value()))

    # Narrow, and zoomed to 200 %.
    narrow = here.sign_in("ann", viewport={"width": 360, "height": 640})
    expect(row(narrow, "burst 11")).to_be_in_viewport()
    fits(narrow, "the chat")
    here.axe(narrow, "narrow-chat")
    narrow.get_by_role("button", name="Channels").click()
    expect(narrow.get_by_role("link", name=re.compile("^release-plans"))).to_be_visible()
    fits(narrow, "the channels")
    here.axe(narrow, "narrow-channels")
    narrow.get_by_role("link", name=re.compile("^release-plans")).click()
    expect(narrow.get_by_role("heading", name="release-plans")).to_be_visible()
    narrow.get_by_role("button", name="Members").click()
    fits(narrow, "the members")
    here.axe(narrow, "narrow-members")
    for place in ("search", "settings"):
        narrow.goto(f"{server.url}/#/{place}")
        narrow.get_by_role("heading", level=1).wait_for()
        fits(narrow, place)
    zoomed = here.sign_in("ann", viewport={"width": 600, "height": 400}, device_scale_factor=2)
    fits(zoomed, "zoomed")
    here.picture(zoomed, "zoomed")

    # The session ends elsewhere: the page says so, and what was typed is not lost.
    here.expected.append(re.compile("Unauthorized"))
    page.goto(f"{server.url}/#/c/general")
    page.get_by_role("textbox", name="Message general").fill("half a thought")
    server.run("user", "disable", "ann")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    here.axe(page, "session-ended")
    server.run("user", "enable", "ann")
    here.sign_in("ann", page)
    page.goto(f"{server.url}/#/c/general")
    expect(page.get_by_role("textbox", name="Message general")).to_have_value("half a thought")
