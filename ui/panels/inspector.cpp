// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/inspector.h"

#include <QAccessible>
#include <QLabel>
#include <QScrollArea>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/marginal_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/jobs/row_reader.h"
#include "ui/panels/heading.h"
#include "ui/panels/input_shade.h"
#include "ui/panels/pair_table.h"
#include "ui/panels/row_curve.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

// The text of a token in quotes, or its place where there are no texts.
QString tokenWord(const std::vector<std::string>& tokens, Index i, const QString& kind) {
  if (i < 0 || i >= static_cast<Index>(tokens.size())) return QStringLiteral("%1 %2").arg(kind).arg(i);
  return QStringLiteral("“%1”").arg(isolated(toQ(tokens[static_cast<std::size_t>(i)])));
}

QString distanceText(Index query, Index key) {
  if (query == key) return QObject::tr("itself");
  return query > key ? QObject::tr("%1 back").arg(query - key) : QObject::tr("%1 ahead").arg(key - query);
}

}  // namespace

Inspector::Inspector(Document* document, ComputeService* service, ReachService* reach,
                     MarginalService* marginals, ViewLink* link, QWidget* parent)
    : QWidget(parent),
      m_document(document),
      m_service(service),
      m_reach(reach),
      m_marginals(marginals),
      m_link(link),
      m_reader(new RowReader(this)),
      m_askSoon(new QTimer(this)),
      m_groupBox(new QWidget(this)),
      m_group(new QLabel(this)),
      m_groupWords(makeNote({}, this)),
      m_pair(new QLabel(this)),
      m_position(makeNote({}, this)),
      m_hops(makeNote({}, this)),
      m_sums(makeNote({}, this)),
      m_hint(makeNote(tr("Move over a picture to read a pair. Click to keep it; arrow keys move it."), this)),
      m_table(new PairTable(this)),
      m_rowHeading(makeHeading(tr("Row over all keys"), this)),
      m_alongQueries(new QToolButton(this)),
      m_curve(new RowCurve(this)),
      m_shadeHeading(makeHeading(tr("On the text"), this)),
      m_shade(new InputShade(this)),
      m_formulaHeading(makeHeading(tr("Formula"), this)),
      m_formula(new QLabel(this)),
      m_summary(makeNote({}, this)) {
  auto* inner = new QWidget;
  auto* layout = new QVBoxLayout(inner);
  layout->setContentsMargins(14, 10, 14, 12);
  layout->setSpacing(6);
  m_pair->setFont(titleFont());
  m_pair->setWordWrap(true);
  m_pair->setObjectName(QStringLiteral("pairTitle"));
  QFont math(QStringLiteral("DejaVu Serif"));
  math.setPointSizeF(font().pointSizeF() * 1.05);
  math.setItalic(true);
  m_formula->setFont(math);
  m_formula->setWordWrap(true);
  m_formula->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_group->setWordWrap(true);
  m_group->setObjectName(QStringLiteral("groupTitle"));
  m_groupWords->setObjectName(QStringLiteral("groupWords"));
  auto* clear = new QToolButton(m_groupBox);
  clear->setText(QStringLiteral("×"));
  clear->setAutoRaise(true);
  clear->setObjectName(QStringLiteral("clearGroup"));
  clear->setAccessibleName(tr("Deselect the group"));
  clear->setToolTip(tr("Deselect the group (Esc)"));
  connect(clear, &QToolButton::clicked, m_link, &ViewLink::clearGroup);
  auto* groupTop = new QHBoxLayout;
  groupTop->addWidget(makeHeading(tr("Selected group"), this), 1);
  groupTop->addWidget(clear);
  auto* groupLayout = new QVBoxLayout(m_groupBox);
  groupLayout->setContentsMargins(0, 0, 0, 6);
  groupLayout->setSpacing(4);
  groupLayout->addLayout(groupTop);
  groupLayout->addWidget(m_group);
  groupLayout->addWidget(m_groupWords);
  layout->addWidget(m_groupBox);
  layout->addWidget(makeHeading(tr("Under the cursor"), this));
  for (QWidget* part : std::initializer_list<QWidget*>{m_pair, m_position, m_hops, m_sums, m_hint, m_table})
    layout->addWidget(part);
  layout->addSpacing(6);
  m_alongQueries->setText(tr("Column"));
  m_alongQueries->setObjectName(QStringLiteral("alongQueries"));
  m_alongQueries->setCheckable(true);
  m_alongQueries->setProperty("framed", true);
  m_alongQueries->setToolTip(tr("The key's weights in all queries, instead of the query's over all keys"));
  auto* curveTop = new QHBoxLayout;
  curveTop->addWidget(m_rowHeading, 1);
  curveTop->addWidget(m_alongQueries);
  layout->addLayout(curveTop);
  for (QWidget* part : std::initializer_list<QWidget*>{m_curve, m_shadeHeading, m_shade})
    layout->addWidget(part);
  layout->addSpacing(6);
  for (QWidget* part : std::initializer_list<QWidget*>{m_formulaHeading, m_formula, m_summary})
    layout->addWidget(part);
  layout->addStretch(1);

  auto* scroll = new QScrollArea(this);
  scroll->setWidget(inner);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(scroll);

  m_askSoon->setSingleShot(true);
  m_askSoon->setInterval(0);  // several signals of one event ask once
  connect(m_askSoon, &QTimer::timeout, this, &Inspector::ask);
  const auto soon = [this] { m_askSoon->start(); };
  connect(m_link, &ViewLink::hoveredChanged, this, soon);
  connect(m_link, &ViewLink::selectedChanged, this, soon);
  connect(m_link, &ViewLink::groupChanged, this, &Inspector::showGroup);
  connect(m_service, &ComputeService::columnUpdated, this, soon);
  connect(m_service, &ComputeService::columnUpdated, this, &Inspector::showCard);
  connect(m_document, &Document::columnsChanged, this, soon);
  connect(m_service, &ComputeService::inputReady, this, [this] {
    m_shade->setInput(m_service->input());
    m_shadeHeading->setText(m_service->input()->input.image.rgb.empty() ? tr("On the text")
                                                                        : tr("On the picture"));
    const AttentionInput& input = m_service->input()->input;
    const bool something = !input.image.rgb.empty() || !input.tokensK.empty() || !input.tokensQ.empty();
    m_shadeHeading->setVisible(something);
    m_shade->setVisible(something);
    m_askSoon->start();
  });
  connect(m_document, &Document::selectionChanged, this, [this] {
    showCard();
    showShade();
  });
  connect(m_document, &Document::columnsChanged, this, &Inspector::showCard);
  connect(m_reader, &RowReader::readingChanged, this, &Inspector::showReading);
  connect(m_reach, &ReachService::updated, this, &Inspector::showHops);
  connect(m_document, &Document::rowsChanged, this, &Inspector::showHops);
  connect(m_document, &Document::styleChanged, this, &Inspector::showSums);
  connect(m_marginals, &MarginalService::updated, this, &Inspector::showSums);
  connect(m_alongQueries, &QToolButton::toggled, this, &Inspector::ask);
  const auto hoverKey = [this](qint64 key) {
    if (m_reader->reading().query >= 0) m_link->setHovered(m_reader->reading().query, key);
  };
  connect(m_curve, &RowCurve::placeHovered, this, [this, hoverKey](qint64 place) {
    if (m_reader->reading().alongQueries)
      m_link->setHovered(place, m_reader->reading().key);
    else
      hoverKey(place);
  });
  connect(m_shade, &InputShade::keyHovered, this, hoverKey);
  connect(m_shade, &InputShade::queryClicked, this,
          [this](qint64 query) { m_link->setSelected(query, m_link->selectedKey()); });
  showCard();
  showGroup();
  showReading();
}

bool Inspector::isIdle() const {
  return m_reader->isIdle() && !m_askSoon->isActive();
}

void Inspector::ask() {
  const bool hovered = m_link->hoveredQuery() >= 0;
  const Index query = hovered ? m_link->hoveredQuery() : m_link->selectedQuery();
  const Index key = hovered ? m_link->hoveredKey() : m_link->selectedKey();
  if (query < 0 || !m_service->input()) {
    m_reader->clear();
    return;
  }
  std::vector<std::shared_ptr<const Exploration>> explorations;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ColumnResult& result = m_service->column(i);
    const bool fits =
        result.exploration && result.exploration->input.digest == m_service->input()->input.digest;
    explorations.push_back(fits ? result.exploration : nullptr);
  }
  m_reader->ask(std::move(explorations), m_service->head(), query, key, m_alongQueries->isChecked());
}

void Inspector::showReading() {
  const RowReading& reading = m_reader->reading();
  const bool any = reading.query >= 0;
  m_table->setVisible(any && reading.key >= 0);
  m_position->setVisible(any);
  m_hint->setVisible(!any);
  m_table->setReading(reading);
  m_curve->setReading(reading);
  m_rowHeading->setText(!any                   ? tr("Row over all keys")
                        : reading.alongQueries ? tr("Key %1 in all queries").arg(reading.key)
                                               : tr("Row %1 over all keys").arg(reading.query));
  showPairTitle();
  showHops();
  showSums();
  showShade();
  speak();
  Q_EMIT updated();
}

void Inspector::showPairTitle() {
  const RowReading& reading = m_reader->reading();
  m_pair->setVisible(reading.query >= 0);
  if (reading.query < 0 || !m_service->input()) return;
  const AttentionInput& input = m_service->input()->input;
  const QString query = tokenWord(input.tokensQ, reading.query, tr("query"));
  if (reading.key < 0) {
    m_pair->setText(query);
    m_position->setText(tr("query %1").arg(reading.query));
    return;
  }
  const auto& keyTokens = input.tokensK.empty() ? input.tokensQ : input.tokensK;
  m_pair->setText(tr("%1 reads %2").arg(query, tokenWord(keyTokens, reading.key, tr("key"))));
  QString where = tr("query %1 · key %2 · %3")
                      .arg(reading.query)
                      .arg(reading.key)
                      .arg(distanceText(reading.query, reading.key));
  if (input.grid) {
    const Index width = input.grid->width;
    where = tr("query %1 (row %2, column %3) · key %4 (row %5, column %6)")
                .arg(reading.query)
                .arg(reading.query / width)
                .arg(reading.query % width)
                .arg(reading.key)
                .arg(reading.key / width)
                .arg(reading.key % width);
  }
  m_position->setText(where);
}

void Inspector::speak() {
  // For screen readers: the pair that the arrow keys moved to, as the name of what is in focus. Not while the
  // mouse only passes over.
  const RowReading& reading = m_reader->reading();
  if (m_link->hoveredQuery() >= 0 || reading.query < 0) return;
  QStringList said{m_pair->text()};
  for (std::size_t i = 0; i < reading.columns.size(); ++i) {
    const ColumnReading& column = reading.columns[i];
    if (column.patternOnly && reading.key >= 0)
      said << (column.reason.read ? tr("%1 permitted, weight unknown") : tr("%1 not read"))
                  .arg(columnLetter(static_cast<int>(i)));
    if (!column.available || reading.key < 0) continue;
    said << (column.rank > 0
                 ? tr("%1 %2").arg(columnLetter(static_cast<int>(i))).arg(column.weight, 0, 'g', 3)
                 : tr("%1 not read").arg(columnLetter(static_cast<int>(i))));
  }
  const QString text = said.join(QStringLiteral(", "));
  if (text == accessibleDescription()) return;
  setAccessibleDescription(text);
  QAccessibleEvent event(this, QAccessible::DescriptionChanged);
  QAccessible::updateAccessibility(&event);
}

void Inspector::showHops() {
  const RowReading& reading = m_reader->reading();
  QStringList parts;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const std::shared_ptr<const Reach> reach = m_reach->of(i).value;
    if (!reach || reading.query < 0 || reading.key < 0 || reading.query >= reach->n ||
        reading.key >= reach->n)
      continue;
    const Index hops = reach->hopsOf(reading.query, reading.key);
    const QString needed = reading.query == reading.key ? tr("itself")
                           : hops > 0                   ? QString::number(hops)
                                                        : tr("more than %1").arg(reach->layers);
    parts << QStringLiteral("%1 %2").arg(columnLetter(i), needed);
  }
  m_hops->setVisible(m_document->state().rows.reach && !parts.isEmpty());
  m_hops->setText(tr("Layers needed: %1").arg(parts.join(QStringLiteral(" · "))));
}

void Inspector::showSums() {
  const RowReading& reading = m_reader->reading();
  const auto listed = [this](Index at, auto side) {
    QStringList parts;
    for (int i = 0; i < m_document->columnCount(); ++i) {
      const MarginalsPtr sums = m_marginals->of(i).value;
      if (!sums || at < 0 || at >= std::ssize(side(*sums))) continue;
      const auto value = static_cast<double>(side(*sums)[static_cast<std::size_t>(at)]);
      parts << QStringLiteral("%1 %2").arg(columnLetter(i)).arg(QString::number(value, 'g', 3));
    }
    return parts.join(QStringLiteral(" · "));
  };
  const QString spread = listed(
      reading.query, [](const Marginals& sums) -> auto& { return sums.spread; });
  const QString received = listed(
      reading.key, [](const Marginals& sums) -> auto& { return sums.received; });
  QStringList lines;
  if (!spread.isEmpty()) lines << tr("Query spreads over keys: %1").arg(spread);
  if (!received.isEmpty()) lines << tr("Key receives: %1").arg(received);
  QMap<QString, QStringList> missing;  // columns by the reason why theirs are
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (const QString why = m_marginals->of(i).why; !why.isEmpty()) missing[why] << columnLetter(i);
  for (auto it = missing.cbegin(); it != missing.cend(); ++it)
    lines << tr("Sums of %1: %2").arg(it.value().join(QStringLiteral(", ")), it.key());
  m_sums->setVisible(m_document->state().style.marginals && !lines.isEmpty());
  m_sums->setText(lines.join(QLatin1Char('\n')));
}

void Inspector::showGroup() {
  constexpr int kMostWords = 24;
  const SelectedGroupPtr& group = m_link->group();
  m_groupBox->setVisible(group != nullptr);
  if (!group) {
    m_shade->setGroup({});
    return;
  }
  m_group->setText(groupSentence(*group));
  // The text is that of the keys; where a group says nothing about keys, its queries.
  const TokenRanges& tokens = group->tokens.keys.empty() ? group->tokens.queries : group->tokens.keys;
  m_shade->setGroup(tokens);
  QStringList words;
  const auto& texts = m_service->input()
                          ? (m_service->input()->input.tokensK.empty() ? m_service->input()->input.tokensQ
                                                                       : m_service->input()->input.tokensK)
                          : std::vector<std::string>();
  for (const TokenRange& range : tokens) {
    if (words.size() > kMostWords) break;
    if (range.end > std::ssize(texts)) {
      words << (range.end == range.begin + 1 ? QString::number(range.begin)
                                             : tr("%1 to %2").arg(range.begin).arg(range.end - 1));
      continue;
    }
    for (Index token = range.begin; token < range.end && words.size() <= kMostWords; ++token)
      words << isolated(toQ(texts[static_cast<std::size_t>(token)]).trimmed());
  }
  if (words.size() > kMostWords) words.back() = QStringLiteral("…");
  m_groupWords->setText(words.join(QStringLiteral(" · ")));
  m_groupWords->setVisible(!words.isEmpty());
}

void Inspector::showShade() {
  const RowReading& reading = m_reader->reading();
  const int selected = m_document->selectedColumn();
  const auto at = static_cast<std::size_t>(selected);
  const auto row = at < reading.columns.size() ? reading.columns[at].row : nullptr;
  m_shade->setRow(row, reading.query, reading.key, columnColor(selected));
  const bool picture = m_service->input() && !m_service->input()->input.image.rgb.empty();
  const auto found = findMechanism(m_document->state().columns[at].id);
  m_shadeHeading->setText((picture ? tr("On the picture · %1") : tr("On the text · %1"))
                              .arg(found ? toQ((*found)->card().name) : QString()));
}

void Inspector::showCard() {
  const auto at = static_cast<std::size_t>(m_document->selectedColumn());
  const auto found = findMechanism(m_document->state().columns[at].id);
  if (!found) return;
  const MechanismCard& card = (*found)->card();
  m_formulaHeading->setText(tr("Formula · %1").arg(toQ(card.name)));
  m_formula->setText(toQ(card.formula));
  QString text;
  // What holds for this call only: a fall-back to full attention, a matrix that is not the whole story.
  const ColumnResult& result = m_service->column(m_document->selectedColumn());
  if (result.exploration && !result.exploration->call.plan->plan().note.empty())
    text += QStringLiteral("<p><b>%1</b></p>")
                .arg(toQ(result.exploration->call.plan->plan().note).toHtmlEscaped());
  text += QStringLiteral("<p>%1</p><p>%2</p>")
              .arg(toQ(card.summary).toHtmlEscaped(),
                   (card.paper.empty() ? tr("Cost as counted here: %1.").arg(toQ(card.countedComplexity))
                                       : tr("Cost in the survey: %1. As counted here: %2.")
                                             .arg(toQ(card.surveyComplexity), toQ(card.countedComplexity)))
                       .toHtmlEscaped());
  if (!card.ours.empty()) text += QStringLiteral("<p>%1</p>").arg(toQ(card.ours).toHtmlEscaped());
  if (!card.paper.empty())
    text += QStringLiteral("<p>%1, <i>%2</i>, %3</p>")
                .arg(toQ(card.authors).toHtmlEscaped(), toQ(card.paper).toHtmlEscaped())
                .arg(card.year);
  m_summary->setText(text);
}

QString Inspector::text() const {
  if (m_reader->reading().query < 0) return {};
  QStringList lines{m_pair->text(), m_position->text()};
  if (!m_hops->isHidden()) lines << m_hops->text();
  if (!m_sums->isHidden()) lines << m_sums->text();
  lines << m_table->text() << QString();
  return lines.join(QLatin1Char('\n'));
}

}  // namespace attnscope
