// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QToolBar>

class QComboBox;
class QSpinBox;
class QToolButton;

namespace attnscope {

class ComputeService;
class Document;

// The bar above the wall: the input, its layer and head, and how the maps are coloured.
class ToolStrip final : public QToolBar {
  Q_OBJECT

 public:
  ToolStrip(Document* document, ComputeService* service, QWidget* parent = nullptr);

  [[nodiscard]] QToolButton* sourceButton() const { return m_source; }
  void addTrailing(QWidget* widget);

 private:
  void buildStyle();
  void showInput();
  void showStyle();
  void changeStyle();

  Document* m_document;
  ComputeService* m_service;
  QToolButton* m_source;
  QComboBox* m_layer;
  QSpinBox* m_head;
  QAction* m_layerLabel = nullptr;
  QAction* m_layerAction = nullptr;
  QComboBox* m_map;
  QComboBox* m_scale;
  QComboBox* m_reduce;
};

}  // namespace attnscope
