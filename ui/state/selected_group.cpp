// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/selected_group.h"

#include "ui/state/text.h"

namespace attnscope {

QString groupSentence(const SelectedGroup& group) {
  const QString what =
      QStringLiteral("%1: %2").arg(isolated(toQ(group.tokens.name)), toQ(sizeText(group.tokens)));
  return group.owner.isEmpty() ? what : QStringLiteral("%1, %2").arg(group.owner, what);
}

}  // namespace attnscope
