"""What administrators do in the console by pointer."""

from playwright.sync_api import expect


def section(here, page, name):
    page.goto(here.server.url + "/#/plugins")
    page.get_by_role("navigation", name="Console").get_by_role("link", name=name).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def confirm(page, button, action):
    """Does what asks first."""
    page.get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(dialog).to_have_count(0)


def secret(here, page, title, name):
    """Looks at what is shown once."""
    dialog = page.get_by_role("dialog", name=title)
    text = dialog.locator(".secret").inner_text()
    here.screen(page, name)
    dialog.get_by_role("button", name="Close").click()
    return text
