// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/save_file.h"

#include <QSaveFile>

namespace attnscope {

Status saveFile(const QString& path, const QByteArray& bytes) {
  QSaveFile file(path);
  if (file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.commit()) return {};
  return fail(ErrorKind::Output, QStringLiteral("%1 was not written: %2. Choose another folder or name.")
                                     .arg(path, file.errorString())
                                     .toStdString());
}

}  // namespace attnscope
