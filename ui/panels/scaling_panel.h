// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/plots/view_style.h"

class QComboBox;
class QLabel;
class QPushButton;

namespace attnscope {

class Document;
class ScalingPlot;
class ScalingRunner;

// Time against length, measured here and now for the columns of the wall, with the fitted exponents.
class ScalingPanel final : public QWidget {
  Q_OBJECT

 public:
  ScalingPanel(Document* document, ScalingRunner* runner, QWidget* parent = nullptr);

  void measure();
  void setTheme(const PlotTheme& theme);
  [[nodiscard]] ScalingPlot* plot() const { return m_plot; }

 Q_SIGNALS:
  void failed(const QString& sentence);
  void exportAsked();

 private:
  void refresh();

  Document* m_document;
  ScalingRunner* m_runner;
  ScalingPlot* m_plot;
  QLabel* m_hint;
  QComboBox* m_longest;
  QPushButton* m_measure;
};

}  // namespace attnscope
