// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QToolButton;

namespace attnscope {

// Above a column: its letter, the mechanism, what it costs, and a cross to take it off the wall. A click
// selects the column for the parameter form.
class ColumnHeader final : public QWidget {
  Q_OBJECT

 public:
  explicit ColumnHeader(int column, QWidget* parent = nullptr);

  void setName(const QString& name, const QString& parameters);
  // `shorter` stands for `first` where that one does not fit.
  void setCost(const QString& first, const QString& second, const QString& shorter = {});
  void setWarning(const QString& sentence);  // empty: none
  void setSelected(bool selected);
  // Its cross. In a narrow column with a long name it gives its room to the name until the column is chosen
  // or the mouse is there; Delete removes as well.
  void setRemovable(bool removable);
  // Drawn beside the name: what the others are compared with; does not follow their zoom; all columns stand
  // in its order.
  void setMarks(bool baseline, bool ownZoom, bool sorts);
  // The column shows this for the moment instead of its own; empty: its own.
  void setStandIn(const QString& name);
  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void clicked();
  void removeAsked();
  void menuAsked(const QPoint& globalPosition);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void enterEvent(QEnterEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  void describe();
  [[nodiscard]] const QString& shownName() const { return m_standIn.isEmpty() ? m_name : m_standIn; }
  [[nodiscard]] int nameRoom(bool besideCross) const;
  void fitName();

  int m_column;
  bool m_selected = false;
  bool m_removable = true;
  QString m_standIn;
  bool m_baseline = false;
  bool m_ownZoom = false;
  bool m_sorts = false;
  QString m_name;
  QString m_parameters;
  QString m_first;
  QString m_second;
  QString m_shorter;
  QString m_warning;
  QToolButton* m_remove;
};

}  // namespace attnscope
