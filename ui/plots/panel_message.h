// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/plots/plot_metrics.h"
#include "ui/plots/view_style.h"

class QPushButton;

namespace attnscope {

// What stands in a panel in place of a picture, in one form for all reasons: a sentence without a frame
// around it, beginning at one place in all rows; below it, where the user can overrule the reason, a button.
// A sentence that has no room is cut short and whole in the tool tip.
class PanelMessage final : public QWidget {
  Q_OBJECT

 public:
  enum class Kind {
    Note,     // there is nothing to draw
    Busy,     // it is being computed
    Refused,  // not computed unless asked()
    Error
  };

  explicit PanelMessage(QWidget* parent);
  void setTheme(const PlotTheme& theme);
  void say(Kind kind, const QString& sentence);
  // Of the sentence, the button and some air.
  [[nodiscard]] int heightForWidth(int width) const override;

 Q_SIGNALS:
  void asked();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Layout {
    QRect mark;  // the sign of an error
    QRect text;
    QRect button;  // empty: none
  };
  [[nodiscard]] Layout layOut(QSize size) const;
  [[nodiscard]] QString shortened(const QRect& room) const;
  void place();

  PlotTheme m_theme;
  PlotMetrics m_metrics;
  Kind m_kind = Kind::Note;
  QString m_sentence;
  QPushButton* m_button = nullptr;
};

}  // namespace attnscope
