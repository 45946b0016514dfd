// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "ui/export/figure.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace attnscope {

// Size, resolution, type size and look of a figure for print. What is drawn stands in the FigureSpec that it
// is given; the choices are remembered for the next figure.
class ExportDialog final : public QDialog {
  Q_OBJECT

 public:
  ExportDialog(FigureSpec spec, const QString& what, QWidget* parent = nullptr);

  // The figure as chosen.
  [[nodiscard]] FigureSpec spec() const;
  [[nodiscard]] QString path() const { return m_path; }

 private:
  void buildForm();
  void restore();
  void remember() const;
  void updateNotes();
  void chooseFile();
  [[nodiscard]] double widthMm() const;

  FigureSpec m_spec;
  QString m_path;
  QComboBox* m_width;
  QDoubleSpinBox* m_customWidth;
  QDoubleSpinBox* m_height;
  QSpinBox* m_dpi;
  QDoubleSpinBox* m_font;
  QComboBox* m_theme;
  QCheckBox* m_letters;
  QComboBox* m_format;
  QLabel* m_notes;
  QPushButton* m_save;
};

}  // namespace attnscope
