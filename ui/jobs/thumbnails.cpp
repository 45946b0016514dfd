// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/thumbnails.h"

#include <QColor>

#include "core/inputs/input_document.h"
#include "core/mechanisms/registry.h"
#include "core/raster/color_map.h"
#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

constexpr auto kInput = "clustered:n=32,d=16,heads=1,seed=1";

Result<QImage> drawMechanism(const Mechanism& mechanism, const AttentionInput& input, const JobContext& job) {
  MechanismSpec spec;
  spec.id = mechanism.card().id;
  ATTN_ASSIGN(call, planCall(spec, input, {}, job));
  return patternImage(*call.plan, 0);
}

}  // namespace

QImage patternImage(const FrozenPlan& plan, Index head) {
  const PatternPtr& support = plan.support(head);
  const auto width = static_cast<int>(support->cols());
  const auto height = static_cast<int>(support->rows());
  QImage image(width, height, QImage::Format_ARGB32);
  image.fill(Qt::transparent);
  RunList runs;
  for (int y = 0; y < height; ++y) {
    support->row(y, runs);
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
    for (const Run& run : runs) {
      const Rgb color = categoryColor(run.label);
      for (Index x = run.begin; x < run.end; x += run.stride) line[x] = qRgb(color.r, color.g, color.b);
    }
  }
  return image;
}

Thumbnails::Thumbnails(QObject* parent) : QObject(parent) {
  m_pool.setMaxThreadCount(1);
}

Thumbnails::~Thumbnails() {
  m_job.cancel();
  m_pool.waitForDone();
}

void Thumbnails::begin() {
  m_job.start(
      [this](const JobContext& job) -> Status {
        ATTN_ASSIGN(input, loadInput(kInput, 0, job));
        for (const Mechanism* mechanism : allMechanisms()) {
          if (job.isCancelled()) return cancelled();
          // One that fails takes only its own picture with it; added to the wall it says why.
          const auto picture = guarded([&] { return drawMechanism(*mechanism, input, job); });
          if (!picture) continue;
          QMetaObject::invokeMethod(  // `this` outlives the pool
              this, [this, id = toQ(mechanism->card().id), image = *picture] { Q_EMIT ready(id, image); },
              Qt::QueuedConnection);
        }
        return {};
      },
      [](const Status&) {});
}

}  // namespace attnscope
