// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QTemporaryDir>

#include "ui/export/figure.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QTimer;
class QVBoxLayout;

namespace attnscope {

class FigureWriter;

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
  void buildForm(QVBoxLayout* layout);
  void restore();
  void remember() const;
  void updateNotes();
  void chooseFile();
  [[nodiscard]] double widthMm() const;
  void drawPreview();
  void showPreview(const QString& path, const QString& error);

  FigureSpec m_spec;
  QString m_path;
  QComboBox* m_width;
  QDoubleSpinBox* m_customWidth;
  QDoubleSpinBox* m_height;
  QSpinBox* m_dpi;
  QDoubleSpinBox* m_font;
  QComboBox* m_theme;
  QCheckBox* m_letters;
  QCheckBox* m_reopens;  // the file carries the session
  QComboBox* m_format;
  QLabel* m_notes;
  QPushButton* m_save = nullptr;
  QLabel* m_preview;
  QTimer* m_previewSoon;
  QTemporaryDir m_previewFolder;
  FigureWriter* m_previewWriter;
};

}  // namespace attnscope
