// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme.h"

#include <QApplication>
#include <QStyleFactory>

namespace attnscope {

namespace {

QPalette paletteOf(const Chrome& c) {
  QPalette palette;
  palette.setColor(QPalette::Window, c.panel);
  palette.setColor(QPalette::WindowText, c.text);
  palette.setColor(QPalette::Base, c.field);
  palette.setColor(QPalette::AlternateBase, c.wall);
  palette.setColor(QPalette::Text, c.text);
  palette.setColor(QPalette::Button, c.panel);
  palette.setColor(QPalette::ButtonText, c.text);
  palette.setColor(QPalette::BrightText, c.warning);
  palette.setColor(QPalette::ToolTipBase, c.field);
  palette.setColor(QPalette::ToolTipText, c.text);
  palette.setColor(QPalette::PlaceholderText, c.secondary);
  palette.setColor(QPalette::Highlight, c.accent);
  palette.setColor(QPalette::HighlightedText, readableOn(c.accent));
  palette.setColor(QPalette::Link, c.accent);
  palette.setColor(QPalette::Light, c.dark ? c.border.lighter(115) : c.panel);
  palette.setColor(QPalette::Midlight, c.hover);
  palette.setColor(QPalette::Mid, c.border);
  palette.setColor(QPalette::Dark, c.border.darker(c.dark ? 130 : 110));
  palette.setColor(QPalette::Shadow, c.dark ? QColor(0x0a, 0x0c, 0x0f) : QColor(0xa8, 0xaf, 0xba));
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    palette.setColor(QPalette::Disabled, role, c.dark ? QColor(0x62, 0x6b, 0x78) : QColor(0xa6, 0xad, 0xb8));
  palette.setColor(QPalette::Disabled, QPalette::Highlight, c.border);
  return palette;
}

QString styleSheetOf(const Chrome& c) {
  const QString sheet = QStringLiteral(R"(
    QMainWindow::separator { background: %border; width: 1px; height: 1px; margin: 0px; }
    QMainWindow::separator:hover { background: %accent; }
    QMenuBar { background: %panel; border-bottom: 1px solid %border; padding: 1px 6px; }
    QMenuBar::item { padding: 4px 9px; background: transparent; border-radius: 4px; }
    QMenuBar::item:selected { background: %hover; }
    QMenu { background: %panel; border: 1px solid %border; padding: 4px; }
    QMenu::item { padding: 5px 26px 5px 24px; border-radius: 4px; }
    QMenu::item:selected { background: %soft; color: %text; }
    QMenu::item:disabled { color: %secondary; }
    QMenu::separator { height: 1px; background: %border; margin: 4px 8px; }
    QToolBar { background: %panel; border: none; border-bottom: 1px solid %border; padding: 3px 8px; spacing: 6px; }
    QToolBar QLabel { color: %secondary; }
    QStatusBar { background: %panel; border-top: 1px solid %border; }
    QStatusBar::item { border: none; }
    QToolTip { background: %field; color: %text; border: 1px solid %border; padding: 4px; }
    QDockWidget > QWidget { background: %panel; }
    QTabBar::tab { background: transparent; color: %secondary; padding: 5px 10px; border: none;
                   border-bottom: 2px solid transparent; }
    QTabBar::tab:selected { color: %text; border-bottom: 2px solid %accent; }
    QTabBar::tab:hover { color: %text; }
    QTabWidget::pane { border: none; }
    QPushButton, QToolButton[framed="true"] { background: %field; border: 1px solid %border; border-radius: 5px;
                  padding: 4px 11px; color: %text; }
    QPushButton:hover, QToolButton[framed="true"]:hover { background: %hover; }
    QPushButton:pressed, QToolButton[framed="true"]:pressed, QToolButton[framed="true"]:checked { background: %soft; }
    QPushButton:focus, QToolButton[framed="true"]:focus { border-color: %accent; }
    QPushButton:disabled { color: %faint; }
    QToolButton[framed="true"]:disabled { color: %faint; background: transparent; }
    QPushButton:default { background: %accent; border-color: %accent; color: %onAccent; }
    QPushButton[quiet="true"] { background: transparent; border: none; color: %accent; padding: 2px 4px; }
    QPushButton[quiet="true"]:hover { text-decoration: underline; }
    QPushButton[quiet="true"]:focus { text-decoration: underline; }
    QPushButton[quiet="true"]:disabled { color: %faint; }
    QToolButton { border: none; border-radius: 4px; padding: 3px; background: transparent; }
    QToolButton:hover { background: %hover; }
    QToolButton:focus { background: %soft; }
    QToolButton::menu-indicator { image: none; }
    QLineEdit, QPlainTextEdit, QTextEdit { background: %field; border: 1px solid %border;
                  border-radius: 5px; padding: 3px 6px; selection-background-color: %accent; }
    QAbstractSpinBox QLineEdit { border: none; border-radius: 0; padding: 0 2px; background: transparent; }
    QAbstractSpinBox[invalid="true"] QLineEdit { color: %warning; }
    QLineEdit:focus, QPlainTextEdit:focus { border-color: %accent; }
    QLineEdit[invalid="true"], QPlainTextEdit[invalid="true"] { border-color: %warning; }
    QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
    QListWidget::item { padding: 4px 6px; border-radius: 4px; }
    QListWidget::item:selected { background: %soft; color: %text; }
    QTreeView, QTableView, QListView { background: %panel; border: none; outline: none; }
    QHeaderView { background: %panel; border: none; }
    QHeaderView::section { background: %panel; color: %secondary; border: none; border-bottom: 1px solid %border;
                  padding: 3px 6px; }
    QScrollArea { border: none; background: transparent; }
    QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
    QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
    QScrollBar::handle { background: %border; border-radius: 3px; margin: 2px; min-height: 24px; min-width: 24px; }
    QScrollBar::handle:hover { background: %faint; }
    QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
    QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
    QProgressBar { background: %border; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
    QProgressBar::chunk { background: %accent; border-radius: 3px; }
    QSplitter::handle { background: %border; }
    #dockHeading { color: %secondary; }
    #wall { background: %wall; }
  )");
  const std::initializer_list<std::pair<const char*, QColor>> colors = {
      {"%panel", c.panel},     {"%border", c.border},
      {"%hover", c.hover},     {"%soft", c.accentSoft},
      {"%text", c.text},       {"%secondary", c.secondary},
      {"%field", c.field},     {"%wall", c.wall},
      {"%warning", c.warning}, {"%onAccent", readableOn(c.accent)},
      {"%accent", c.accent},   {"%faint", c.dark ? QColor(0x62, 0x6b, 0x78) : QColor(0xa6, 0xad, 0xb8)}};
  QString result = sheet;
  for (const auto& [name, color] : colors) result.replace(QLatin1String(name), color.name());
  return result;
}

const QPalette& desktopPalette() {
  static const QPalette palette = QApplication::palette();  // before we ever set one: see applyTheme()
  return palette;
}

QFont scaled(double factor) {
  QFont font = QApplication::font();
  font.setPointSizeF(font.pointSizeF() * factor);
  return font;
}

}  // namespace

Chrome Chrome::light() {
  Chrome c;
  c.wall = QColor(0xf4, 0xf6, 0xf9);
  c.panel = QColor(0xff, 0xff, 0xff);
  c.field = QColor(0xff, 0xff, 0xff);
  c.text = QColor(0x18, 0x20, 0x2c);
  c.secondary = QColor(0x5d, 0x68, 0x79);
  c.border = QColor(0xdd, 0xe2, 0xea);
  c.hover = QColor(0xf0, 0xf3, 0xf8);
  c.accent = QColor(0x15, 0x5e, 0xd0);
  c.accentSoft = QColor(0xe6, 0xee, 0xfc);
  c.warning = QColor(0xb4, 0x4a, 0x06);
  c.warningSoft = QColor(0xfd, 0xf1, 0xe3);
  return c;
}

Chrome Chrome::darkTones() {
  Chrome c;
  c.wall = QColor(0x14, 0x17, 0x1c);
  c.panel = QColor(0x1d, 0x21, 0x28);
  c.field = QColor(0x25, 0x2a, 0x33);
  c.text = QColor(0xe7, 0xea, 0xef);
  c.secondary = QColor(0x9b, 0xa6, 0xb6);
  c.border = QColor(0x34, 0x3b, 0x47);
  c.hover = QColor(0x2a, 0x30, 0x3a);
  c.accent = QColor(0x6a, 0xab, 0xff);
  c.accentSoft = QColor(0x23, 0x35, 0x52);
  c.warning = QColor(0xf5, 0xa8, 0x5c);
  c.warningSoft = QColor(0x3a, 0x2b, 0x1c);
  c.dark = true;
  return c;
}

Chrome Chrome::of(const QPalette& palette) {
  return palette.color(QPalette::Window).lightness() < 128 ? darkTones() : light();
}

void applyTheme(ThemeChoice choice) {
  const Chrome system = Chrome::of(desktopPalette());
  const Chrome chrome = choice == ThemeChoice::Light  ? Chrome::light()
                        : choice == ThemeChoice::Dark ? Chrome::darkTones()
                                                      : system;
  static bool styled = false;
  if (!std::exchange(styled, true)) QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  QApplication::setPalette(paletteOf(chrome));
  qApp->setStyleSheet(styleSheetOf(chrome));
}

QFont smallFont() {
  return scaled(0.9);
}

QFont captionFont() {
  QFont font = scaled(0.85);
  font.setWeight(QFont::DemiBold);
  font.setCapitalization(QFont::AllUppercase);
  font.setLetterSpacing(QFont::PercentageSpacing, 106.0);
  return font;
}

QFont titleFont() {
  QFont font = scaled(1.2);
  font.setWeight(QFont::DemiBold);
  return font;
}

QColor readableOn(const QColor& background) {
  const double luminance =
      0.2126 * background.redF() + 0.7152 * background.greenF() + 0.0722 * background.blueF();
  return luminance > 0.52 ? QColor(0x10, 0x14, 0x1a) : QColor(Qt::white);
}

}  // namespace attnscope
