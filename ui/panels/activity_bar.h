// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStatusBar>

class QLabel;
class QProgressBar;
class QPushButton;
class QTimer;
class QToolButton;

namespace attnscope {

class ComputeService;
class ScalingRunner;

// Always says which device computes, and why not a better one, in a button that offers the others; while
// something runs, what, how far, how long still, and the button that stops it.
class ActivityBar final : public QStatusBar {
  Q_OBJECT

 public:
  ActivityBar(ComputeService* service, ScalingRunner* runner, QWidget* parent = nullptr);
  [[nodiscard]] QString deviceText() const;
  [[nodiscard]] QString notes() const { return m_notes; }  // whole, where the bar has no room for all of it

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void refresh();
  void refreshDevice();
  void showNotes();

  ComputeService* m_service;
  ScalingRunner* m_runner;
  QTimer* m_timer;
  QToolButton* m_device;
  QLabel* m_gpu;
  QString m_notes;
  QLabel* m_what;
  QProgressBar* m_progress;
  QLabel* m_left;
  QPushButton* m_cancel;
};

}  // namespace attnscope
