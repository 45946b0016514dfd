// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parameter_form.h"

#include <QClipboard>
#include <QComboBox>
#include <QDoubleValidator>
#include <QFormLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>
#include <limits>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "core/mechanisms/rule_call.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/badge.h"
#include "ui/panels/heading.h"
#include "ui/panels/param_row.h"
#include "ui/panels/rule_editor.h"
#include "ui/state/document.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

ParameterForm::ParameterForm(Document* document, ComputeService* service, QWidget* parent)
    : QWidget(parent), m_document(document), m_service(service) {
  auto* inner = new QWidget;
  auto* layout = new QVBoxLayout(inner);
  layout->setContentsMargins(12, 10, 8, 10);
  layout->setSpacing(7);

  auto* header = new QHBoxLayout;
  m_badge = new Badge(0, this);
  m_title = new QLabel(this);
  QFont bold = m_title->font();
  bold.setWeight(QFont::DemiBold);
  m_title->setFont(bold);
  m_reset = new QPushButton(tr("Reset"), this);
  m_reset->setProperty("quiet", true);
  m_reset->setToolTip(tr("All parameters of this column back to their defaults"));
  header->addWidget(m_badge);
  header->addWidget(m_title, 1);
  header->addWidget(m_reset);
  layout->addLayout(header);

  m_empty = makeNote(tr("This mechanism has no parameters of its own."), this);
  layout->addWidget(m_empty);
  m_rowsLayout = new QVBoxLayout;
  m_rowsLayout->setSpacing(6);
  layout->addLayout(m_rowsLayout);
  layout->addSpacing(8);
  buildShared(layout);
  layout->addStretch(1);

  auto* scroll = new QScrollArea(this);
  scroll->setWidget(inner);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(scroll);

  connect(m_reset, &QPushButton::clicked, this,
          [this] { m_document->resetParams(m_document->selectedColumn()); });
  connect(m_document, &Document::selectionChanged, this, &ParameterForm::build);
  connect(m_document, &Document::columnsChanged, this, &ParameterForm::build);
  connect(m_document, &Document::columnChanged, this, &ParameterForm::refresh);
  connect(m_document, &Document::optionsChanged, this, &ParameterForm::refreshShared);
  connect(m_service, &ComputeService::inputReady, this, &ParameterForm::refresh);
  connect(m_service, &ComputeService::columnUpdated, this, &ParameterForm::showOutcome);
  build();
}

void ParameterForm::buildShared(QVBoxLayout* layout) {
  layout->addWidget(makeHeading(tr("All columns"), this));
  m_causal = new QComboBox(this);
  m_causal->addItems({tr("as in each paper"), tr("causal: no later keys"), tr("bidirectional")});
  m_causal->setObjectName(QStringLiteral("causal"));
  m_scale = new QLineEdit(this);
  m_scale->setPlaceholderText(QStringLiteral("1/√d"));
  auto* validator = new QDoubleValidator(1e-6, 1e6, 6, m_scale);
  validator->setLocale(QLocale::c());
  m_scale->setValidator(validator);
  m_scale->setToolTip(tr("Multiplies every logit. Empty: 1/√d, or what the mechanism says."));
  m_seed = new QSpinBox(this);
  m_seed->setRange(0, std::numeric_limits<int>::max());
  m_seed->setKeyboardTracking(false);
  m_seed->setToolTip(tr("Random rotations, projections and blocks are drawn from this number."));

  auto* form = new QFormLayout;
  form->setContentsMargins(0, 0, 0, 0);
  form->setHorizontalSpacing(10);
  form->setVerticalSpacing(5);
  form->setFieldGrowthPolicy(QFormLayout::ExpandingFieldsGrow);
  form->addRow(tr("mask"), m_causal);
  form->addRow(tr("scale"), m_scale);
  form->addRow(tr("seed"), m_seed);
  layout->addLayout(form);

  connect(m_causal, &QComboBox::activated, this,
          [this](int choice) { m_document->setCausal(static_cast<CausalChoice>(choice)); });
  connect(m_seed, &QSpinBox::valueChanged, this,
          [this](int seed) { m_document->setSeed(static_cast<std::uint64_t>(seed)); });
  connect(m_scale, &QLineEdit::editingFinished, this, [this] {
    bool ok = false;
    const double value = m_scale->text().toDouble(&ok);
    m_document->setScale(ok && value > 0 ? std::optional<double>(value) : std::nullopt);
  });
}

ParamRow* ParameterForm::row(const std::string& id) const {
  const auto it =
      std::find_if(m_rows.begin(), m_rows.end(), [&id](ParamRow* r) { return r->spec().id == id; });
  return it == m_rows.end() ? nullptr : *it;
}

void ParameterForm::build() {
  const int column = m_document->selectedColumn();
  const std::string& id = m_document->state().columns[static_cast<std::size_t>(column)].id;
  m_badge->setColumn(column);
  const auto found = findMechanism(id);
  if (!found) return;
  if (m_mechanism != id) {
    m_mechanism = id;
    for (ParamRow* old : m_rows) old->deleteLater();
    m_rows.clear();
    m_title->setText(toQ((*found)->card().name));
    for (const ParamSpec& spec : (*found)->params()) {
      auto* made = new ParamRow(spec, this);
      m_rows.push_back(made);
      m_rowsLayout->addWidget(made);
      connect(made, &ParamRow::edited, this,
              [this, name = spec.id](const QString& text, bool continues) { edit(name, text, continues); });
      connect(made, &ParamRow::maskModAsked, this, &ParameterForm::copyMaskMod);
      connect(made, &ParamRow::resetAsked, this,
              [this, name = spec.id] { m_document->resetParam(m_document->selectedColumn(), name); });
    }
  }
  refresh();
}

void ParameterForm::edit(const std::string& id, const QString& text, bool continues) {
  if (!continues) m_gesture = m_document->newGesture();
  m_document->setParam(m_document->selectedColumn(), id, toStd(text), m_gesture);
}

void ParameterForm::refresh() {
  const auto found = findMechanism(m_mechanism);
  if (!found) return;
  const MechanismSpec& spec =
      m_document->state().columns[static_cast<std::size_t>(m_document->selectedColumn())];
  Shape shape{1, 1, 128, 128, 64, 64};  // until the first input is there
  if (m_service->input()) shape = m_service->input()->shape();
  const auto defaults = ParamValues::resolve((*found)->params(), {}, shape, m_mechanism);
  if (!defaults) return;
  std::map<std::string, std::string> texts;
  for (const auto& [id, value] : defaults->all()) texts[id] = paramText(value);
  for (const auto& [id, text] : spec.params) texts[id] = text;
  for (ParamRow* r : m_rows) {
    const ParamSpec& declared = r->spec();
    r->show(toQ(texts[declared.id]), spec.params.contains(declared.id), shape);
    const auto& values = declared.visibleWhenValues;
    const bool fits = declared.visibleWhenId.empty() ||
                      std::find(values.begin(), values.end(), texts[declared.visibleWhenId]) != values.end();
    r->setVisible(fits && (!declared.visibleWhen || declared.visibleWhen(texts)));
  }
  m_reset->setEnabled(!spec.params.empty());
  m_empty->setVisible(m_rows.empty());
  refreshShared();
  showOutcome(m_document->selectedColumn());
}

void ParameterForm::showOutcome(int column) {
  if (column != m_document->selectedColumn()) return;
  const ColumnResult& result = m_service->column(column);
  for (ParamRow* r : m_rows) {
    if (r->ruleEditor() == nullptr) continue;
    const bool current = result.isCurrent() && !result.busy;
    if (result.fault && !result.busy && r->error().isEmpty()) r->showFailure(result.error, result.fault);
    r->ruleEditor()->setCopyEnabled(current);
    if (!r->error().isEmpty()) continue;  // the editor shows it
    if (!result.exploration)
      r->ruleEditor()->setStatus({});
    else if (current)
      r->ruleEditor()->setStatus(tr("%1 of the pairs, tiles executed: %2 of the square's, %3FLOP")
                                     .arg(toQ(percentText(result.exploration->cost.cellDensity)),
                                          toQ(percentText(result.exploration->cost.tileDensity)),
                                          toQ(compactText(result.exploration->cost.flops))));
  }
}

void ParameterForm::copyMaskMod() {
  const ColumnResult& result = m_service->column(m_document->selectedColumn());
  if (!result.isCurrent()) return;
  const auto python = maskModOf(result.exploration->call, result.exploration->input);
  if (!python) return;
  QGuiApplication::clipboard()->setText(toQ(*python));
  Q_EMIT copied(tr("the rule as a mask_mod for FlexAttention"));
}

void ParameterForm::refreshShared() {
  const DocumentState& state = m_document->state();
  const QSignalBlocker blockSeed(m_seed);
  m_causal->setCurrentIndex(static_cast<int>(state.causal));
  m_seed->setValue(static_cast<int>(state.seed));
  m_scale->setText(state.scale ? QString::number(*state.scale) : QString());
}

}  // namespace attnscope
