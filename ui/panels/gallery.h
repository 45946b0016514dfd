// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTreeView>
#include <QWidget>

class QLineEdit;

namespace attnscope {

class Document;
class MechanismFilter;
class MechanismModel;
class Thumbnails;

// Every mechanism, by family, with a search box. Double click, Enter or the plus of a row puts it on the
// wall; on a full wall it takes the place of the selected column.
class Gallery final : public QWidget {
  Q_OBJECT

 public:
  explicit Gallery(Document* document, QWidget* parent = nullptr);
  ~Gallery() override;

  [[nodiscard]] QTreeView* view() const { return m_view; }
  [[nodiscard]] QLineEdit* searchBox() const { return m_search; }
  [[nodiscard]] QString currentMechanism() const;
  void begin();       // starts drawing the pictures
  void addCurrent();  // puts the current row on the wall
  void focusSearch();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void add(const QModelIndex& index);
  void showMenu(const QPoint& position);

  Document* m_document;
  MechanismModel* m_model;
  MechanismFilter* m_filter;
  Thumbnails* m_thumbnails;
  QLineEdit* m_search;
  QTreeView* m_view;
};

}  // namespace attnscope
