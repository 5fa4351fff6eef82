"""The thing on the desk: its light in its colour, its door, how loud it is, whether it listens."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen, QRadialGradient
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.core.events import DeviceIs
from app.core.language import tr
from app.ui import icons, style
from app.ui.controls import Card, IconButton, label

# A drag sends a volume at most this often; the board answers each command.
_SLIDE_MS = 150


def colour_name(red: int, green: int, blue: int) -> str:
    """The nearest everyday name of a colour, as one would say it aloud."""
    colour = QColor(_byte(red), _byte(green), _byte(blue))
    hue, saturation, value = colour.hsvHue(), colour.hsvSaturation(), colour.value()
    if value < 30:
        return tr("black")
    if saturation < 45:
        return tr("white") if value > 170 else tr("grey")
    for limit, name in (
        (14, tr("red")),
        (42, tr("orange")),
        (70, tr("yellow")),
        (165, tr("green")),
        (200, tr("turquoise")),
        (258, tr("blue")),
        (295, tr("violet")),
        (340, tr("pink")),
    ):
        if hue < limit:
            return name
    return tr("red")


def _byte(value: int) -> int:
    """A colour may come from outside as any number."""
    return max(0, min(255, value))


class Lamp(QWidget):
    """A light: dark glass when off, its colour and a glow when on."""

    def __init__(self) -> None:
        super().__init__()
        self._on = False
        self._colour = QColor("#ffffff")
        self.setFixedSize(QSize(84, 84))
        self.setAccessibleName(tr("Light"))

    def show_light(self, on: bool, colour: QColor) -> None:
        self._on, self._colour = on, colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = style.theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2, self.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._on:
            glow = QRadialGradient(middle, 41)
            near, far = QColor(self._colour), QColor(self._colour)
            near.setAlpha(150)
            far.setAlpha(0)
            glow.setColorAt(0.45, near)
            glow.setColorAt(1.0, far)
            painter.setBrush(QBrush(glow))
            painter.drawEllipse(middle, 41, 41)
        glass = QRadialGradient(middle - QPointF(7, 8), 30)
        if self._on:
            glass.setColorAt(0.0, self._colour.lighter(150))
            glass.setColorAt(1.0, self._colour)
        else:
            glass.setColorAt(0.0, QColor(look.surface))
            glass.setColorAt(1.0, QColor(look.raised))
        painter.setBrush(QBrush(glass))
        painter.setPen(QPen(QColor(look.border if not self._on else look.muted), 1.2))
        painter.drawEllipse(middle, 25, 25)
        painter.end()


class _Row(QWidget):
    """An icon, a word, and what is the case."""

    def __init__(self, icon: str, name: str) -> None:
        super().__init__()
        self.icon = icon
        self.setAccessibleName(name)
        self.name = label(name, role="muted")
        self.value = label("–")
        line = QHBoxLayout(self)
        line.setContentsMargins(24, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.name)
        line.addStretch(1)
        line.addWidget(self.value)

    def show_value(self, text: str, icon: str) -> None:
        self.value.setText(text)
        self.icon = icon
        self.setAccessibleDescription(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(0, self.height() / 2 - 9, 18, 18)
        icons.draw(painter, self.icon, box, QColor(style.theme().muted), width=1.6)
        painter.end()


class DeviceView(Card):
    """Signals: volume_asked(percent), mute_asked(on)."""

    volume_asked = Signal(int)
    mute_asked = Signal(bool)

    def __init__(self) -> None:
        super().__init__(tr("Device"))
        self.lamp = Lamp()
        self.light = label("–", role="muted")
        self.light.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.light.setMinimumWidth(96)
        self.door = _Row("door", tr("Door"))
        self.microphone = _Row("microphone", tr("Microphone"))
        self.mute = IconButton("microphone_off", tr("Mute the microphone"), "Ctrl+M", toggles=True)
        self.mute.setShortcut("Ctrl+M")
        self.mute.clicked.connect(self.mute_asked)
        self.volume = QSlider(Qt.Orientation.Horizontal)
        self.volume.setRange(0, 100)
        self.volume.setPageStep(10)
        self.volume.setAccessibleName(tr("Volume"))
        self.volume.setToolTip(tr("Volume"))
        self.volume.setMinimumHeight(20)
        self.volume.valueChanged.connect(self._slid)
        self.percent = label("–")
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.percent.setMinimumWidth(44)
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(_SLIDE_MS)
        self._asking.timeout.connect(self._ask_volume)
        self._arrange()
        self.show_absent()

    def _arrange(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.lamp, 0, Qt.AlignmentFlag.AlignHCenter)
        left.addWidget(self.light)
        loud = _Row("speaker", tr("Volume"))
        loud.value.hide()
        right = QGridLayout()
        right.setHorizontalSpacing(8)
        right.setVerticalSpacing(6)
        right.addWidget(loud, 0, 0)
        right.addWidget(self.volume, 0, 1)
        right.addWidget(self.percent, 0, 2)
        right.addWidget(self.door, 1, 0, 1, 3)
        right.addWidget(self.microphone, 2, 0, 1, 2)
        right.addWidget(self.mute, 2, 2, Qt.AlignmentFlag.AlignRight)
        right.setColumnStretch(1, 1)
        both = QHBoxLayout()
        both.setSpacing(14)
        both.addLayout(left)
        both.addLayout(right, 1)
        self.body.addLayout(both)
        QWidget.setTabOrder(self.volume, self.mute)

    def show_absent(self) -> None:
        """No board: nothing is known and nothing can be asked."""
        self.lamp.show_light(False, QColor("#ffffff"))
        self.light.setText(tr("Light"))
        self.door.show_value("–", "door")
        self.microphone.show_value("–", "microphone")
        self.percent.setText("–")
        self.volume.setEnabled(False)
        self.mute.setEnabled(False)

    def show_device(self, device: DeviceIs) -> None:
        colour = QColor(_byte(device.red), _byte(device.green), _byte(device.blue))
        self.lamp.show_light(device.light, colour)
        name = colour_name(device.red, device.green, device.blue)
        said = tr("On, {colour}", colour=name) if device.light else tr("Off")
        self.light.setText(said)
        self.lamp.setAccessibleDescription(said)
        self.door.show_value(
            tr("open") if device.door else tr("closed"), "door_open" if device.door else "door"
        )
        self.microphone.show_value(
            tr("muted") if device.muted else tr("on"),
            "microphone_off" if device.muted else "microphone",
        )
        self.mute.setEnabled(True)
        self.mute.setChecked(device.muted)
        self.mute.rename(
            tr("Unmute the microphone") if device.muted else tr("Mute the microphone"), "Ctrl+M"
        )
        self.volume.setEnabled(True)
        if not self.volume.isSliderDown() and not self._asking.isActive():
            self.volume.blockSignals(True)
            self.volume.setValue(device.volume)
            self.volume.blockSignals(False)
        self.percent.setText(f"{device.volume} %" if device.volume >= 0 else "–")

    @Slot(int)
    def _slid(self, percent: int) -> None:
        self.percent.setText(f"{percent} %")
        if not self._asking.isActive():
            self._asking.start()

    @Slot()
    def _ask_volume(self) -> None:
        self.volume_asked.emit(self.volume.value())
