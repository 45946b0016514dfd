// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/tool_strip.h"

#include <QComboBox>
#include <QLabel>
#include <QPainter>
#include <QSpinBox>
#include <QToolButton>

#include "core/base/units.h"
#include "ui/icons.h"
#include "ui/jobs/compute_service.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

QIcon colorMapIcon(const QString& name) {
  QPixmap pixmap(48, 12);
  QPainter painter(&pixmap);
  const auto colors = colorMap(toStd(name));
  for (int x = 0; x < pixmap.width(); ++x) {
    const Rgb c = colors[static_cast<std::size_t>(x) * 255 / 47];
    painter.fillRect(x, 0, 1, pixmap.height(), QColor(c.r, c.g, c.b));
  }
  painter.end();
  return QIcon(pixmap);
}

QLabel* barLabel(const QString& text, QWidget* buddy) {
  auto* label = new QLabel(text);
  label->setBuddy(buddy);
  label->setContentsMargins(6, 0, 0, 0);
  return label;
}

}  // namespace

ToolStrip::ToolStrip(Document* document, ComputeService* service, QWidget* parent)
    : QToolBar(tr("Input and colours"), parent),
      m_document(document),
      m_service(service),
      m_source(new QToolButton(this)),
      m_layer(new QComboBox(this)),
      m_head(new QSpinBox(this)),
      m_map(new QComboBox(this)),
      m_scale(new QComboBox(this)),
      m_reduce(new QComboBox(this)) {
  setObjectName(QStringLiteral("toolStrip"));
  setMovable(false);
  setIconSize({14, 14});
  setContextMenuPolicy(Qt::PreventContextMenu);
  m_source->setProperty("framed", true);
  m_source->setText(tr("Input"));
  m_source->setToolTip(tr("The input: choose another"));
  m_source->setPopupMode(QToolButton::InstantPopup);
  m_source->setIcon(glyphIcon(Glyph::ChevronDown));
  m_source->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_source->setLayoutDirection(Qt::RightToLeft);  // the arrow stands behind the name
  addWidget(m_source);
  m_layer->setAccessibleName(tr("Layer"));
  m_layer->setObjectName(QStringLiteral("layer"));
  m_layer->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  m_layerLabel = addWidget(barLabel(tr("Layer"), m_layer));
  m_layerAction = addWidget(m_layer);
  m_head->setAccessibleName(tr("Head"));
  m_head->setObjectName(QStringLiteral("head"));
  m_head->setWrapping(true);
  m_head->setMinimumWidth(76);
  addWidget(barLabel(tr("Head"), m_head));
  addWidget(m_head);
  connect(m_layer, &QComboBox::activated, this, [this](int layer) { m_document->setLayer(layer); });
  connect(m_head, &QSpinBox::valueChanged, this, [this](int head) { m_document->setHead(head); });
  connect(m_service, &ComputeService::inputReady, this, &ToolStrip::showInput);
  connect(m_document, &Document::headChanged, this, &ToolStrip::showInput);
  buildStyle();
  connect(m_document, &Document::styleChanged, this, &ToolStrip::showStyle);
  showStyle();
}

void ToolStrip::buildStyle() {
  m_map->setAccessibleName(tr("Colour map"));
  m_map->setIconSize({48, 12});
  for (const std::string& name : colorMapNames()) m_map->addItem(colorMapIcon(toQ(name)), toQ(name));
  m_scale->setAccessibleName(tr("Scale of the colours"));
  m_scale->addItem(tr("linear"), static_cast<int>(ValueScale::Kind::Linear));
  m_scale->addItem(tr("log"), static_cast<int>(ValueScale::Kind::Log));
  m_scale->addItem(tr("row max"), static_cast<int>(ValueScale::Kind::RowMax));
  m_scale->setToolTip(
      tr("Linear: weight as it is. Log: decades, small weights show. Row maximum: each query against its "
         "largest weight."));
  m_reduce->setAccessibleName(tr("Cells smaller than a pixel"));
  m_reduce->addItem(tr("largest"), static_cast<int>(EffectiveMatrix::Reduce::Max));
  m_reduce->addItem(tr("mean"), static_cast<int>(EffectiveMatrix::Reduce::Mean));
  m_reduce->setToolTip(tr("What a pixel shows that stands for several cells"));
  for (QComboBox* combo : {m_map, m_scale, m_reduce}) {
    combo->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    connect(combo, &QComboBox::activated, this, &ToolStrip::changeStyle);
  }
  addSeparator();
  addWidget(barLabel(tr("Colours"), m_map));
  addWidget(m_map);
  addWidget(m_scale);
  addWidget(barLabel(tr("Pixel"), m_reduce));
  addWidget(m_reduce);
}

void ToolStrip::addTrailing(QWidget* widget) {
  if (!findChild<QWidget*>(QStringLiteral("stretch"))) {
    auto* stretch = new QWidget(this);
    stretch->setObjectName(QStringLiteral("stretch"));
    stretch->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    addWidget(stretch);
  }
  addWidget(widget);
}

void ToolStrip::showInput() {
  if (!m_service->input()) return;
  const LoadedInput& loaded = *m_service->input();
  const Shape shape = loaded.shape();
  QString title = toQ(loaded.input.title);
  if (title.size() > 40) title = title.left(38) + QStringLiteral("…");
  const QString length = toQ(countText(shape.nQ));
  m_source->setText(title.contains(length) ? title : tr("%1 · %2 tokens").arg(isolated(title), length));
  const QSignalBlocker blockLayer(m_layer);
  const QSignalBlocker blockHead(m_head);
  m_layer->clear();
  m_layer->addItems(loaded.layerNames);
  m_layer->setCurrentIndex(static_cast<int>(loaded.layer));
  m_layerLabel->setVisible(loaded.layerNames.size() > 1);
  m_layerAction->setVisible(loaded.layerNames.size() > 1);
  m_head->setRange(0, static_cast<int>(shape.heads) - 1);
  m_head->setSuffix(tr(" of %1").arg(shape.heads));
  m_head->setValue(static_cast<int>(m_service->head()));
  m_head->setEnabled(shape.heads > 1);
}

void ToolStrip::showStyle() {
  const ViewStyle& style = m_document->state().style;
  m_map->setCurrentText(style.colorMap);
  m_scale->setCurrentIndex(m_scale->findData(static_cast<int>(style.scale.kind)));
  m_reduce->setCurrentIndex(m_reduce->findData(static_cast<int>(style.reduce)));
}

void ToolStrip::changeStyle() {
  ViewStyle style = m_document->state().style;
  style.colorMap = m_map->currentText();
  style.scale.kind = static_cast<ValueScale::Kind>(m_scale->currentData().toInt());
  style.reduce = static_cast<EffectiveMatrix::Reduce>(m_reduce->currentData().toInt());
  m_document->setStyle(style);
}

}  // namespace attnscope
