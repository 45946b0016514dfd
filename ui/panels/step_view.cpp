// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/step_view.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QScreen>
#include <QSettings>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/heading.h"
#include "ui/plots/insides_view.h"
#include "ui/state/document.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kPlayMs = 2000;
constexpr double kPlainHeight = 560.0;  // up to which text is as large as elsewhere
constexpr double kTextStep = 1.15;
constexpr int kMostTextSteps = 8;

QString textSizeKey() {
  return QStringLiteral("steps/textSize");
}

QFont larger(QFont font, double scale) {
  font.setPointSizeF(font.pointSizeF() * scale);
  return font;
}

QToolButton* makeButton(const QString& text, const QString& tip, QWidget* parent) {
  auto* button = new QToolButton(parent);
  button->setText(text);
  button->setToolTip(tip);
  button->setProperty("framed", true);
  return button;
}

}  // namespace

StepView::StepView(const Document* document, const ComputeService* service, QWidget* parent)
    : QDialog(parent),
      m_document(document),
      m_service(service),
      m_theme(PlotTheme::light()),
      m_title(new QLabel(this)),
      m_time(new QLabel(this)),
      m_sentence(new QLabel(this)),
      m_pictures(new InsidesView(nullptr, this)),
      m_slider(new QSlider(Qt::Horizontal, this)),
      m_back(makeButton(tr("Back"), tr("The step before (Left)"), this)),
      m_next(makeButton(tr("Next"), tr("The next step (Right)"), this)),
      m_play(makeButton(tr("Play"), tr("Two seconds a step (Space)"), this)) {
  setObjectName(QStringLiteral("stepView"));
  m_pool.setMaxThreadCount(1);
  m_textSize = std::clamp(QSettings().value(textSizeKey()).toInt(), -kMostTextSteps, kMostTextSteps);
  m_time->setObjectName(QStringLiteral("stepTime"));
  m_sentence->setObjectName(QStringLiteral("stepSentence"));
  m_sentence->setWordWrap(true);
  m_slider->setPageStep(1);
  m_slider->setAccessibleName(tr("Step"));
  m_play->setCheckable(true);
  m_player.setInterval(kPlayMs);
  auto* bar = new QHBoxLayout;
  for (QWidget* part : std::initializer_list<QWidget*>{m_back, m_next, m_play}) bar->addWidget(part);
  bar->addWidget(m_slider, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 14, 16, 14);
  layout->setSpacing(8);
  auto* top = new QHBoxLayout;
  top->addWidget(m_title, 1);
  top->addWidget(m_time);
  layout->addLayout(top);
  layout->addWidget(m_sentence);
  layout->addWidget(m_pictures, 1);
  layout->addLayout(bar);
  for (QWidget* part : std::initializer_list<QWidget*>{m_back, m_next, m_play, m_slider})
    part->installEventFilter(this);
  connect(m_back, &QToolButton::clicked, this, [this] { go(m_step - 1); });
  connect(m_next, &QToolButton::clicked, this, [this] { go(m_step + 1); });
  connect(m_play, &QToolButton::toggled, this, &StepView::play);
  connect(m_slider, &QSlider::valueChanged, this, &StepView::go);
  connect(&m_player, &QTimer::timeout, this, [this] {
    if (m_step + 1 >= static_cast<int>(m_frames.size()))
      m_play->setChecked(false);
    else
      go(m_step + 1);
  });
  connect(document, &Document::selectionChanged, this, &StepView::request);
  connect(document, &Document::headChanged, this, &StepView::request);
  connect(service, &ComputeService::columnUpdated, this, [this](int column) {
    if (column == m_document->selectedColumn()) request();
  });
}

StepView::~StepView() {
  m_job.cancel();
  m_pool.waitForDone();
}

void StepView::setTheme(const PlotTheme& theme) {
  m_theme = theme;
  m_appliedScale = 0;
  applyTextScale();
}

void StepView::setStyleChoices(const ViewStyle& style) {
  m_pictures->setStyleChoices(style);
}

QString StepView::heading() const {
  return m_title->text();
}

double StepView::textScale() const {
  const double byHeight = std::clamp(height() / kPlainHeight, 1.0, 2.5);
  return byHeight * std::pow(kTextStep, m_textSize);
}

void StepView::setTextSize(int steps) {
  m_textSize = std::clamp(steps, -kMostTextSteps, kMostTextSteps);
  QSettings().setValue(textSizeKey(), m_textSize);
  applyTextScale();
}

void StepView::applyTextScale() {
  const double scale = textScale();
  // A window that is being dragged larger need not make its pictures anew for every pixel.
  if (m_appliedScale > 0 && std::abs(scale / m_appliedScale - 1.0) < 0.03) return;
  m_appliedScale = scale;
  m_title->setFont(larger(titleFont(), scale));
  m_time->setFont(larger(smallFont(), scale));
  for (QWidget* part : std::initializer_list<QWidget*>{m_sentence, m_back, m_next, m_play})
    part->setFont(larger(QFont(), scale));
  QPalette quiet = m_time->palette();
  quiet.setColor(QPalette::WindowText, m_theme.secondaryText);
  m_time->setPalette(quiet);
  PlotTheme theme = m_theme;
  theme.font = larger(theme.font, scale);
  m_pictures->setTheme(theme);
}

// Who teaches wants all of the screen's height; wider than three by two a line of text is too long to read.
void StepView::fillScreen() {
  if (std::exchange(m_placed, true) || !screen()) return;
  const QRect room = screen()->availableGeometry();
  const int high = room.height() * 9 / 10;
  resize(std::min(room.width() * 95 / 100, high * 3 / 2), high);
  move(room.center() - rect().center());
}

void StepView::request() {
  if (!isVisible()) return;
  const ColumnResult& column = m_service->column(m_document->selectedColumn());
  if (!column.exploration) {
    m_job.cancel();
    m_shown.clear();
    m_frames.clear();
    m_error = column.error;
    return refresh();
  }
  const QString key = QStringLiteral("%1#%2").arg(column.shown).arg(m_service->head());
  if (key == m_shown) return;
  m_shown = key;
  m_job.start([exploration = column.exploration,
               head = m_service->head()](const JobContext& job) { return framesOf(*exploration, head, job); },
              [this, mechanism = column.exploration->call.spec.id](Result<std::vector<StepFrame>> result) {
                m_mechanism = mechanism;
                m_error = result ? QString() : toQ(result.error().message);
                m_frames = result ? std::move(*result) : std::vector<StepFrame>{};
                m_step = std::clamp(m_step, 0, std::max(0, static_cast<int>(m_frames.size()) - 1));
                refresh();
              });
  refresh();
}

void StepView::refresh() {
  const auto at = static_cast<std::size_t>(m_document->selectedColumn());
  const int count = static_cast<int>(m_frames.size());
  // Frames stay until the next are there, and so does the name of whose they are.
  const auto found = findMechanism(count > 0 ? m_mechanism : m_document->state().columns[at].id);
  const QString name = found ? toQ((*found)->card().name) : QString();
  setWindowTitle(tr("%1, step by step").arg(name));
  m_back->setEnabled(count > 0 && m_step > 0);
  m_next->setEnabled(m_step + 1 < count);
  m_play->setEnabled(count > 1);
  m_slider->setEnabled(count > 1);
  {
    const QSignalBlocker quiet(m_slider);
    m_slider->setRange(0, std::max(0, count - 1));
    m_slider->setValue(m_step);
  }
  if (count == 0) {
    m_title->setText(name);
    m_time->clear();
    m_sentence->setText(m_error.isEmpty() ? tr("Computing…") : m_error);
    m_pictures->setPanels({});
    return;
  }
  const StepFrame& frame = m_frames[static_cast<std::size_t>(m_step)];
  m_title->setText(tr("%1 · step %2 of %3 · %4").arg(name).arg(m_step).arg(count - 1).arg(toQ(frame.title)));
  const QString text = toQ(frame.sentence);
  const QString time =
      frame.seconds > 0.0 ? tr("time, all heads: %1").arg(toQ(durationText(frame.seconds))) : QString();
  m_sentence->setText(text);
  m_time->setText(time);
  m_pictures->setAccessibleDescription(time.isEmpty() ? text : tr("%1 (%2)").arg(text, time));
  m_pictures->setPanels(frame.panels);
}

void StepView::go(int step) {
  const int last = static_cast<int>(m_frames.size()) - 1;
  const int next = std::clamp(step, 0, std::max(0, last));
  if (next == m_step) return;
  m_step = next;
  refresh();
}

void StepView::play(bool on) {
  m_play->setText(on ? tr("Pause") : tr("Play"));
  if (!on) {
    m_player.stop();
    return;
  }
  if (m_step + 1 >= static_cast<int>(m_frames.size())) go(0);
  m_player.start();
}

bool StepView::handleKey(const QKeyEvent& event) {
  if (event.modifiers().testFlag(Qt::ControlModifier)) {
    switch (event.key()) {
      case Qt::Key_Plus:
      case Qt::Key_Equal:
        setTextSize(m_textSize + 1);
        return true;
      case Qt::Key_Minus:
        setTextSize(m_textSize - 1);
        return true;
      case Qt::Key_0:
        setTextSize(0);
        return true;
      default:
        return false;
    }
  }
  switch (event.key()) {
    case Qt::Key_Left:
      go(m_step - 1);
      return true;
    case Qt::Key_Right:
      go(m_step + 1);
      return true;
    case Qt::Key_Home:
      go(0);
      return true;
    case Qt::Key_End:
      go(static_cast<int>(m_frames.size()) - 1);
      return true;
    case Qt::Key_Space:
      m_play->toggle();
      return true;
    default:
      return false;
  }
}

void StepView::keyPressEvent(QKeyEvent* event) {
  if (!handleKey(*event)) QDialog::keyPressEvent(event);
}

// Keys mean the same wherever the focus is.
bool StepView::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::KeyPress && handleKey(*static_cast<QKeyEvent*>(event))) return true;
  return QDialog::eventFilter(watched, event);
}

void StepView::showEvent(QShowEvent* event) {
  fillScreen();
  QDialog::showEvent(event);
  request();
}

void StepView::resizeEvent(QResizeEvent* event) {
  QDialog::resizeEvent(event);
  applyTextScale();
}

void StepView::hideEvent(QHideEvent* event) {
  QDialog::hideEvent(event);
  m_play->setChecked(false);
}

}  // namespace attnscope
