// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure_of_wall.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <algorithm>

#include "core/base/shell_word.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/state/command_text.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

QString sentence(const char* text) {
  return QCoreApplication::translate("FigureOfWall", text);
}

tl::unexpected<Error> refused(const QString& why) {
  return fail(ErrorKind::Usage, toStd(why));
}

bool has(const std::vector<PanelKind>& rows, PanelKind kind) {
  return std::find(rows.begin(), rows.end(), kind) != rows.end();
}

// The input on the wall may be another than the document's: while that is read, or after it could not be.
Status requireInput(const WallSources& wall) {
  const LoadedInputPtr input = wall.service.input();
  const DocumentState& state = wall.document.state();
  if (!input) return refused(sentence("Nothing is computed yet that could be exported."));
  if (input->source != state.source || input->layer != state.layer)
    return refused(sentence("The pictures are of %1, but %2 is chosen. Wait until that is read, or undo the "
                            "choice, then export again.")
                       .arg(input->source, state.source));
  return {};
}

Status requireCurrent(const WallSources& wall, int column) {
  const ColumnResult& result = wall.service.column(column);
  const QString letter(columnLetter(column));
  if (result.isCurrent()) return {};
  if (result.busy)
    return refused(sentence("Column %1 is still being computed. Wait until it is shown, then export again.")
                       .arg(letter));
  if (!result.error.isEmpty())
    return refused(sentence("Column %1 could not be computed: %2 Mend or remove it, then export again.")
                       .arg(letter, result.error));
  return refused(
      sentence("Column %1 shows what was computed before, not what is chosen. F5 computes it; then export "
               "again.")
          .arg(letter));
}

Status addInsides(const WallSources& wall, int at, bool alone, FigureColumn& column) {
  const ColumnResult& result = wall.service.column(at);
  const QString letter(columnLetter(at));
  if (!result.exploration->hasPass())
    return refused(sentence("Column %1 has no insides yet: they come with its map.").arg(letter));
  if (!result.insidesError.isEmpty() && !result.insidesBusy)
    return refused(
        sentence("The insides of column %1 could not be drawn: %2").arg(letter, result.insidesError));
  if (!wall.service.hasInsides(at))
    return refused(sentence("The insides of column %1 are not drawn yet. Wait until they are shown (F5 asks "
                            "for them again), then export again.")
                       .arg(letter));
  // The wall shows one of the pictures at a time; so does the figure of a wall. A column alone shows all.
  const std::vector<InsidePanel>& all = *result.insides;
  column.insides.assign(all.begin(), alone || all.empty() ? all.end() : all.begin() + 1);
  return {};
}

Status addReach(const WallSources& wall, int at, FigureColumn& column) {
  const ReachResult reach = wall.reach.of(at);
  if (!reach.value)
    return refused(reach.why.isEmpty()
                       ? sentence("The reach of column %1 is not there yet. Wait until it is shown, then "
                                  "export again.")
                             .arg(columnLetter(at))
                       : sentence("Column %1 has no reach: %2").arg(columnLetter(at)).arg(reach.why));
  column.reach = reach.value;
  return {};
}

Status addBaseline(const WallSources& wall, int at, FigureColumn& column) {
  if (const int pinned = baselineColumn(wall.document.state()); pinned >= 0)
    ATTN_TRY(requireCurrent(wall, pinned));
  const BaselineResult baseline = wall.baselines.of(at);
  column.baseline = baseline.exploration;
  if (baseline.exploration || baseline.isBaseline) return {};
  if (baseline.why.isEmpty())
    return refused(sentence("What column %1 is compared with is not computed yet. Wait until the difference "
                            "is shown, then export again.")
                       .arg(columnLetter(at)));
  column.noBaseline = baseline.why;
  return {};
}

// All that computed a part of the figure, each once.
QString devicesOf(const FigureSpec& spec) {
  QStringList devices;
  for (const FigureColumn& column : spec.columns)
    for (const auto& part : {column.exploration, column.baseline})
      if (part && part->hasPass() && !devices.contains(toQ(part->device))) devices << toQ(part->device);
  return devices.isEmpty() ? QStringLiteral("patterns only") : devices.join(QStringLiteral(" and "));
}

QString versionText() {
  return QStringLiteral("Attnscope %1").arg(QCoreApplication::applicationVersion());
}

}  // namespace

QString figureTitle(const MechanismSpec& spec) {
  const auto found = findMechanism(spec.id);
  const QString title = found ? toQ((*found)->card().name) : toQ(spec.id);
  QStringList parts;
  for (const auto& [id, text] : spec.params) parts << QStringLiteral("%1 = %2").arg(toQ(id), toQ(text));
  return parts.isEmpty() ? title : QStringLiteral("%1 (%2)").arg(title, parts.join(QStringLiteral(", ")));
}

void namePage(FigureSpec& figure, const QString& path) {
  const QSizeF size = figure.millimetres;
  QStringList words{QStringLiteral("--size"),
                    size.height() > 0.0 ? QStringLiteral("%1x%2mm").arg(size.width()).arg(size.height())
                                        : QStringLiteral("%1mm").arg(size.width())};
  if (path.endsWith(QLatin1String(".png"), Qt::CaseInsensitive))
    words << QStringLiteral("--dpi") << QString::number(figure.dpi);
  words << QStringLiteral("--font-pt") << QString::number(figure.fontPoints);
  if (figure.theme.background == PlotTheme::dark().background)
    words << QStringLiteral("--theme") << QStringLiteral("dark");
  words << QStringLiteral("--output") << toQ(shellWord(toStd(QFileInfo(path).fileName())));
  figure.provenance.replace(kAnyOutput, words.join(QLatin1Char(' ')));
}

QString sweepProvenance(const SweepRequest& request) {
  QStringList mechanisms;
  for (const MechanismSpec& spec : request.specs) mechanisms << toQ(spec.text());
  return QStringLiteral("%1; measured on device %2, %3; input %4, d = %5, %6 heads%7; %8")
      .arg(versionText(), toQ(request.device), toQ(precisionName(request.precision)), toQ(request.recipe))
      .arg(request.d)
      .arg(request.heads)
      .arg(request.causal ? QStringLiteral(", causal") : QString(), mechanisms.join(QLatin1Char(' ')));
}

Result<FigureSpec> figureOfWall(const WallSources& wall, const std::vector<int>& columns,
                                const std::vector<PanelKind>& rows) {
  const DocumentState& state = wall.document.state();
  ATTN_TRY(requireInput(wall));
  for (const int i : columns) ATTN_TRY(requireCurrent(wall, i));
  if (const int sorting = sortingColumn(state); sorting >= 0) ATTN_TRY(requireCurrent(wall, sorting));
  FigureSpec spec;
  spec.rows = rows;
  spec.style = state.style;
  spec.head = wall.service.head();
  for (const int i : columns) {
    FigureColumn column;
    column.exploration = wall.service.column(i).exploration;
    column.title = figureTitle(column.exploration->call.spec);
    column.ownScale = state.views[static_cast<std::size_t>(i)].ownScale;
    if (has(rows, PanelKind::Insides)) ATTN_TRY(addInsides(wall, i, columns.size() == 1, column));
    if (has(rows, PanelKind::Reach)) ATTN_TRY(addReach(wall, i, column));
    if (has(rows, PanelKind::Difference)) ATTN_TRY(addBaseline(wall, i, column));
    spec.columns.push_back(std::move(column));
  }
  QStringList letters;
  for (const int i : columns) letters << columnLetter(i);
  const bool part = letters.size() < wall.document.columnCount();
  spec.provenance =
      QStringLiteral("%1; %2; %3%4")
          .arg(versionText(), devicesOf(spec),
               part ? QStringLiteral("column %1 of ").arg(letters.join(QLatin1Char('+'))) : QString(),
               commandLineOf(state, wall.service.head(), wall.service.deviceChoice()));
  return spec;
}

}  // namespace attnscope
