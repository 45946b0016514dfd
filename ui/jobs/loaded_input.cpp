// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/loaded_input.h"

#include <algorithm>

#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

Result<LoadedInputPtr> readSource(const QString& source, Index layer,
                                  std::shared_ptr<const InputDocument> opened, const JobContext& job) {
  return guarded([&]() -> Result<LoadedInputPtr> {
    auto loaded = std::make_shared<LoadedInput>();
    loaded->source = source;
    loaded->document = std::move(opened);
    if (!loaded->document) {
      auto document = openSource(toStd(source), job);
      if (!document) return tl::unexpected<Error>(document.error());
      loaded->document = std::move(*document);
      if (layer == 0) layer = loaded->document->chosenLayer().value_or(0);  // "FILE:layer=3"
    }
    for (const std::string& name : loaded->document->layerNames()) loaded->layerNames << toQ(name);
    loaded->layer = std::clamp<Index>(layer, 0, std::max<Index>(0, loaded->layerNames.size() - 1));
    auto input = loaded->document->outline(loaded->layer);
    if (!input) return tl::unexpected<Error>(input.error());
    loaded->input = std::move(*input);
    return LoadedInputPtr(std::move(loaded));
  });
}

}  // namespace attnscope
