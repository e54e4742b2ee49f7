"""What a person can do in the mask editor, and by which key; an action is named as in `masks_actions`.

Keys that DeepFaceLab's editor has are its own (deepfacelab.md §6.5).
"""

from faceswap.gui.keys import Command, by_key

_TABLE = (
    ("draw", ("q",), "what is drawn includes what it surrounds", "include"),
    ("draw", ("w",), "what is drawn excludes what it surrounds", "exclude"),
    ("draw", ("b",), "paint with a brush, or draw polygons again", "brush"),
    ("draw", ("[",), "smaller brush", "smaller"),
    ("draw", ("]",), "larger brush", "larger"),
    ("draw", ("Return", "Enter"), "close the polygon that is being drawn", "close"),
    ("draw", ("Esc",), "let go of the polygon; while drawing: drop what is drawn of it", "escape"),
    ("draw", ("Del", "Backspace"), "delete the chosen polygon", "delete"),
    ("draw", ("t",), "turn the chosen polygon from include to exclude, or back", "turn"),
    ("draw", ("Ctrl+Z",), "undo; right after a face was thrown away: bring it back", "undo"),
    ("draw", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", "redo"),
    ("help from the machine", ("p",), "propose: the network's mask as polygons to edit", "propose"),
    ("help from the machine", ("c",), "carry the polygons of the nearest labelled face along", "carry"),
    ("faces", ("a", "Left"), "save, previous face", "previous"),
    ("faces", ("d", "Right"), "save, next face", "next"),
    ("faces", ("A",), "save, five faces back", "back"),
    ("faces", ("D",), "save, five faces on", "on"),
    ("faces", ("Ctrl+A",), "save, previous face with labels", "previous_labelled"),
    ("faces", ("Ctrl+D",), "save, next face with labels", "next_labelled"),
    ("faces", ("Home",), "save, first face", "first"),
    ("faces", ("End",), "save, last face", "last"),
    ("faces", ("f",), "next filter: which faces are gone through", "filter"),
    ("faces", ("x",), "throw the face away: move it to the trash folder", "throw_away"),
    ("faces", ("X",), "bring back the face that was thrown away last", "restore"),
    ("view", ("1",), "outlines in red", "red"),
    ("view", ("2",), "outlines in green", "green"),
    ("view", ("3",), "outlines in blue", "blue"),
    ("view", ("4",), "the mask that is drawn, or the picture again", "mask"),
    ("view", ("5",), "the stored mask, or the picture again", "stored"),
    ("view", ("6",), "the picture with what is outside the drawn mask at half brightness", "overlay"),
    ("view", ("`",), "what is outside the stored mask at half brightness while drawing", "overlay_stored"),
    ("view", ("h",), "hide the outlines, or show them", "outlines"),
    ("view", ("=", "+"), "zoom in", "zoom_in"),
    ("view", ("-",), "zoom out", "zoom_out"),
    ("view", ("0",), "fit the face into the window", "fit"),
    ("work", ("Ctrl+S",), "save", "save"),
    ("work", ("F1", "Tab"), "this help", "help"),
    ("work", ("Ctrl+Q",), "save and close", "quit"),
)
COMMANDS: tuple[Command[str], ...] = tuple(Command(*row) for row in _TABLE)
BY_KEY = by_key(COMMANDS)
BY_ACTION = {command.action: command for command in COMMANDS}

MOUSE = (
    "Click to begin a polygon and to add points, click its first point to close it. Click an outline to "
    "choose a polygon: then drag its points, Ctrl+click a point to remove it or an edge to add one, and "
    "Shift+drag to move all of it. The wheel zooms, the middle button moves the picture; while drawing, "
    "Shift keeps the cursor in the middle. The brush paints with the left button, with Ctrl the other way "
    "round; Ctrl+wheel changes its size. What is drawn is saved when you go to another face."
)
