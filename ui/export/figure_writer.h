// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThreadPool>

#include "ui/export/figure.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// Writes a figure: its numbers are made off the GUI thread, then it is painted and saved on it. The newest
// request wins.
class FigureWriter final : public QObject {
  Q_OBJECT

 public:
  explicit FigureWriter(QObject* parent = nullptr);
  ~FigureWriter() override;

  void start(const FigureSpec& spec, const QString& path);
  void cancel() { m_job.cancel(); }
  [[nodiscard]] bool isRunning() const { return m_job.isRunning(); }

 Q_SIGNALS:
  void finished(const QString& path, const QString& error);  // error empty: written

 private:
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
};

}  // namespace attnscope
