"""What the mask editor says of itself: names, counts, hints, and which buttons are down."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker

from faceswap.gui.mask_editor.canvas import MaskCanvas
from faceswap.gui.mask_editor.strip import COUNT
from faceswap.masks.edit.picking import oddities

if TYPE_CHECKING:
    from faceswap.gui.mask_editor.window import MaskWindow


def show_status(window: "MaskWindow") -> None:
    """Labels, strip and buttons as they are now."""
    parts, editor = window.parts, window.editor
    elsewhere = [number for number in editor.unsaved() if number != editor.index]
    waiting = f"{len(elsewhere)} not saved  ·  " if elsewhere else ""
    parts.name_label.setText(f"{editor.face.path.name}   {editor.at + 1} / {len(editor.order)}")
    parts.count_label.setText(f"{waiting}{len(editor.labelled)} of {editor.count} labelled")
    parts.hint_label.setText(window.message or hint(window.canvas, editor.face.meta.size_px))
    near = editor.neighbours(COUNT)
    parts.strip.show_faces(near, editor.labelled, window.pictures.thumbnails(near))
    parts.filter_list.setCurrentText(editor.filter)
    with QSignalBlocker(parts.brush_slider):
        parts.brush_slider.setValue(round(window.canvas.radius_px))
    _show_buttons(window)
    window.canvas.update()


def _show_buttons(window: "MaskWindow") -> None:
    canvas, editor, buttons = window.canvas, window.editor, window.parts.buttons
    can_do = {
        "undo": canvas.document.can_undo or editor.can_restore,
        "redo": canvas.document.can_redo,
        "turn": canvas.chosen is not None,
        "delete": canvas.chosen is not None,
        "restore": editor.can_restore,
    }
    for name, can in can_do.items():
        buttons[name].setEnabled(can)
    draft = canvas.document.draft
    kind = canvas.kind if draft is None else draft.kind
    down = {
        kind: True, canvas.color: True, canvas.tool: True, window.view: True,
        "overlay_stored": window.shades_stored, "outlines": canvas.outlines,
    }  # fmt: skip
    for name, button in buttons.items():
        button.setChecked(down.get(name, False))


def hint(canvas: MaskCanvas, size_px: int) -> str:
    """What the mouse does now, or what is odd about what is drawn."""
    document = canvas.document
    odd = oddities(document.polygons, size_px)
    if odd:
        return odd[0]
    if canvas.tool == "brush":
        return "paint with the left button; with Ctrl the other way round"
    if document.draft is not None:
        return "click to add points; the first one, the right button or Enter closes the polygon"
    if canvas.chosen is not None:
        return "drag points; Ctrl+click removes one, or adds one on an edge; Shift+drag moves all"
    if not document.polygons:
        return "click to draw; P proposes a mask, C carries one along"
    return "click an outline to change it, or beside it to draw another"
