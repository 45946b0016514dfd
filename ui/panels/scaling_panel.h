// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <string>
#include <vector>

#include "kernels/bench/sweep.h"
#include "ui/plots/view_style.h"

class QComboBox;
class QLabel;
class QMenu;
class QPushButton;

namespace attnscope {

class ComputeService;
class Document;
class ScalingPlot;
class ScalingRunner;

// Time against length, measured here and now for the columns of the wall, with the fitted exponents.
class ScalingPanel final : public QWidget {
  Q_OBJECT

 public:
  ScalingPanel(Document* document, const ComputeService* service, ScalingRunner* runner,
               QWidget* parent = nullptr);

  void measure();
  void setTheme(const PlotTheme& theme);
  void setFolded(bool folded);  // leaves the line of the heading and the button that measures
  [[nodiscard]] ScalingPlot* plot() const { return m_plot; }
  // Lays a measurement from a file under the curves; failed() says why not.
  void layUnder(const QString& path);
  [[nodiscard]] const std::vector<SweepPoint>& overlay() const { return m_overlay; }
  [[nodiscard]] const std::string& theory() const { return m_theory; }

 Q_SIGNALS:
  void measuring();  // begins
  void failed(const QString& sentence);
  void exportAsked();

 private:
  void refresh();
  void fillMenu(QMenu& menu);
  void save();
  void chooseOverlay();

  Document* m_document;
  const ComputeService* m_service;  // for the chosen device
  ScalingRunner* m_runner;
  ScalingPlot* m_plot;
  QLabel* m_hint;
  QComboBox* m_longest;
  QPushButton* m_measure;
  std::vector<SweepPoint> m_overlay;
  std::string m_theory = "none";
  bool m_folded = false;
};

}  // namespace attnscope
