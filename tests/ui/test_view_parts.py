"""Small parts: scales, times, installation figures, colours that can be read, icons, reports."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import ui_script as script
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSettings, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from app.core.events import FlashStage, FlashWrote, Stage
from app.ui import icons, style
from app.ui.application import SettingsStore
from app.ui.device_view import colour_name
from app.ui.installation import Installation, stage_words
from app.ui.load_view import LoadView
from app.ui.plot import Curve, Mark, Plot, clock, nice_range
from app.ui.report import redacted, report_text

# ---- plots


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0.1, 1e3))
def test_a_nice_range_holds_the_values(low, span, least):
    bottom, top = nice_range(low, low + span, least=least)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert bottom <= low + slack
    assert top >= low + span - slack
    assert top - bottom >= least * 0.99


def test_times_are_said():
    assert clock(12.4) == "12 s"
    assert clock(185) == "3 min 5 s"


@pytest.fixture
def plot(qtbot, appearance):
    made = Plot("CPU", "%", bounds=(0, 100))
    qtbot.addWidget(made)
    made.resize(400, 80)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_figures_are_the_latest_or_those_under_the_cursor(plot):
    curve = Curve("core 0", [0.0, 10.0, 20.0], [5.0, 50.0, 95.0])
    plot.show_curves((curve,), [], -40.0, 20.0)
    assert plot.figures() == ["core 0 95 %"]
    for at, value in ((-100.0, "5"), (4.9, "5"), (5.1, "50"), (1e9, "95")):
        plot.show_cursor(at)
        assert plot.figures() == [f"core 0 {value} %"]
    plot.show_cursor(None)
    assert plot.accessibleDescription() == "core 0 95 %"


def test_the_line_is_where_the_value_is(plot):
    style_of = style.theme()
    for value in (10.0, 90.0):
        plot.show_curves((Curve("", [0.0, 60.0], [value, value]),), [], 0.0, 60.0)
        image = plot.grab().toImage()
        x = image.width() // 3
        line = QColor(style_of.series[0])
        hits = [y for y in range(image.height()) if _near(QColor(image.pixel(x, y)), line)]
        share = 1 - sum(hits) / len(hits) / image.height()
        assert abs(share - value / 100) < 0.1


def _near(one: QColor, other: QColor) -> bool:
    return (
        abs(one.red() - other.red())
        + abs(one.green() - other.green())
        + abs(one.blue() - other.blue())
        < 40
    )


def point_at(widget: QWidget, at: QPoint) -> None:
    """The pointer moves over `widget`. As an event: the display's own pointer is asynchronous."""
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, move)


def test_all_plots_share_one_cursor(qtbot, appearance):
    view = LoadView()
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.show()
    qtbot.waitExposed(view)
    for event in (*script.conversation(), *script.load(31.0, 60)):
        view.take(event)
    view.catch_up()
    now = [plot.figures() for plot in view.plots]
    point_at(view.heap, QPoint(40, 10))
    then = [plot.figures() for plot in view.plots]
    assert all(a != b for a, b in zip(now[:3], then[:3], strict=True))
    assert "ago" in view.heap.toolTip()
    view.heap.pointed.emit(None)
    assert [plot.figures() for plot in view.plots] == now


def test_a_mark_is_told_where_it_happened(plot):
    curve = Curve("", [0.0, 60.0], [1.0, 1.0])
    plot.show_curves((curve,), [Mark(30.0, "Tool: OpenDoor")], 0.0, 60.0)
    point_at(plot, QPoint(round(plot._x(30.0, plot._field())), 20))
    assert "Tool: OpenDoor" in plot.toolTip()


# ---- an installation


def test_speed_and_time_left():
    told = Installation()
    told.staged(FlashStage(0, Stage.CONNECT))
    assert (told.share, told.figures) == (None, "")
    told.staged(FlashStage(1, Stage.WRITE, "parley"))
    for second in range(5):
        told.wrote(FlashWrote(1.0 + second, "parley", second * 100_000, 1_000_000))
    assert told.bytes_per_s == pytest.approx(100_000)
    assert told.share == pytest.approx(0.4)
    assert told.figures == "390 of 976 kB · 98 kB/s · 6 s left"
    told.staged(FlashStage(9, Stage.VERIFY))
    assert (told.share, told.figures) == (None, "")
    told.staged(FlashStage(10, Stage.PROVE, "1.0"))
    assert (told.share, told.part) == (1.0, "1.0")
    told.staged(FlashStage(11, Stage.CONNECT))
    assert told.share is None


def test_a_part_that_is_there_already_is_no_speed():
    told = Installation()
    told.staged(FlashStage(0, Stage.COMPARE, "boot"))
    told.wrote(FlashWrote(0, "boot", 5, 5))
    told.staged(FlashStage(0, Stage.WRITE, "app"))
    told.wrote(FlashWrote(0, "app", 0, 0))
    assert told.figures == ""
    assert told.bytes_per_s is None


def test_every_stage_has_words():
    assert len({stage_words(stage) for stage in Stage}) == len(Stage)


# ---- looks


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in QColor(colour).getRgb()[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_every_text_can_be_read(look):
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text."""
    pairs = [
        *(
            (front, back)
            for front in (look.text, look.muted)
            for back in (look.surface, look.raised)
        ),
        (look.text, look.window),
        (look.muted, look.window),
        (look.accent_text, look.accent),
        (look.text, look.accent_soft),
        (look.accent, look.accent_soft),
        (look.bubble_user_text, look.bubble_user),
        (look.text, look.bubble_other),
        (look.warning, look.bubble_other),
        (look.good, look.good_soft),
        (look.warning, look.warning_soft),
        (look.bad, look.bad_soft),
        (look.text, look.bad_soft),
        (look.text, look.warning_soft),
        (look.console_text, look.console),
        *((front, look.console) for front in look.ansi),
        *((front, look.surface) for front in look.series),
    ]
    weak = [(a, b, round(contrast(a, b), 2)) for a, b in pairs if contrast(a, b) < 4.5]
    assert weak == []


def test_colours_have_names():
    assert colour_name(30, 107, 255) == "blue"
    assert colour_name(255, 0, 0) == "red"
    assert colour_name(255, 0, 30) == "red"
    assert colour_name(255, 140, 0) == "orange"
    assert colour_name(0, 0, 0) == "black"
    assert colour_name(250, 250, 250) == "white"
    for rgb in itertools.product((-5, 0, 128, 255, 99999), repeat=3):
        assert colour_name(*rgb)


def test_every_icon_draws_something(qapp):
    for name in icons._DRAWINGS:
        image = QImage(48, 48, QImage.Format.Format_ARGB32)
        image.fill(0)
        painter = QPainter(image)
        icons.draw(painter, name, QRectF(0, 0, 48, 48), QColor("#000000"))
        painter.end()
        inked = sum(image.pixelColor(x, y).alpha() > 0 for x in range(48) for y in range(48))
        assert inked > 60, name
        edge = [image.pixelColor(x, y).alpha() for x in range(48) for y in (0, 47)]
        assert max(edge) == 0, f"{name} is cut"


# ---- reports and sizes


def test_reports_name_no_keys():
    assert redacted("Bearer sk-proj-a1b2c3d4e5, ek_68af296e8e408191, skip-this") == (
        "Bearer •••, •••, skip-this"
    )
    try:
        raise ValueError("key sk-live-0123456789")
    except ValueError as error:
        text = report_text(error, "a test", log_place="somewhere")
    assert "ValueError" in text
    assert "somewhere" in text
    assert "0123456789" not in text


def test_the_settings_store(tmp_path: Path):
    path = str(tmp_path / "window.ini")
    store = SettingsStore(QSettings(path, QSettings.Format.IniFormat))
    assert store.read("geometry") is None
    store.write("geometry", b"\x00\x01\xff")
    store._settings.sync()
    again = SettingsStore(QSettings(path, QSettings.Format.IniFormat))
    assert again.read("geometry") == b"\x00\x01\xff"
