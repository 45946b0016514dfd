// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStatusBar>

class QLabel;
class QProgressBar;
class QPushButton;
class QTimer;

namespace attnscope {

class ComputeService;
class ScalingRunner;

// Always says which device computes, and why not a better one; while something runs, what, how far, how long
// still, and the button that stops it.
class ActivityBar final : public QStatusBar {
  Q_OBJECT

 public:
  ActivityBar(ComputeService* service, ScalingRunner* runner, QWidget* parent = nullptr);
  [[nodiscard]] QString deviceText() const;

 private:
  void refresh();
  void refreshDevice();

  ComputeService* m_service;
  ScalingRunner* m_runner;
  QTimer* m_timer;
  QLabel* m_device;
  QLabel* m_gpu;
  QLabel* m_what;
  QProgressBar* m_progress;
  QLabel* m_left;
  QPushButton* m_cancel;
};

}  // namespace attnscope
