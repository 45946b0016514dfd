// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure_writer.h"

#include "ui/state/text.h"

namespace attnscope {

FigureWriter::FigureWriter(QObject* parent) : QObject(parent) {
  m_pool.setMaxThreadCount(1);
  m_next.setInterval(0);  // after the events that wait
  connect(&m_next, &QTimer::timeout, this, &FigureWriter::paintNext);
}

FigureWriter::~FigureWriter() {
  m_job.cancel();
  m_pool.waitForDone();
}

void FigureWriter::cancel() {
  m_next.stop();
  m_figure.reset();
  m_job.cancel();
}

void FigureWriter::start(const FigureSpec& spec, const QString& path) {
  cancel();
  m_path = path;
  m_job.start([spec, path](const JobContext& job) { return PreparedFigure::make(spec, path, job); },
              [this](const Result<PreparedFigure>& figure) {
                if (!figure) return finish(tl::unexpected<Error>(figure.error()));
                m_figure = *figure;
                m_next.start();
              });
}

void FigureWriter::paintNext() {
  const PreparedFigure figure = *m_figure;
  const Result<bool> more = guarded([&] { return figure.paintNext(); });
  if (more && *more) return;
  m_next.stop();
  m_figure.reset();
  if (!more) return finish(tl::unexpected<Error>(more.error()));
  m_job.start([figure](const JobContext& job) { return figure.save(job); },
              [this](const Status& saved) { finish(saved); });
}

void FigureWriter::finish(const Status& status) {
  Q_EMIT finished(m_path, status ? QString() : toQ(status.error().message));
}

}  // namespace attnscope
