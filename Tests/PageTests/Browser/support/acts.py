"""What people do in the chat, by pointer, and where it is on the page."""

import re


def say(page, text):
    """Sends a message from the open channel."""
    box = composer(page)
    box.fill(text)
    box.press("Enter")


def composer(page):
    return page.get_by_role("textbox", name=re.compile("^Message "))


def row(page, text):
    """The row of a message."""
    return page.locator(".row", has=page.locator(".text", has_text=text))


def act(page, text, action):
    """Does something by the menu of a message."""
    row(page, text).click(button="right", position={"x": 300, "y": 4})
    page.get_by_role("menuitem", name=action).click()


def opened(page, channel, title=None):
    """Opens a channel by the list of channels."""
    page.get_by_role("link", name=re.compile(f"^{channel}")).first.click()
    page.get_by_role("heading", name=title or channel, level=1).wait_for()


def join(page, channel):
    """Joins a channel by the dialog."""
    page.get_by_role("button", name="Join or create a channel").first.click()
    page.get_by_role("button", name=f"Join {channel}").click()
    page.get_by_role("heading", name=channel, level=1).wait_for()


def create(page, channel, private=False):
    """Creates a channel by the dialog."""
    page.get_by_role("button", name="Join or create a channel").first.click()
    page.get_by_text("Create a channel", exact=True).click()
    page.get_by_label("Id", exact=True).fill(channel)
    if private:
        page.get_by_label("Private").check()
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("heading", name=channel, level=1).wait_for()


def shown(page):
    """The texts of the rows, in order."""
    return page.locator(".row .text").all_inner_texts()


def fill(page, **fields):
    """Fills fields by their labels, with `_` for a blank."""
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
