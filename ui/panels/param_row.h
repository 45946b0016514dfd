// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QWidget>

#include "core/params/param_spec.h"
#include "ui/panels/number_field.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QToolButton;

namespace attnscope {

class MarkedSlider;
class RuleEditor;

// One declared parameter: its name and symbol, an editor for its kind, the paper's value as a mark, a way
// back to the default, and, where the value does not fit the input, the sentence that says so with the
// nearest valid value to click. The value itself stays as it was given.
class ParamRow final : public QWidget {
  Q_OBJECT

 public:
  ParamRow(const ParamSpec& spec, QWidget* parent = nullptr);

  [[nodiscard]] const ParamSpec& spec() const { return m_spec; }
  // What is shown: the text as given, or the default for this shape.
  void show(const QString& text, bool given, const Shape& shape);
  [[nodiscard]] QString error() const { return m_error; }
  [[nodiscard]] QWidget* editor() const;
  [[nodiscard]] MarkedSlider* slider() const { return m_slider; }
  [[nodiscard]] RuleEditor* ruleEditor() const { return m_rule; }  // null unless the parameter is a long text
  // What the computation found wrong with a value that is well-formed in itself; an empty sentence: nothing.
  void showFailure(const QString& sentence, const std::optional<TextFault>& fault);

 Q_SIGNALS:
  // `continues`: belongs to the same drag or burst of steps as the one before.
  void edited(const QString& text, bool continues);
  void resetAsked();
  void maskModAsked();

 private:
  void makeInt();
  void makeReal();
  void makeChoice();
  void makeBool();
  void makeList();
  void makeRule();
  void arrange();
  void showNumber(const QString& text, const Shape& shape);
  void showError(const QString& text, bool given, const Shape& shape);
  void showNote();
  void report(const QString& text);
  [[nodiscard]] QString labelText() const;

  ParamSpec m_spec;
  QString m_error;
  QString m_nearest;
  bool m_showing = false;
  bool m_dragStarts = false;
  QElapsedTimer m_lastEdit;
  QLabel* m_label = nullptr;
  QLabel* m_note = nullptr;
  QToolButton* m_reset = nullptr;
  MarkedSlider* m_slider = nullptr;
  IntField* m_int = nullptr;
  RealField* m_real = nullptr;
  QComboBox* m_choice = nullptr;
  QCheckBox* m_bool = nullptr;
  QLineEdit* m_list = nullptr;
  RuleEditor* m_rule = nullptr;
};

}  // namespace attnscope
