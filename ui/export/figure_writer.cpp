// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure_writer.h"

#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

FigureWriter::FigureWriter(QObject* parent) : QObject(parent) {
  m_pool.setMaxThreadCount(1);
}

FigureWriter::~FigureWriter() {
  m_job.cancel();
  m_pool.waitForDone();
}

void FigureWriter::start(const FigureSpec& spec, const QString& path) {
  m_job.start(
      [spec, path](const JobContext& job) {
        return guarded([&] { return PreparedFigure::make(spec, path, job); });
      },
      [this, path](const Result<PreparedFigure>& figure) {
        const Status written = figure ? figure->write() : Status(tl::unexpected<Error>(figure.error()));
        Q_EMIT finished(path, written ? QString() : toQ(written.error().message));
      });
}

}  // namespace attnscope
