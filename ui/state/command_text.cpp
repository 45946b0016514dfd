// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/command_text.h"

#include <QStringList>

#include "core/base/shell_word.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

QStringList scaleOptions(const ViewStyle& style) {
  QStringList words;
  if (style.scale.kind == ValueScale::Kind::Linear)
    words << QStringLiteral("--scale-kind") << QStringLiteral("linear");
  if (style.scale.kind == ValueScale::Kind::RowMax)
    words << QStringLiteral("--scale-kind") << QStringLiteral("rowmax");
  if (!style.hidden.isEmpty())
    words << QStringLiteral("--hide") << toQ(shellWord(style.hidden.join(QLatin1Char('+')).toStdString()));
  if (style.marginals) words << QStringLiteral("--marginals");
  const ValueScale usual;
  if (style.range == ScaleRange::Percentiles)
    words << QStringLiteral("--scale-range") << QStringLiteral("percentiles");
  else if (style.range == ScaleRange::WithoutSinks)
    words << QStringLiteral("--scale-range") << QStringLiteral("nosinks");
  else if (style.scale.low != usual.low || style.scale.high != usual.high)
    words << QStringLiteral("--scale-range")
          << QStringLiteral("%1..%2").arg(style.scale.low).arg(style.scale.high);
  return words;
}

}  // namespace

QString commandLineOf(const DocumentState& state, Index head, const DeviceChoice& device) {
  QStringList rows;
  for (const auto& [kind, id] : kRowOrder)
    if (state.rows.shows(kind)) rows << QString::fromLatin1(id);
  QStringList words{QStringLiteral("attnscope"), QStringLiteral("figure"), rows.join(QLatin1Char('+'))};
  for (int i = 0; i < static_cast<int>(state.columns.size()); ++i)
    words << toQ(shellWord(state.columns[static_cast<std::size_t>(i)].text()));
  words << QStringLiteral("--input") << toQ(shellWord(state.source.toStdString()));
  if (state.layer > 0) words << QStringLiteral("--layer") << QString::number(state.layer);
  if (head > 0) words << QStringLiteral("--head") << QString::number(head);
  if (state.causal == CausalChoice::On) words << QStringLiteral("--causal");
  if (state.causal == CausalChoice::Off) words << QStringLiteral("--no-causal");
  if (state.scale) words << QStringLiteral("--scale") << QString::number(*state.scale);
  if (state.seed != 0) words << QStringLiteral("--seed") << QString::number(state.seed);
  if (device.device != "auto") words << QStringLiteral("--device") << toQ(device.device);
  if (device.precision != Precision::Fp32)
    words << QStringLiteral("--precision") << toQ(precisionName(device.precision));
  if (state.rows.reach) words << QStringLiteral("--layers") << QString::number(state.reachLayers);
  if (const int baseline = baselineColumn(state); baseline >= 0 && state.rows.difference)
    words << QStringLiteral("--baseline")
          << toQ(shellWord(state.columns[static_cast<std::size_t>(baseline)].text()));
  if (const int sorting = sortingColumn(state); sorting >= 0)
    words << QStringLiteral("--sort-by")
          << QStringLiteral("%1.%2")
                 .arg(sorting + 1)
                 .arg(state.views[static_cast<std::size_t>(sorting)].sortBy + 1);
  QStringList own;
  for (std::size_t i = 0; i < state.views.size(); ++i)
    if (state.views[i].ownScale) own << QString::number(i + 1);
  if (!own.isEmpty() && (state.rows.map || state.rows.difference))
    words << QStringLiteral("--own-scale") << own.join(QLatin1Char('+'));
  if (state.rows.insides && state.columns.size() > 1)
    words << QStringLiteral("--insides") << QStringLiteral("first");
  words << QStringLiteral("--colormap") << state.style.colorMap;
  words << scaleOptions(state.style);
  words << kAnyOutput;
  return words.join(QLatin1Char(' '));
}

}  // namespace attnscope
