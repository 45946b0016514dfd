// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/heading.h"

#include "ui/theme.h"

namespace attnscope {

QLabel* makeHeading(const QString& text, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  label->setFont(captionFont());
  label->setObjectName(QStringLiteral("dockHeading"));
  return label;
}

QLabel* makeNote(const QString& text, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  label->setFont(smallFont());
  label->setObjectName(QStringLiteral("dockHeading"));
  label->setWordWrap(true);
  return label;
}

}  // namespace attnscope
