"""What a person can do in the preview window, and by which key.

Keys that DeepFaceLab's preview has are its own (deepfacelab.md §8.6).
"""

from faceswap.gui.keys import Command, by_key

_TABLE = (
    ("training", ("s",), "save now", "save"),
    ("training", ("b",), "save now, and keep that as a backup", "backup"),
    ("training", ("p",), "show other faces from the next preview on", "samples"),
    ("training", ("Return", "Enter"), "save and end the training", "stop"),
    ("pictures", ("Space",), "next page: all, faces alone, curves alone", "page"),
    ("pictures", ("m",), "faces inside their masks only, or whole again", "masked"),
    ("pictures", ("=", "+"), "zoom in", "zoom_in"),
    ("pictures", ("-",), "zoom out", "zoom_out"),
    ("pictures", ("0",), "fit the faces into the window", "fit"),
    ("timelapse", ("Left",), "the preview before", "earlier"),
    ("timelapse", ("Right",), "the preview after", "later"),
    ("timelapse", ("Home",), "the first preview that was kept", "first"),
    ("timelapse", ("End", "Esc"), "what is drawn now", "live"),
    ("timelapse", ("t",), "play from here on, or pause", "play"),
    ("curves", ("l",), "range: all, or the newest 5000, 10000, 50000, 100000 iterations", "range"),
    ("curves", ("]",), "smoother", "smoother"),
    ("curves", ("[",), "less smooth", "rougher"),
    ("curves", ("Up",), "fewer iterations, about the middle", "narrower"),
    ("curves", ("Down",), "more iterations", "wider"),
    ("window", ("F1", "h"), "this help, or away with it", "help"),
    ("window", ("Ctrl+Q", "Ctrl+W"), "close the window; training goes on", "quit"),
)
COMMANDS: tuple[Command[str], ...] = tuple(Command(*row) for row in _TABLE)
BY_KEY = by_key(COMMANDS)
BY_ACTION = {command.action: command for command in COMMANDS}

MOUSE = (
    "Over the faces the wheel zooms, dragging moves, a double click fits them again. Over the curves the "
    "wheel zooms about the cursor, dragging moves through time, a double click shows all, and a click shows "
    "the preview that was kept nearest to that iteration. What is seen at the right end stays there as "
    "training goes on."
)
