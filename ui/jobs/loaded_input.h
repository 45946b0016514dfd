// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <memory>

#include "core/inputs/input_document.h"

namespace attnscope {

// One layer of an opened source: a finished value that crosses threads.
struct LoadedInput {
  QString source;
  Index layer = 0;
  std::shared_ptr<const InputDocument> document;
  QStringList layerNames;
  AttentionInput input;  // an outline where its values are large and nobody has asked for a pass yet

  [[nodiscard]] Shape shape() const { return input.shape(); }
};
using LoadedInputPtr = std::shared_ptr<const LoadedInput>;

// Opens `source` (or goes on with `opened`, if it is that one) and reads a layer of it. A layer beyond the
// last becomes the last. Any thread.
[[nodiscard]] Result<LoadedInputPtr> readSource(const QString& source, Index layer,
                                                std::shared_ptr<const InputDocument> opened,
                                                const JobContext& job);

}  // namespace attnscope
