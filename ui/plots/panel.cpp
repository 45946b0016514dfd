// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/panel.h"

#include <QContextMenuEvent>
#include <QPainter>
#include <algorithm>

#include "ui/plots/inside_plot.h"
#include "ui/plots/insides_view.h"
#include "ui/plots/panel_message.h"
#include "ui/plots/square_view.h"

namespace attnscope {

class Panel::Impl {
 public:
  Impl(PanelKind panelKind, ViewLink* link, Panel* panel)
      : kind(panelKind), owner(panel), theme(PlotTheme::light()), message(new PanelMessage(panel)) {
    QObject::connect(message, &PanelMessage::asked, panel, &Panel::computeAnyway);
    if (kind == PanelKind::Insides)
      insides = new InsidesView(link, panel);
    else
      square = new SquareView(kind, link, panel);
    view()->hide();
    message->setTheme(theme);
    say();
  }

  [[nodiscard]] QWidget* view() const {
    return square ? static_cast<QWidget*>(square) : static_cast<QWidget*>(insides);
  }

  [[nodiscard]] PlotMetrics metrics() const {
    return square ? square->metrics() : plotMetrics(theme, 0.0, 9999, 9999, false);
  }

  void nameAfter(const Exploration& exploration, const QString& what) const {
    const QString name = what.arg(QString::fromStdString(
        exploration.call.mechanism ? exploration.call.mechanism->card().name : std::string()));
    owner->setAccessibleName(name);
    square->setAccessibleName(name);
  }

  // Shows either the picture or the sentence that stands for it.
  void showPicture(bool visible) {
    if (visible) refused.clear();
    view()->setVisible(visible);
    say();
    owner->setAccessibleDescription(error.isEmpty() ? QString() : error);
    owner->update();
  }

  // The sentence in place of the picture.
  void say() const {
    using Kind = PanelMessage::Kind;
    if (!error.isEmpty())
      message->say(Kind::Error, error);
    else if (busy)
      message->say(Kind::Busy, QObject::tr("Computing…"));
    else if (!refused.isEmpty())
      message->say(Kind::Refused, refused);
    else
      message->say(Kind::Note, emptyText);
    message->setVisible(view()->isHidden());
  }

  PanelKind kind;
  Panel* owner;
  SquareView* square = nullptr;
  InsidesView* insides = nullptr;
  PlotTheme theme;
  QString error;
  QString refused;
  PanelMessage* message;
  QString emptyText = QObject::tr("Choose a mechanism");
  bool busy = false;
};

Panel::Panel(PanelKind kind, ViewLink* link, QWidget* parent)
    : QWidget(parent), m_impl(std::make_unique<Impl>(kind, link, this)) {
  const QString name = kind == PanelKind::Pattern      ? tr("Pattern")
                       : kind == PanelKind::Map        ? tr("Map")
                       : kind == PanelKind::Reach      ? tr("Reach over layers")
                       : kind == PanelKind::Difference ? tr("Difference")
                                                       : tr("Insides");
  setAccessibleName(name);
  m_impl->view()->setAccessibleName(name);
  if (m_impl->square) {
    connect(m_impl->square, &SquareView::settled, this, &Panel::settled);
    connect(m_impl->square, &SquareView::failed, this, &Panel::setError);
    connect(m_impl->square, &SquareView::labelClicked, this, &Panel::labelClicked);
  }
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
}

Panel::~Panel() = default;

PanelKind Panel::kind() const {
  return m_impl->kind;
}

void Panel::setExploration(std::shared_ptr<const Exploration> exploration, Index head) {
  if (!exploration) return clear();
  m_impl->error.clear();
  if (m_impl->square) {
    m_impl->nameAfter(*exploration,
                      m_impl->kind == PanelKind::Pattern ? tr("Pattern of %1") : tr("Map of %1"));
    m_impl->square->setExploration(std::move(exploration), head);
    m_impl->showPicture(true);
    updateGeometry();
  }
}

void Panel::setReach(std::shared_ptr<const Exploration> exploration, std::shared_ptr<const Reach> reach) {
  m_impl->error.clear();
  m_impl->nameAfter(*exploration, tr("Reach over layers of %1"));
  m_impl->square->setReach(std::move(exploration), std::move(reach));
  m_impl->showPicture(true);
  updateGeometry();
}

void Panel::setDifference(std::shared_ptr<const Exploration> exploration,
                          const std::shared_ptr<const Exploration>& baseline, Index head) {
  m_impl->error.clear();
  m_impl->nameAfter(*exploration, tr("Difference of %1"));
  m_impl->square->setDifference(std::move(exploration), baseline, head);
  m_impl->showPicture(true);
  updateGeometry();
}

void Panel::setMarginals(std::shared_ptr<const Marginals> marginals) {
  if (m_impl->square) m_impl->square->setMarginals(std::move(marginals));
}

void Panel::setOrder(std::shared_ptr<const TokenOrder> order) {
  if (m_impl->square) m_impl->square->setOrder(std::move(order));
}

void Panel::setNote(const QString& sentence) {
  clear();
  m_impl->emptyText = sentence;
  m_impl->say();
  setAccessibleDescription(sentence);
}

void Panel::setInsides(std::vector<InsidePanel> panels) {
  if (!m_impl->insides) return;
  m_impl->error.clear();
  m_impl->emptyText = tr("No insides: pattern and map show every step.");
  const bool any = !panels.empty();
  m_impl->insides->setPanels(std::move(panels));
  m_impl->showPicture(any);
  emit settled();
}

void Panel::setOwner(const QString& owner) {
  if (m_impl->square) m_impl->square->setOwner(owner);
  if (m_impl->insides) m_impl->insides->setOwner(owner);
}

void Panel::setBusy(bool busy) {
  m_impl->busy = busy;
  m_impl->say();
  if (m_impl->square) m_impl->square->setBusy(busy);
  update();
}

void Panel::setError(const QString& sentence) {
  m_impl->error = sentence;
  m_impl->refused.clear();
  setBusy(false);
  m_impl->showPicture(false);
  emit settled();
}

void Panel::setRefused(const QString& sentence) {
  m_impl->error.clear();
  m_impl->refused = sentence;
  if (m_impl->square) m_impl->square->clear();
  if (m_impl->insides) m_impl->insides->setPanels({});
  m_impl->showPicture(false);
  setAccessibleDescription(sentence);
  emit settled();
}

void Panel::clear() {
  m_impl->error.clear();
  m_impl->refused.clear();
  m_impl->emptyText = tr("Choose a mechanism");
  if (m_impl->square) m_impl->square->clear();
  if (m_impl->insides) m_impl->insides->setPanels({});
  setBusy(false);
  m_impl->showPicture(false);
}

void Panel::setStyleChoices(const ViewStyle& style) {
  if (m_impl->square) m_impl->square->setStyleChoices(style);
  if (m_impl->insides) m_impl->insides->setStyleChoices(style);
}

void Panel::setScaleNote(const QString& note) {
  if (m_impl->square) m_impl->square->setScaleNote(note);
}

void Panel::setTheme(const PlotTheme& theme) {
  m_impl->theme = theme;
  if (m_impl->square) m_impl->square->setTheme(theme);
  if (m_impl->insides) m_impl->insides->setTheme(theme);
  m_impl->message->setTheme(theme);
  update();
}

bool Panel::isSettled() const {
  const bool message = !m_impl->error.isEmpty() || !m_impl->refused.isEmpty();
  return !m_impl->busy && (!m_impl->square || message || m_impl->square->isSettled());
}

QString Panel::corner() const {
  return m_impl->square ? m_impl->square->corner() : QString();
}

int Panel::requestCount() const {
  return m_impl->square ? m_impl->square->requestCount() : 0;
}

const WeightSummary& Panel::drawnWeights() const {
  static const WeightSummary kNone;
  return m_impl->square && !m_impl->square->isHidden() ? m_impl->square->drawnWeights() : kNone;
}

QRect Panel::cellArea() const {
  return m_impl->square && !m_impl->square->isHidden() ? m_impl->square->cellArea() : QRect();
}

bool Panel::hasHeightForWidth() const {
  return true;
}

int Panel::heightForWidth(int width) const {
  const PlotMetrics look = m_impl->metrics();
  const int side = std::max(60, width - look.left - look.right);
  // Below the insides stand the axis and up to three lines of caption.
  const int below = m_impl->insides ? 6 * look.em : look.legend;
  return look.top + side + look.bottom + below + 1;
}

int Panel::usefulHeight(int width) const {
  if (!m_impl->insides) return heightForWidth(width);
  const PlotMetrics look = m_impl->metrics();
  return heightForWidth(width) + (isNarrowInside(width, look) ? 8 * look.em : 0);
}

int Panel::messageHeight(int width) const {
  return m_impl->message->heightForWidth(width);
}

QSize Panel::sizeHint() const {
  return {220, heightForWidth(220)};
}

QSize Panel::minimumSizeHint() const {
  return {120, heightForWidth(120)};
}

void Panel::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.fillRect(rect(), m_impl->theme.background);
}

void Panel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  m_impl->view()->setGeometry(rect());
  m_impl->message->setGeometry(rect());
}

void Panel::contextMenuEvent(QContextMenuEvent* event) {
  emit contextMenuAt(event->globalPos());
  event->accept();
}

}  // namespace attnscope
