// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>
#include <optional>
#include <string>

#include "ui/state/session.h"

namespace attnscope {

// A session on disk: a file of its own (.attnscope), or carried by a figure that shows it. PNG has it in a
// text chunk, SVG in the description, PDF in the XMP metadata; in all of them as one word of base64 after a
// mark.
inline const QString kPngSessionKey = QStringLiteral("attnscope-session");
[[nodiscard]] QString wrappedSession(const std::string& session);
[[nodiscard]] QByteArray xmpWithSession(const std::string& session);

// The session of a file; nothing where it is another kind of file or a figure that carries none, so that a
// PNG may still be a picture to attend to. Reads pictures' headers only. Errors (Input) as parseSession(),
// and files that cannot be read. The input's file is looked for beside the session as well.
[[nodiscard]] Result<std::optional<Session>> openSession(const QString& path);
[[nodiscard]] Status saveSession(const Session& session, const QString& path);

}  // namespace attnscope
