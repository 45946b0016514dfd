// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/param_row.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QSpinBox>
#include <QStyle>
#include <QToolButton>
#include <cmath>
#include <limits>

#include "ui/icons.h"
#include "ui/panels/heading.h"
#include "ui/panels/marked_slider.h"
#include "ui/panels/rule_editor.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kBurstMs = 700;  // steps closer than this are one undo step
constexpr int kSpinWidth = 66;
constexpr double kMostReal = 1e9;  // that can be typed, of either sign

std::optional<double> numberOf(const ParamValue& value) {
  if (const auto* integer = std::get_if<Index>(&value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return {};
}

void markInvalid(QWidget* widget, bool invalid) {
  if (!widget || widget->property("invalid").toBool() == invalid) return;
  widget->setProperty("invalid", invalid);
  widget->style()->unpolish(widget);
  widget->style()->polish(widget);
}

}  // namespace

ParamRow::ParamRow(const ParamSpec& spec, QWidget* parent) : QWidget(parent), m_spec(spec) {
  m_label = new QLabel(labelText(), this);
  m_note = makeNote({}, this);
  m_note->setObjectName(QStringLiteral("paramNote"));
  m_note->hide();
  m_reset = new QToolButton(this);
  m_reset->setIcon(glyphIcon(Glyph::Reset));
  m_reset->setIconSize({12, 12});
  m_reset->setFixedSize(18, 18);
  m_reset->setToolTip(tr("Back to the default: %1").arg(toQ(spec.defaultText)));
  m_reset->setAccessibleName(tr("Reset %1 to its default").arg(toQ(spec.id)));
  QSizePolicy keepsPlace = m_reset->sizePolicy();
  keepsPlace.setRetainSizeWhenHidden(true);
  m_reset->setSizePolicy(keepsPlace);
  switch (spec.kind) {
    case ParamKind::Int:
      makeInt();
      break;
    case ParamKind::Real:
      makeReal();
      break;
    case ParamKind::Choice:
      makeChoice();
      break;
    case ParamKind::Bool:
      makeBool();
      break;
    case ParamKind::IntList:
    case ParamKind::Text:
      if (spec.isLong)
        makeRule();
      else
        makeList();
      break;
  }
  QString help = QStringLiteral("<p>%1</p>").arg(toQ(spec.help).toHtmlEscaped());
  if (!spec.defaultText.empty()) help += tr("<p>Default: %1</p>").arg(toQ(spec.defaultText).toHtmlEscaped());
  if (!spec.paperText.empty()) help += tr("<p>In the paper: %1</p>").arg(toQ(spec.paperText).toHtmlEscaped());
  setToolTip(help);
  editor()->setAccessibleName(labelText());
  editor()->setAccessibleDescription(toQ(spec.help));
  editor()->setObjectName(QStringLiteral("param_") + toQ(spec.id));
  m_label->setBuddy(editor());

  arrange();
  connect(m_reset, &QToolButton::clicked, this, &ParamRow::resetAsked);
  connect(m_note, &QLabel::linkActivated, this, [this] { report(m_nearest); });
}

void ParamRow::arrange() {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(5);
  grid->setVerticalSpacing(1);
  grid->addWidget(m_label, 0, 0);
  if (m_rule) {
    grid->addWidget(m_rule, 1, 0, 1, 4);
  } else if (m_slider) {
    grid->addWidget(m_slider, 0, 1);
    grid->addWidget(editor(), 0, 2);
  } else {
    grid->addWidget(editor(), 0, 1, 1, 2);
  }
  grid->addWidget(m_reset, 0, 3);
  grid->addWidget(m_note, 2, 0, 1, 4);
  grid->setColumnStretch(1, 1);
  m_label->setFixedWidth(70);
  m_label->setWordWrap(true);
}

QString ParamRow::labelText() const {
  QString name = toQ(m_spec.id);
  name.replace(QLatin1Char('_'), QLatin1Char(' ')).replace(QLatin1Char('-'), QLatin1Char(' '));
  return m_spec.symbol.empty() || m_spec.symbol == m_spec.id
             ? name
             : QStringLiteral("%1 %2").arg(name, toQ(m_spec.symbol));
}

QWidget* ParamRow::editor() const {
  if (m_int) return m_int;
  if (m_real) return m_real;
  if (m_choice) return m_choice;
  if (m_bool) return m_bool;
  if (m_rule) return m_rule->edit();
  return m_list;
}

void ParamRow::makeInt() {
  m_slider = new MarkedSlider(this);
  m_int = new IntField(std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), this);
  m_int->setFixedWidth(kSpinWidth);
  m_int->setSingleStep(static_cast<int>(m_spec.multipleOf));
  m_int->setAlignment(Qt::AlignRight);
  connect(m_int, &QSpinBox::valueChanged, this, [this](int value) { report(QString::number(value)); });
  connect(m_slider, &QSlider::sliderPressed, this, [this] { m_dragStarts = true; });
  connect(m_slider, &MarkedSlider::valueMoved, this, [this](double value) {
    const auto step = static_cast<double>(m_spec.multipleOf);
    const double rounded =
        step > 1 ? std::max(std::ceil(m_spec.minimum / step) * step, std::round(value / step) * step)
                 : std::round(value);
    report(QString::number(static_cast<qint64>(rounded)));
  });
}

void ParamRow::makeReal() {
  m_slider = new MarkedSlider(this);
  m_real = new RealField(-kMostReal, kMostReal, this);
  m_real->setFixedWidth(kSpinWidth);
  m_real->setDecimals(3);
  m_real->setAlignment(Qt::AlignRight);
  connect(m_real, &QDoubleSpinBox::valueChanged, this,
          [this](double value) { report(QString::number(value)); });
  connect(m_slider, &QSlider::sliderPressed, this, [this] { m_dragStarts = true; });
  connect(m_slider, &MarkedSlider::valueMoved, this,
          [this](double value) { report(QString::number(value, 'g', 3)); });
}

void ParamRow::makeChoice() {
  m_choice = new QComboBox(this);
  for (std::size_t i = 0; i < m_spec.choices.size(); ++i) {
    m_choice->addItem(toQ(m_spec.choices[i]));
    if (i < m_spec.choiceHelp.size())
      m_choice->setItemData(static_cast<int>(i), toQ(m_spec.choiceHelp[i]), Qt::ToolTipRole);
  }
  connect(m_choice, &QComboBox::currentTextChanged, this, &ParamRow::report);
}

void ParamRow::makeBool() {
  m_bool = new QCheckBox(this);
  connect(m_bool, &QCheckBox::toggled, this,
          [this](bool on) { report(on ? QStringLiteral("on") : QStringLiteral("off")); });
}

void ParamRow::makeList() {
  m_list = new QLineEdit(this);
  if (m_spec.kind == ParamKind::Text) {
    m_list->setPlaceholderText(toQ(m_spec.defaultText));
    connect(m_list, &QLineEdit::editingFinished, this, [this] { report(m_list->text().simplified()); });
    return;
  }
  m_list->setPlaceholderText(tr("none; for example 0, 32, 64"));
  connect(m_list, &QLineEdit::editingFinished, this, [this] {
    QString text = m_list->text().simplified();
    text.replace(QRegularExpression(QStringLiteral("[\\s,;+]+")), QStringLiteral("+"));
    report(text.isEmpty() ? QStringLiteral("none") : text);
  });
}

void ParamRow::makeRule() {
  m_rule = new RuleEditor(m_spec.presets, this);
  connect(m_rule, &RuleEditor::edited, this, &ParamRow::report);
  connect(m_rule, &RuleEditor::presetChosen, this, &ParamRow::report);
  connect(m_rule, &RuleEditor::maskModAsked, this, &ParamRow::maskModAsked);
}

void ParamRow::report(const QString& text) {
  if (m_showing || (text.isEmpty() && !m_rule)) return;
  const bool dragging = m_slider && m_slider->isSliderDown();
  const bool burst = m_lastEdit.isValid() && m_lastEdit.elapsed() < kBurstMs;
  const bool continues = !std::exchange(m_dragStarts, false) && (dragging || burst);
  m_lastEdit.start();
  Q_EMIT edited(text, continues);
}

void ParamRow::show(const QString& text, bool given, const Shape& shape) {
  m_showing = true;
  if (m_slider) showNumber(text, shape);
  if (m_choice) m_choice->setCurrentText(text);
  if (m_bool) m_bool->setChecked(text == QLatin1String("on"));
  if (m_list && !m_list->hasFocus()) {
    QString list = text == QLatin1String("none") ? QString() : text;
    if (m_spec.kind == ParamKind::IntList) list.replace(QLatin1Char('+'), QStringLiteral(", "));
    m_list->setText(list);
  }
  if (m_rule) m_rule->showText(text);
  m_reset->setVisible(given);
  showError(text, given, shape);
  m_showing = false;
}

void ParamRow::showNumber(const QString& text, const Shape& shape) {
  const double value = text.toDouble();
  const double low = m_spec.minimum;
  const double most = m_spec.maximum ? m_spec.maximum(shape) : 1e9;
  const double high = std::max(low, most);
  // A number without an end still needs a slider of a useful length: the tokens that there are, or four times
  // what matters.
  const auto paper = m_spec.paperValue ? numberOf(*m_spec.paperValue) : std::optional<double>{};
  const auto tokens = static_cast<double>(std::max<Index>(16, std::max(shape.nQ, shape.nK)));
  const double reach =
      std::min(high, m_int ? std::max(value, tokens) : 4.0 * std::max({value, paper.value_or(0.0), 16.0}));
  if (!m_slider->isSliderDown()) m_slider->setValueRange(low, high >= 1e6 ? reach : high, m_int != nullptr);
  m_slider->setPaperValue(paper, tr("The mark is the paper's value: %1").arg(toQ(m_spec.paperText)));
  if (!m_slider->isSliderDown()) m_slider->showValue(value);
  if (m_int) {
    constexpr double kMost = std::numeric_limits<int>::max();
    m_int->setEnds(static_cast<int>(low), static_cast<int>(std::min(kMost, high)));
    m_int->setSuffix(m_spec.unit == "%" ? QStringLiteral(" %") : QString());
    m_int->setValue(static_cast<int>(value));
  } else {
    m_real->setEnds(low, high);
    m_real->setSingleStep(std::max(0.001, (m_slider->isEnabled() ? reach - low : 1.0) / 100.0));
    m_real->setValue(value);
  }
}

void ParamRow::showError(const QString& text, bool given, const Shape& shape) {
  m_error.clear();
  std::optional<TextFault> fault;
  if (given) {
    const auto parsed = parseParam(m_spec, toStd(text), shape);
    if (!parsed) {
      m_error = toQ(parsed.error().message);
      fault = parsed.error().fault;
    }
  }
  if (m_rule) m_rule->showFault(fault);
  showNote();
}

void ParamRow::showFailure(const QString& sentence, const std::optional<TextFault>& fault) {
  m_error = sentence;
  if (m_rule) m_rule->showFault(fault);
  showNote();
}

void ParamRow::showNote() {
  m_nearest.clear();
  markInvalid(editor(), !m_error.isEmpty());
  if (m_rule) {
    if (!m_error.isEmpty()) m_rule->setStatus(m_error, true);
    return;
  }
  m_note->setVisible(!m_error.isEmpty());
  if (m_error.isEmpty()) return;
  static const QRegularExpression nearest(QStringLiteral("nearest valid value is (\\S+)\\.$"));
  const auto match = nearest.match(m_error);
  QString note = m_error.toHtmlEscaped();
  if (match.hasMatch() && m_spec.kind != ParamKind::IntList) {
    m_nearest = match.captured(1);
    note += QStringLiteral(" <a href=\"use\">%1</a>").arg(tr("Use %1").arg(m_nearest));
  }
  m_note->setText(note);
  m_note->setStyleSheet(QStringLiteral("color: %1").arg(Chrome::of(palette()).warning.name()));
}

}  // namespace attnscope
