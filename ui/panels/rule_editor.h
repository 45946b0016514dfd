// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/params/param_spec.h"

class QLabel;
class QPlainTextEdit;
class QPushButton;

namespace attnscope {

// Several lines for a parameter that is a sentence of some language: reports every change while it is typed,
// underlines what is wrong, offers the presets, and says below what came of it. Line breaks are blanks to the
// document, so that a place in the one is a place in the other.
class RuleEditor final : public QWidget {
  Q_OBJECT

 public:
  RuleEditor(const std::vector<TextPreset>& presets, QWidget* parent = nullptr);

  [[nodiscard]] QPlainTextEdit* edit() const { return m_edit; }
  [[nodiscard]] QString text() const;  // in one line
  void showText(const QString& text);  // leaves an equal text, and the cursor, alone
  // Underlines the part, if the fault is one of this text.
  void showFault(const std::optional<TextFault>& fault);
  void setStatus(const QString& sentence, bool warning = false);  // below the text
  void setCopyEnabled(bool enabled);

 Q_SIGNALS:
  void edited(const QString& text);
  void presetChosen(const QString& text);
  void maskModAsked();

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;

 private:
  QPlainTextEdit* m_edit;
  QPushButton* m_examples;
  QPushButton* m_copy;
  QLabel* m_status;
  bool m_showing = false;
};

}  // namespace attnscope
