// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QPointer>
#include <vector>

class QAction;
class QLineEdit;
class QListWidget;
class QMenu;
class QMenuBar;

namespace attnscope {

// Finds any command of the menus by a few letters of its name, shows its keys, and runs it.
class CommandPalette final : public QDialog {
  Q_OBJECT

 public:
  CommandPalette(const QMenuBar* menus, QWidget* parent);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void collect(const QMenu* menu, const QString& path);
  void filter(const QString& text);
  void runCurrent();

  struct Entry {
    QString name;
    QPointer<QAction> action;
  };
  std::vector<Entry> m_entries;
  QLineEdit* m_search;
  QListWidget* m_list;
};

}  // namespace attnscope
