// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QVBoxLayout;

namespace attnscope {

class Badge;
class ComputeService;
class Document;
class ParamRow;

// The parameters of the selected column, made from what the mechanism declares, and below them the options
// that all columns share: mask, scale and seed.
class ParameterForm final : public QWidget {
  Q_OBJECT

 public:
  ParameterForm(Document* document, ComputeService* service, QWidget* parent = nullptr);

  [[nodiscard]] ParamRow* row(const std::string& id) const;

 Q_SIGNALS:
  void copied(const QString& what);  // to the clipboard

 private:
  void build();    // other mechanism: other rows
  void refresh();  // other values, or another input
  void buildShared(QVBoxLayout* layout);
  void refreshShared();
  void showOutcome(int column);  // of the computation, below a rule
  void copyMaskMod();
  void edit(const std::string& id, const QString& text, bool continues);

  Document* m_document;
  ComputeService* m_service;
  Badge* m_badge = nullptr;
  QLabel* m_title = nullptr;
  QPushButton* m_reset = nullptr;
  QLabel* m_empty = nullptr;
  QVBoxLayout* m_rowsLayout = nullptr;
  std::vector<ParamRow*> m_rows;
  std::string m_mechanism;
  int m_gesture = 0;
  QComboBox* m_causal = nullptr;
  QLineEdit* m_scale = nullptr;
  QSpinBox* m_seed = nullptr;
};

}  // namespace attnscope
