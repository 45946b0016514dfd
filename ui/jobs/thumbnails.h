// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QObject>
#include <QThreadPool>

#include "core/mechanisms/mechanism.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// The pattern of one head as a small picture: a pixel a pair, coloured by label; transparent where nothing is
// read.
[[nodiscard]] QImage patternImage(const FrozenPlan& plan, Index head);

// Plans every mechanism on a short real input, so that the gallery shows what the program computes and not a
// drawing of it. Pictures arrive one by one.
class Thumbnails final : public QObject {
  Q_OBJECT

 public:
  explicit Thumbnails(QObject* parent = nullptr);
  ~Thumbnails() override;
  void begin();

 Q_SIGNALS:
  void ready(const QString& mechanism, const QImage& picture);

 private:
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
};

}  // namespace attnscope
