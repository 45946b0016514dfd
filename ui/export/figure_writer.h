// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThreadPool>
#include <QTimer>
#include <optional>

#include "ui/export/figure.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// Writes a figure: its numbers are made off the GUI thread, then it is painted on it, a panel at a time with
// events in between, and encoded and saved off it again. The newest request wins.
class FigureWriter final : public QObject {
  Q_OBJECT

 public:
  explicit FigureWriter(QObject* parent = nullptr);
  ~FigureWriter() override;

  void start(const FigureSpec& spec, const QString& path);
  void cancel();
  [[nodiscard]] bool isRunning() const { return m_job.isRunning() || m_figure; }
  [[nodiscard]] bool isPainting() const { return m_figure.has_value(); }

 Q_SIGNALS:
  void finished(const QString& path, const QString& error);  // error empty: written

 private:
  void paintNext();
  void finish(const Status& status);

  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  QString m_path;
  std::optional<PreparedFigure> m_figure;  // while it is painted
  QTimer m_next;
};

}  // namespace attnscope
