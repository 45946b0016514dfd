// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/loaded_input.h"

#include <algorithm>

#include "ui/state/text.h"

namespace attnscope {

Result<LoadedInputPtr> readSource(const QString& source, Index layer,
                                  std::shared_ptr<const InputDocument> opened, const JobContext& job) {
  auto loaded = std::make_shared<LoadedInput>();
  loaded->source = source;
  loaded->document = std::move(opened);
  if (!loaded->document) {
    ATTN_ASSIGN(document, openSource(toStd(source), job));
    loaded->document = std::move(document);
    if (layer == 0) layer = loaded->document->chosenLayer().value_or(0);  // "FILE:layer=3"
  }
  for (const std::string& name : loaded->document->layerNames()) loaded->layerNames << toQ(name);
  loaded->layer = std::clamp<Index>(layer, 0, std::max<Index>(0, loaded->layerNames.size() - 1));
  ATTN_ASSIGN(input, loaded->document->outline(loaded->layer));
  loaded->input = std::move(input);
  return LoadedInputPtr(std::move(loaded));
}

}  // namespace attnscope
