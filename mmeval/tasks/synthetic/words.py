"""Words that the reading task and the charts and screens print."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SHORT = _words(
    """
    able arm army art ash axe baby bag bake ball band bank barn bath bean bear bed bee bell belt bike bird
    blue boat bone book boot bowl box boy bread bus cab cake calm camp cap car card cart cat cave chin city
    clay coat code cold cook corn cow cup dark day deer desk dish dog door dove drum duck dust ear east edge
    egg farm fig fire fish flag foam fog fork fox frog fun game gate gift goat gold golf hand hat hen hill
    home hook ice ink iron jam jar jet joy key king kite lake lamp leaf lion map milk mint moon nest net
    """
)
MEDIUM = _words(
    """
    apple arrow badge basil beach bench berry blade bloom board brick bridge brush bucket butter button cabin
    camel candle canoe carrot castle chair cheese cherry circus clock cloud clover coffee copper corner cotton
    crane crown dance desert dinner doctor donkey dragon dream eagle earth engine fabric falcon feather finger
    flame flower forest fridge garden ginger glass globe grape guitar hammer harbor honey horse hotel house
    island jacket jungle kettle ladder lemon letter light magnet maple market meadow melon metal mirror monkey
    """
)
LONG = _words(
    """
    airport almanac anchors balance balloon bicycle biscuit blanket blossom bottles bracket builder cabinet
    calcium caravan ceiling chamber chapter charity chimney college compass concert council country courage
    crystal culture curtain cushion decimal denture diamond dolphin economy emerald evening factory farmers
    fashion fiction firefly fishing flowers foundry fortune freight galaxies gardener glacier goldfish grammar
    gravity harvest highway history holiday horizon husband imprint insight journal journey justice kingdom
    kitchen landing leather lecture leopard library lighting machine magnets mailbox measure medical message
    """
)

CHART_NAMES = (
    "Oslo", "Rome", "Lima", "Kyiv", "Bern", "Doha", "Cairo", "Delhi", "Paris", "Tokyo", "Quito", "Accra",
    "Milan", "Sofia", "Seoul", "Dubai",
)  # fmt: skip

BUTTONS = (
    "Save", "Open", "Send", "Close", "Print", "Share", "Copy", "Paste", "Undo", "Next", "Back", "Help",
    "Login", "Start", "Stop", "Apply", "Reset", "Edit", "Delete", "Export",
)  # fmt: skip
FIELDS = ("Name", "Email", "City", "Phone", "Search", "Street", "Title", "Notes", "Country", "Company")
OPTIONS = ("Wi-Fi", "Sound", "Alerts", "Sync", "Backup", "Camera", "Updates", "Hotspot", "Cookies", "Maps")
WINDOWS = ("Settings", "Mail", "Editor", "Photos", "Calendar", "Contacts", "Player", "Files")
