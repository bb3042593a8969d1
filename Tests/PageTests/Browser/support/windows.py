"""A browser whose tabs are visible and focused as those of a person's browser are. Playwright makes every page believe that it
is, which would hide a page that marks messages read behind its reader's back."""

import pathlib
import shutil
import subprocess
import tempfile

from .server import until


class Windows:
    """Chromium with one profile, without Playwright's emulation."""

    def __init__(self, here):
        self.folder = tempfile.mkdtemp(prefix="crowbar-browser-")
        self.process = subprocess.Popen(
            ["/usr/bin/chromium", "--headless=new", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0",
             "--disable-dev-shm-usage", f"--user-data-dir={self.folder}", "--window-size=1200,760",
             f"--host-resolver-rules=MAP {here.name} 127.0.0.1", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = until(self.port, "the browser's port")
        self.browser = here.playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", no_defaults=True)
        self.context = here.prepare(self.browser.contexts[0])

    def port(self):
        try:
            return (pathlib.Path(self.folder) / "DevToolsActivePort").read_text().split()[0]
        except (OSError, IndexError):
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tab(self):
        """Opens a tab in front of the others."""
        return self.context.new_page()


def attention(page):
    """Whether a page is visible and has the focus."""
    return page.evaluate("() => [document.visibilityState === 'visible', document.hasFocus()]")
