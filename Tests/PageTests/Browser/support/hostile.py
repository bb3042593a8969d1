"""Content that tries to be more than text: the table that every place of the page is tried with."""

ZALGO = "Z" + "\u0335\u0322\u0328\u0327\u0321\u031b\u0317\u0318" * 40 + "algo"

HTML = [
    "<script>window.pwned = 1</script>", "<img src=x onerror='window.pwned = 2'>", "<svg/onload=window.pwned=3>",
    "&lt;b&gt; &amp;amp; <b>bold</b>", "</div></body><h1>out</h1>", "<style>*{display:none}</style>",
    "<a href=\"javascript:window.pwned=4\">x</a>", "<iframe srcdoc='<script>parent.pwned=13</script>'></iframe>",
    "<marquee onstart=window.pwned=14>", "{{constructor.constructor('window.pwned=11')()}}", "${window.pwned=12}",
    "<base href=https://evil.example/>", "<form action=https://evil.example/><button>Sign in</button></form>",
]
MARKDOWN = [
    "[x](javascript:window.pwned=5)", "```html\n<script>window.pwned=10</script>\n```", "`<img src=x>`", "**<i>**x**</i>**",
    "> <blockquote onclick=alert(1)>", "![x](https://evil.example/x.png)", "`" * 3000, "*" * 3000, "[" * 3000, "> " * 1500,
    "**_~~" * 500,
]
URLS = [
    "javascript:window.pwned=6", "javascript://x.example/%0Awindow.pwned=7", "data:text/html,<script>window.pwned=8</script>",
    "data://text/html,<script>", "vbscript://x", "file:///etc/passwd", "https://аpple.example/", "https://xn--pple-43d.example/",
    "https://user:pass@evil.example/", "https://good.example@evil.example/", "http://[::1]/x", "www.example.org/<b>",
    "https://example.org/\"onclick=\"window.pwned=9", "https://example.org/" + "a" * 2000, "HTTPS://EXAMPLE.ORG/\u202ezip.exe",
]
CHARACTERS = [
    "bell \u0007 escape \u001b[31m del \u007f c1 \u0090 end", "\u202egnp.exe \u2066isolate without end",
    "\u200f\u200fright to left \u05d0\u05d1", "\u0645\u0631\u062d\u0628\u0627 * \u0628\u0643 *", "\u2028\u2029\u0085lines", "\ufeff\u200b\u200c",
    ZALGO, "w" * 10_000, "@" * 3000, "\U0001f468\u200d" * 200, "\ufff9annotated\ufffatext\ufffb",
]
TEXTS = HTML + MARKDOWN + URLS + CHARACTERS

# At most 256 bytes.
NAMES = ["<img src=x onerror=window.pwned=20>", "\u202eevil", ZALGO[:100], "N" * 256, "\u0430nn", "\"><script>window.pwned=21</script>",
         "[x](javascript:window.pwned=22)", "x\u2066\u2067\u2068", "javascript:window.pwned=23", "admin\u200b"]
# The server takes none of these for a name.
NO_NAMES = ["\u001b[31mred", "a\u0000b", "a\nb", " ", "N" * 257]

REACTIONS = ["👍", "x" + "\u0335" * 9, ":" + "x" * 30 + ":", "<b>", ":<img src=x onerror=window.pwned=30>:", "\u202e👍", "javascript:x",
             "👨‍👩‍👧‍👦", "\u0000", "x" * 65]


def short(text, bytes):
    """As much of a text as fits."""
    return text.encode()[:bytes].decode(errors="ignore")
