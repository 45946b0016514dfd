// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QThreadPool>
#include <QTimer>
#include <vector>

#include "kernels/step_frames.h"
#include "ui/jobs/latest_job.h"
#include "ui/plots/view_style.h"

class QLabel;
class QSlider;
class QToolButton;

namespace attnscope {

class ComputeService;
class Document;
class InsidesView;

// The plan of the selected column, one executed step at a time, for a teacher in front of a class. A window
// of its own beside the main one, as high as the screen, whose text grows with it: Left and Right step, Home
// and End jump, Space plays (two seconds a step), Ctrl+plus and Ctrl+minus change the size of the text
// (remembered; Ctrl+0 is as it was made), Escape closes. Follows the selected column and the head; frames are
// made on a worker.
class StepView final : public QDialog {
  Q_OBJECT

 public:
  StepView(const Document* document, const ComputeService* service, QWidget* parent = nullptr);
  ~StepView() override;

  void setTheme(const PlotTheme& theme);
  void setStyleChoices(const ViewStyle& style);
  [[nodiscard]] int step() const { return m_step; }
  [[nodiscard]] const std::vector<StepFrame>& frames() const { return m_frames; }
  [[nodiscard]] bool isIdle() const { return !m_job.isRunning(); }
  [[nodiscard]] QString heading() const;
  // How much larger than elsewhere in the program the text is.
  [[nodiscard]] double textScale() const;

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void request();
  void go(int step);
  void play(bool on);
  void refresh();
  bool handleKey(const QKeyEvent& event);
  void setTextSize(int steps);
  void applyTextScale();
  void fillScreen();

  const Document* m_document;
  const ComputeService* m_service;
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  QString m_shown;  // key of the frames
  std::vector<StepFrame> m_frames;
  std::string m_mechanism;  // id of whose frames they are
  QString m_error;
  int m_step = 0;
  QTimer m_player;
  PlotTheme m_theme;
  int m_textSize = 0;         // steps larger or smaller than the window's height asks for
  double m_appliedScale = 0;  // none yet
  bool m_placed = false;      // on the screen, once
  QLabel* m_title;
  QLabel* m_time;
  QLabel* m_sentence;
  InsidesView* m_pictures;
  QSlider* m_slider;
  QToolButton* m_back;
  QToolButton* m_next;
  QToolButton* m_play;
};

}  // namespace attnscope
