// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDoubleSpinBox>
#include <QSpinBox>
#include <algorithm>

namespace attnscope {

// A spin box that takes every number that is typed: whoever checks it says what is wrong with it and offers
// the nearest valid one, where a spin box would drop digits without a word. Steps stay between the ends.
template <class SpinBox, class Number>
class NumberField final : public SpinBox {
 public:
  NumberField(Number least, Number most, QWidget* parent) : SpinBox(parent) {
    SpinBox::setRange(least, most);
    SpinBox::setKeyboardTracking(false);
  }

  void setEnds(Number low, Number high) {
    m_low = low;
    m_high = std::max(low, high);
  }

  void stepBy(int steps) override {
    SpinBox::interpretText();
    SpinBox::setValue(std::clamp<Number>(this->value() + steps * this->singleStep(), m_low, m_high));
  }

 protected:
  [[nodiscard]] QAbstractSpinBox::StepEnabled stepEnabled() const override {
    QAbstractSpinBox::StepEnabled steps = QAbstractSpinBox::StepNone;
    if (this->value() < m_high) steps |= QAbstractSpinBox::StepUpEnabled;
    if (this->value() > m_low) steps |= QAbstractSpinBox::StepDownEnabled;
    return steps;
  }

 private:
  Number m_low = 0;
  Number m_high = 0;
};

using IntField = NumberField<QSpinBox, int>;
using RealField = NumberField<QDoubleSpinBox, double>;

}  // namespace attnscope
