// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/text.h"

#include <algorithm>

namespace attnscope {

QString isolated(const QString& piece) {
  const QList<uint> points = piece.toUcs4();
  const bool mixes = std::any_of(points.begin(), points.end(), [](uint point) {
    switch (QChar::direction(point)) {
      case QChar::DirR:
      case QChar::DirAL:
      case QChar::DirAN:
      case QChar::DirRLE:
      case QChar::DirRLO:
      case QChar::DirLRE:
      case QChar::DirLRO:
      case QChar::DirRLI:
        return true;
      default:
        return false;
    }
  });
  return mixes ? QChar(0x2068) + piece + QChar(0x2069) : piece;
}

}  // namespace attnscope
