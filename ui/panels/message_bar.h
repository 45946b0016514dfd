// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <functional>

class QLabel;
class QPushButton;
class QToolButton;

namespace attnscope {

// A sentence at the top of the window that waits until it is read: what went wrong and that nothing was lost.
// Not modal.
class MessageBar final : public QWidget {
  Q_OBJECT

 public:
  explicit MessageBar(QWidget* parent = nullptr);
  void showError(const QString& sentence);
  void showNote(const QString& sentence, const QString& actionText = {}, std::function<void()> action = {});
  void dismiss();
  [[nodiscard]] QString text() const;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void display(const QString& sentence, bool warning);
  bool m_warning = false;
  QLabel* m_text;
  QPushButton* m_action;
  QToolButton* m_close;
  std::function<void()> m_run;
};

}  // namespace attnscope
