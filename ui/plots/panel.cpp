// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/panel.h"

#include <QContextMenuEvent>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/plots/insides_view.h"
#include "ui/plots/legend.h"
#include "ui/plots/square_view.h"

namespace attnscope {

class Panel::Impl {
 public:
  Impl(PanelKind panelKind, ViewLink* link, Panel* panel)
      : kind(panelKind), owner(panel), theme(PlotTheme::light()) {
    if (kind == PanelKind::Insides)
      insides = new InsidesView(link, panel);
    else
      square = new SquareView(kind, link, panel);
    view()->hide();
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
    placeButton();
    view()->setVisible(visible);
    owner->setAccessibleDescription(error.isEmpty() ? QString() : error);
    owner->update();
  }

  // Where the picture would be, or all of the panel where a sentence would not fit there.
  [[nodiscard]] QRectF messageArea() const {
    const PlotMetrics look = metrics();
    if (owner->width() < 16 * look.em || owner->height() < 10 * look.em)
      return QRectF(owner->rect()).adjusted(look.gap, look.top, -look.gap, -look.gap);
    const int side =
        std::min(owner->width() - look.left - look.right, owner->height() - look.top - look.bottom);
    return {static_cast<double>(look.left), static_cast<double>(look.top),
            static_cast<double>(std::max(20, side)), static_cast<double>(std::max(20, side))};
  }

  // Below the middle, with the sentence above it.
  void placeButton() {
    const bool wanted = !refused.isEmpty() && !busy && error.isEmpty();
    if (wanted && !button) {
      button = new QPushButton(QObject::tr("Compute"), owner);
      QObject::connect(button, &QPushButton::clicked, owner, &Panel::computeAnyway);
    }
    if (!button) return;
    button->setVisible(wanted);
    const QRectF area = messageArea();
    const QSize size = button->sizeHint();
    button->setGeometry(QRect(QPoint(static_cast<int>(area.center().x()) - size.width() / 2,
                                     static_cast<int>(area.center().y() + 1.2 * metrics().em)),
                              size));
  }

  void paintRefused(QPainter& painter, const QRectF& area) const {
    QRectF text = area;
    text.setBottom(area.center().y() + 0.6 * metrics().em);
    painter.setPen(theme.text);
    painter.setFont(metrics().font);
    painter.drawText(text, Qt::AlignHCenter | Qt::AlignBottom | Qt::TextWordWrap, refused);
  }

  void paintMessage(QPainter& painter) const {
    const PlotMetrics look = metrics();
    const QRectF area = messageArea();
    painter.setRenderHint(QPainter::Antialiasing, true);
    QPen border(theme.frame, 1.0, error.isEmpty() ? Qt::DashLine : Qt::SolidLine);
    painter.setPen(border);
    painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 4.0, 4.0);
    const double pad = 2.0 * look.gap;
    QRectF text = area.adjusted(pad, pad, -pad, -pad);
    if (error.isEmpty() && !refused.isEmpty() && !busy) {
      paintRefused(painter, text);
      return;
    }
    if (error.isEmpty()) {
      painter.setPen(theme.secondaryText);
      painter.setFont(look.font);
      painter.drawText(text, Qt::AlignCenter | Qt::TextWordWrap,
                       busy ? QObject::tr("Computing…") : emptyText);
      return;
    }
    paintWarning(painter, QRectF(text.topLeft(), QSizeF(1.4, 1.4) * look.em));
    text.setTop(text.top() + 1.4 * look.em + look.gap);
    painter.setPen(theme.text);
    painter.setFont(look.font);
    painter.drawText(text, Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, error);
  }

  static void paintWarning(QPainter& painter, const QRectF& area) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(QColor(0xd5, 0x5e, 0x00));
    painter.drawPolygon(
        QPolygonF{QPointF(area.center().x(), area.top()), area.bottomRight(), area.bottomLeft()});
    painter.setBrush(Qt::white);
    const double x = area.center().x();
    painter.drawRect(QRectF(x - 1.0, area.top() + 0.38 * area.height(), 2.0, 0.32 * area.height()));
    painter.drawRect(QRectF(x - 1.0, area.top() + 0.78 * area.height(), 2.0, 2.0));
    painter.setBrush(Qt::NoBrush);
  }

  PanelKind kind;
  Panel* owner;
  SquareView* square = nullptr;
  InsidesView* insides = nullptr;
  PlotTheme theme;
  QString error;
  QString refused;
  QPushButton* button = nullptr;
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
  setFocusProxy(m_impl->view());
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
  setAccessibleDescription(sentence);
  update();
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
  m_impl->placeButton();
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

int Panel::messageHeight() const {
  const int lines = m_impl->refused.isEmpty() ? 4 : 8;  // a sentence that refuses has a button below it
  return lines * m_impl->metrics().em;
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
  if (m_impl->view()->isHidden()) m_impl->paintMessage(painter);
}

void Panel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  m_impl->view()->setGeometry(rect());
  m_impl->placeButton();
}

void Panel::contextMenuEvent(QContextMenuEvent* event) {
  emit contextMenuAt(event->globalPos());
  event->accept();
}

}  // namespace attnscope
