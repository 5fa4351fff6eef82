"""How the program looks: two sets of colours, one accent, fonts, and a style sheet.

Widgets that paint themselves ask `theme()` while they paint, so a change of the system between
light and dark needs no wiring: `Appearance` swaps the theme and Qt repaints everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

GAP = 12
SMALL_GAP = 6
RADIUS = 10
CONTROL_HEIGHT = 32

# Han characters are shared between languages; the first CJK family decides which variant is drawn,
# and the fallback order of fontconfig may pick Japanese ones. So it is named here.
CJK_FAMILIES = ("Noto Sans CJK SC", "Microsoft YaHei UI", "PingFang SC", "Source Han Sans SC")
FIXED_FAMILIES = (
    "JetBrains Mono",
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Consolas",
    "DejaVu Sans Mono",
    "Liberation Mono",
    "Noto Sans Mono CJK SC",
)


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as `#rrggbb`; a name says what the colour is for, never what it looks like."""

    dark: bool
    window: str
    surface: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    accent_text: str
    accent_soft: str
    bubble_user: str
    bubble_user_text: str
    bubble_other: str
    good: str
    warning: str
    bad: str
    bad_soft: str
    warning_soft: str
    good_soft: str
    console: str
    console_text: str
    series: tuple[str, ...]
    ansi: tuple[str, ...]


LIGHT = Theme(
    dark=False,
    window="#eef1f4",
    surface="#ffffff",
    raised="#f4f6f8",
    border="#dbe0e6",
    text="#1a2027",
    muted="#5d6876",
    accent="#0a706c",
    accent_hover="#085b58",
    accent_text="#ffffff",
    accent_soft="#d9efed",
    bubble_user="#0a706c",
    bubble_user_text="#ffffff",
    bubble_other="#eef1f4",
    good="#187745",
    warning="#8f5400",
    bad="#b9332b",
    bad_soft="#fdebe9",
    warning_soft="#fdf2de",
    good_soft="#e0f4e8",
    console="#fbfcfd",
    console_text="#28313b",
    series=("#0a706c", "#b84f16", "#5a56c8", "#a03a7a"),
    ansi=(
        "#3b4652",
        "#b9332b",
        "#187745",
        "#8f5400",
        "#2457b8",
        "#8a3a8f",
        "#0a706c",
        "#5d6876",
    ),
)
DARK = Theme(
    dark=True,
    window="#12161b",
    surface="#1a2027",
    raised="#232a33",
    border="#303945",
    text="#e6eaef",
    muted="#98a4b3",
    accent="#35b3aa",
    accent_hover="#52c7bf",
    accent_text="#06211f",
    accent_soft="#173b3a",
    bubble_user="#14625e",
    bubble_user_text="#effcfb",
    bubble_other="#27303a",
    good="#4cc486",
    warning="#e5ae50",
    bad="#f2857c",
    bad_soft="#3a2221",
    warning_soft="#382d18",
    good_soft="#17352a",
    console="#14191f",
    console_text="#cfd6de",
    series=("#35b3aa", "#eb9a5c", "#9d99f5", "#e089bd"),
    ansi=(
        "#8793a1",
        "#f2857c",
        "#5fcb92",
        "#e5ae50",
        "#78a9f5",
        "#d193d6",
        "#4fc4bb",
        "#cfd6de",
    ),
)

_theme = LIGHT


def theme() -> Theme:
    """The colours in use now."""
    return _theme


def colour(name: str, alpha: int = 255) -> QColor:
    """A colour given as `#rrggbb`, with `alpha` 0..255."""
    made = QColor(name)
    made.setAlpha(alpha)
    return made


def body_font(*, steps: float = 0.0, bold: bool = False) -> QFont:
    """The program's font, `steps` points larger or smaller."""
    font = QFont(QApplication.font())
    font.setPointSizeF(max(6.0, font.pointSizeF() + steps))
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def fixed_font(*, steps: float = -0.5) -> QFont:
    """The font of the console, of arguments and of figures in columns."""
    font = body_font(steps=steps)
    font.setFamilies([*FIXED_FAMILIES, *CJK_FAMILIES])
    font.setStyleHint(QFont.StyleHint.Monospace)
    return font


def _program_font() -> QFont:
    """The desktop's own font, with families behind it that have Chinese characters."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    own = [family for family in font.families() if family != "Sans Serif"]
    # A display without a desktop names no font; these are the usual good ones, if they are there.
    usual = [] if own else ["Inter", "Noto Sans", "Cantarell", "Ubuntu", "Segoe UI"]
    font.setFamilies([*own, *usual, *CJK_FAMILIES, "DejaVu Sans"])
    font.setPointSizeF(max(10.0, font.pointSizeF()))
    return font


def _palette(look: Theme) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for which, name in (
        (role.Window, look.window),
        (role.WindowText, look.text),
        (role.Base, look.surface),
        (role.AlternateBase, look.raised),
        (role.Text, look.text),
        (role.PlaceholderText, look.muted),
        (role.Button, look.surface),
        (role.ButtonText, look.text),
        (role.BrightText, look.bad),
        (role.Highlight, look.accent),
        (role.HighlightedText, look.accent_text),
        (role.Link, look.accent),
        (role.ToolTipBase, look.raised),
        (role.ToolTipText, look.text),
        (role.Mid, look.border),
        (role.Midlight, look.raised),
        (role.Light, look.surface),
        (role.Dark, look.border),
        (role.Shadow, look.border),
        (role.Accent, look.accent),
    ):
        palette.setColor(which, QColor(name))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, colour(look.muted, 140))
    return palette


def style_sheet(look: Theme) -> str:
    """Form of the stock widgets; what Qt does not offer is painted in `controls`."""
    c = look
    return f"""
    QWidget {{ color: {c.text}; }}
    QMainWindow, QDialog {{ background: {c.window}; }}
    QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.border};
        padding: 4px 6px; }}
    QLabel[role="muted"] {{ color: {c.muted}; }}
    QLabel[role="title"] {{ font-weight: 600; }}
    QFrame[role="card"] {{ background: {c.surface}; border: 1px solid {c.border};
        border-radius: {RADIUS}px; }}
    QFrame[role="bar"] {{ background: {c.surface}; border: none;
        border-bottom: 1px solid {c.border}; }}
    QPushButton {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 8px;
        padding: 0 14px; min-height: {CONTROL_HEIGHT - 2}px; }}
    QPushButton:hover {{ background: {c.raised}; }}
    QPushButton:pressed {{ background: {c.border}; }}
    QPushButton:focus {{ border: 2px solid {c.accent}; padding: 0 13px;
        min-height: {CONTROL_HEIGHT - 4}px; }}
    QPushButton:disabled {{ color: {c.muted}; background: {c.raised}; }}
    QPushButton[role="small"] {{ min-height: 24px; padding: 0 10px; border-radius: 6px; }}
    QPushButton[role="primary"] {{ background: {c.accent}; color: {c.accent_text};
        border: 1px solid {c.accent}; font-weight: 600; }}
    QPushButton[role="primary"]:hover {{ background: {c.accent_hover}; }}
    QPushButton[role="primary"]:focus {{ border: 2px solid {c.text}; }}
    QPushButton[role="primary"]:disabled {{ background: {c.raised}; color: {c.muted};
        border: 1px solid {c.border}; }}
    QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: 6px;
        padding: 3px; }}
    QToolButton::menu-indicator {{ image: none; }}
    QToolButton:hover {{ background: {c.raised}; }}
    QToolButton:focus {{ border: 1px solid {c.accent}; }}
    QToolButton:checked {{ background: {c.accent_soft}; }}
    QLineEdit {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 8px;
        padding: 0 10px; min-height: {CONTROL_HEIGHT - 2}px;
        selection-background-color: {c.accent}; selection-color: {c.accent_text}; }}
    QLineEdit[role="small"] {{ min-height: 24px; border-radius: 6px; padding: 0 8px; }}
    QLineEdit:focus {{ border: 1px solid {c.accent}; }}
    QLineEdit[bad="true"] {{ border: 1px solid {c.bad}; background: {c.bad_soft}; }}
    QLineEdit:disabled {{ background: {c.raised}; }}
    QComboBox QAbstractItemView {{ background: {c.surface}; border: 1px solid {c.border};
        selection-background-color: {c.accent_soft}; selection-color: {c.text}; outline: 0;
        padding: 4px; }}
    QMenu {{ background: {c.surface}; border: 1px solid {c.border}; padding: 4px; }}
    QMenu::item {{ padding: 5px 22px 5px 14px; border-radius: 5px; }}
    QMenu::item:selected {{ background: {c.accent_soft}; }}
    QMenu::item:disabled {{ color: {c.muted}; }}
    QMenu::separator {{ height: 1px; background: {c.border}; margin: 4px 8px; }}
    QScrollArea, QScrollArea > QWidget > QWidget[role="column"],
    QScrollArea > QWidget > QWidget[role="steps"] {{ background: transparent; }}
    QSplitter::handle {{ background: transparent; }}
    QSplitter::handle:hover {{ background: {c.border}; border-radius: 3px; }}
    QScrollBar {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ width: 10px; }}
    QScrollBar:horizontal {{ height: 10px; }}
    QScrollBar::handle {{ background: {c.border}; border-radius: 4px; margin: 1px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {c.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QHeaderView {{ background: transparent; border: none; }}
    QHeaderView::section {{ background: transparent; color: {c.muted}; border: none;
        border-bottom: 1px solid {c.border}; padding: 2px 9px; }}
    QTableView {{ background: transparent; border: none; gridline-color: transparent;
        selection-background-color: {c.accent_soft}; selection-color: {c.text}; outline: 0; }}
    QTableView::item {{ padding: 0 8px; border: none; }}
    QTableView:focus {{ border: 1px solid {c.accent}; border-radius: 6px; }}
    QPlainTextEdit {{ background: {c.surface}; border: 1px solid {c.border}; border-radius: 8px;
        padding: 4px; selection-background-color: {c.accent};
        selection-color: {c.accent_text}; }}
    QSlider::groove:horizontal {{ height: 4px; background: {c.border}; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: 2px; }}
    QSlider::handle:horizontal {{ background: {c.accent}; width: 14px; height: 14px;
        margin: -5px 0; border-radius: 7px; }}
    QSlider::handle:horizontal:focus {{ border: 2px solid {c.text}; margin: -6px -1px; }}
    QSlider::sub-page:horizontal:disabled, QSlider::handle:horizontal:disabled {{
        background: {c.muted}; }}
    """


class Appearance(QObject):
    """Keeps the application in the system's colours, light or dark, from now on."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        palette = application.palette()
        application.setStyle(QStyleFactory.create("Fusion"))
        application.setFont(_program_font())
        hints = application.styleHints()
        hints.colorSchemeChanged.connect(self._changed)
        scheme = hints.colorScheme()
        if scheme == Qt.ColorScheme.Unknown and palette.window().color().lightness() < 128:
            scheme = Qt.ColorScheme.Dark  # a desktop that only gives a palette
        self._changed(scheme)

    @Slot(Qt.ColorScheme)
    def _changed(self, scheme: Qt.ColorScheme) -> None:
        self.show(DARK if scheme == Qt.ColorScheme.Dark else LIGHT)

    def show(self, look: Theme) -> None:
        """Use these colours everywhere, until the system changes its mind."""
        global _theme  # one look for the whole program, as QApplication's palette is
        _theme = look
        self._application.setPalette(_palette(look))
        self._application.setStyleSheet(style_sheet(look))
