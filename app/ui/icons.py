"""Small pictures drawn by the program: a line drawing of 24 units a side, in any colour and size.

Drawn, not loaded, so that they follow the theme, stay sharp at any scale and need no files in the
package.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

Drawing = Callable[[QPainter], None]


def _lines(*points: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points])


def _play(p: QPainter) -> None:
    p.setBrush(p.pen().color())
    p.drawPolygon(_lines((8, 5.5), (18.5, 12), (8, 18.5)))


def _stop(p: QPainter) -> None:
    p.setBrush(p.pen().color())
    p.drawRoundedRect(QRectF(6.5, 6.5, 11, 11), 2, 2)


def _restart(p: QPainter) -> None:
    p.drawArc(QRectF(5, 5, 14, 14), 60 * 16, 300 * 16)
    p.drawPolyline(_lines((15.5, 2.5), (15.8, 6.3), (12, 7)))


def _install(p: QPainter) -> None:
    p.drawLine(QPointF(12, 4), QPointF(12, 14.5))
    p.drawPolyline(_lines((7.5, 10.5), (12, 15), (16.5, 10.5)))
    p.drawPolyline(_lines((4.5, 16), (4.5, 19.5), (19.5, 19.5), (19.5, 16)))


def _search(p: QPainter) -> None:
    p.drawEllipse(QPointF(10.5, 10.5), 5.5, 5.5)
    p.drawLine(QPointF(14.8, 14.8), QPointF(19.5, 19.5))


def _clear(p: QPainter) -> None:
    p.drawPolyline(_lines((4.5, 7), (19.5, 7)))
    p.drawPolyline(_lines((6.5, 7), (7.5, 20), (16.5, 20), (17.5, 7)))
    p.drawPolyline(_lines((9, 6.5), (9.5, 4), (14.5, 4), (15, 6.5)))


def _copy(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(8.5, 8.5, 11, 11), 2, 2)
    p.drawPolyline(_lines((5, 15.5), (5, 5), (15.5, 5)))


def _close(p: QPainter) -> None:
    p.drawLine(QPointF(6.5, 6.5), QPointF(17.5, 17.5))
    p.drawLine(QPointF(17.5, 6.5), QPointF(6.5, 17.5))


def _follow(p: QPainter) -> None:
    p.drawLine(QPointF(12, 4), QPointF(12, 15))
    p.drawPolyline(_lines((7, 10.5), (12, 15.5), (17, 10.5)))
    p.drawLine(QPointF(6, 19.5), QPointF(18, 19.5))


def _up(p: QPainter) -> None:
    p.drawPolyline(_lines((6, 14.5), (12, 8.5), (18, 14.5)))


def _down(p: QPainter) -> None:
    p.drawPolyline(_lines((6, 9.5), (12, 15.5), (18, 9.5)))


def _send(p: QPainter) -> None:
    p.drawPolygon(_lines((4, 5), (20.5, 12), (4, 19), (6.8, 12)))
    p.drawLine(QPointF(6.8, 12), QPointF(12.5, 12))


def _microphone(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(9, 3, 6, 11), 3, 3)
    p.drawArc(QRectF(5.5, 5.5, 13, 12), 180 * 16, 180 * 16)
    p.drawLine(QPointF(12, 17.5), QPointF(12, 21))


def _microphone_off(p: QPainter) -> None:
    _microphone(p)
    p.drawLine(QPointF(4.5, 3.5), QPointF(19.5, 20.5))


def _speaker(p: QPainter) -> None:
    p.drawPolygon(_lines((4, 9.5), (8, 9.5), (12.5, 5.5), (12.5, 18.5), (8, 14.5), (4, 14.5)))
    p.drawArc(QRectF(11, 8, 7, 8), -60 * 16, 120 * 16)
    p.drawArc(QRectF(11, 4.5, 10.5, 15), -55 * 16, 110 * 16)


def _door(p: QPainter) -> None:
    p.drawRect(QRectF(6.5, 3.5, 11, 17))
    p.drawLine(QPointF(3.5, 20.5), QPointF(20.5, 20.5))
    p.setBrush(p.pen().color())
    p.drawEllipse(QPointF(14.6, 12.3), 0.7, 0.7)


def _door_open(p: QPainter) -> None:
    p.drawPolyline(_lines((6.5, 20.5), (6.5, 3.5), (17.5, 3.5), (17.5, 20.5)))
    p.drawPolygon(_lines((6.5, 3.5), (13.5, 6), (13.5, 22), (6.5, 20.5)))
    p.drawLine(QPointF(17.5, 20.5), QPointF(20.5, 20.5))
    p.setBrush(p.pen().color())
    p.drawEllipse(QPointF(11.4, 13.5), 0.7, 0.7)


def _tool(p: QPainter) -> None:
    path = QPainterPath(QPointF(5, 19))
    path.lineTo(12.2, 11.8)
    p.drawPath(path)
    p.drawArc(QRectF(11, 3.5, 9.5, 9.5), 100 * 16, 250 * 16)
    p.drawPolyline(_lines((14.9, 3.6), (15.2, 8.6), (20.2, 9)))


def _tick(p: QPainter) -> None:
    p.drawPolyline(_lines((5, 12.5), (10, 17.5), (19, 7)))


def _board(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(6.5, 6.5, 11, 11), 1.5, 1.5)
    for at in (9.0, 12.0, 15.0):
        p.drawLine(QPointF(at, 3.5), QPointF(at, 6.5))
        p.drawLine(QPointF(at, 17.5), QPointF(at, 20.5))
        p.drawLine(QPointF(3.5, at), QPointF(6.5, at))
        p.drawLine(QPointF(17.5, at), QPointF(20.5, at))


def _clock(p: QPainter) -> None:
    p.drawEllipse(QPointF(12, 12), 8, 8)
    p.drawPolyline(_lines((12, 7.5), (12, 12), (15, 14)))


def _captions(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(3, 5.5, 18, 13), 2.5, 2.5)
    p.drawLine(QPointF(6.5, 14.5), QPointF(12, 14.5))
    p.drawLine(QPointF(15, 14.5), QPointF(17.5, 14.5))
    p.drawLine(QPointF(6.5, 10.5), QPointF(9, 10.5))
    p.drawLine(QPointF(12, 10.5), QPointF(17.5, 10.5))


def _save(p: QPainter) -> None:
    p.drawPolygon(_lines((4.5, 4.5), (16, 4.5), (19.5, 8), (19.5, 19.5), (4.5, 19.5)))
    p.drawPolyline(_lines((8, 19.5), (8, 13.5), (16, 13.5), (16, 19.5)))
    p.drawPolyline(_lines((8.5, 4.5), (8.5, 8.5), (14, 8.5), (14, 4.5)))


def _pause(p: QPainter) -> None:
    p.drawLine(QPointF(9, 6), QPointF(9, 18))
    p.drawLine(QPointF(15, 6), QPointF(15, 18))


def _wrap(p: QPainter) -> None:
    p.drawLine(QPointF(4, 6.5), QPointF(20, 6.5))
    p.drawPolyline(_lines((4, 12), (16.5, 12)))
    p.drawArc(QRectF(13.5, 12, 6, 6), -90 * 16, 180 * 16)
    p.drawPolyline(_lines((16.5, 18), (11, 18)))
    p.drawPolyline(_lines((13.3, 15.7), (11, 18), (13.3, 20.3)))
    p.drawLine(QPointF(4, 18), QPointF(7.5, 18))


def _log(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(5, 3.5, 14, 17), 2, 2)
    for y in (8.0, 12.0, 16.0):
        p.drawLine(QPointF(8.5, y), QPointF(15.5, y))


def _wifi(p: QPainter) -> None:
    for r in (4.0, 8.0, 12.0):
        p.drawArc(QRectF(12 - r, 18 - r, 2 * r, 2 * r), 45 * 16, 90 * 16)
    p.setBrush(p.pen().color())
    p.drawEllipse(QPointF(12, 18), 1, 1)


def _chart(p: QPainter) -> None:
    p.drawPolyline(_lines((4.5, 4.5), (4.5, 19.5), (19.5, 19.5)))
    p.drawPolyline(_lines((7.5, 15.5), (11, 10.5), (14, 13), (19, 6.5)))


def _regex(p: QPainter) -> None:
    for degrees in (0, 60, 120):
        p.save()
        p.translate(14.5, 10)
        p.rotate(degrees)
        p.drawLine(QPointF(0, -5), QPointF(0, 5))
        p.restore()
    p.setBrush(p.pen().color())
    p.drawEllipse(QPointF(6, 17.5), 1.2, 1.2)


def _more(p: QPainter) -> None:
    p.setBrush(p.pen().color())
    for x in (6, 12, 18):
        p.drawEllipse(QPointF(x, 12), 1.1, 1.1)


_DRAWINGS: dict[str, Drawing] = {
    "play": _play,
    "stop": _stop,
    "restart": _restart,
    "install": _install,
    "search": _search,
    "clear": _clear,
    "copy": _copy,
    "close": _close,
    "follow": _follow,
    "up": _up,
    "down": _down,
    "send": _send,
    "microphone": _microphone,
    "microphone_off": _microphone_off,
    "speaker": _speaker,
    "door": _door,
    "door_open": _door_open,
    "tool": _tool,
    "tick": _tick,
    "board": _board,
    "clock": _clock,
    "captions": _captions,
    "save": _save,
    "pause": _pause,
    "wrap": _wrap,
    "log": _log,
    "wifi": _wifi,
    "chart": _chart,
    "more": _more,
    "regex": _regex,
}


def draw(painter: QPainter, name: str, box: QRectF, colour: QColor, *, width: float = 1.8) -> None:
    """Draw the picture `name` into `box` with lines of `colour`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / 24, box.height() / 24)
    pen = QPen(colour, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _DRAWINGS[name](painter)
    painter.restore()


def pixmap(name: str, side: int, colour: QColor, *, ratio: float = 2.0) -> QPixmap:
    """The picture as pixels: `side` logical pixels, `ratio` device pixels to each."""
    made = QPixmap(round(side * ratio), round(side * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    draw(painter, name, QRectF(0, 0, side, side), colour)
    painter.end()
    return made


def icon(name: str, colour: QColor, disabled: QColor, *, side: int = 18) -> QIcon:
    """The picture as an icon for a button."""
    made = QIcon(pixmap(name, side, colour))
    made.addPixmap(pixmap(name, side, disabled), QIcon.Mode.Disabled)
    return made


def draw_mark(painter: QPainter, box: QRectF, front: QColor, back: QColor) -> None:
    """The program's own sign: a speech bubble with the bars of a voice."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / 24, box.height() / 24)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(back)
    bubble = QPainterPath()
    bubble.addRoundedRect(QRectF(1, 2, 22, 17), 6, 6)
    tail = QPainterPath()
    tail.addPolygon(_lines((6, 16), (6, 23.3), (13.5, 17), (6, 16)))
    painter.drawPath(bubble.united(tail))
    pen = QPen(front, 2)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    for x, half in ((6.5, 1.3), (10.2, 4.2), (13.8, 2.6), (17.5, 4.0)):
        painter.drawLine(QPointF(x, 10.5 - half), QPointF(x, 10.5 + half))
    painter.restore()


def mark(front: QColor, back: QColor) -> QIcon:
    """The program's icon for the window and the task bar."""
    made = QIcon()
    for side in (16, 24, 32, 48, 64, 128, 256):
        picture = QPixmap(side, side)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        draw_mark(painter, QRectF(0, 0, side, side), front, back)
        painter.end()
        made.addPixmap(picture)
    return made
