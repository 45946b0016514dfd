// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "ui/state/document_state.h"

namespace attnscope {

// A wall as a document on disk: what was decided, and where it was looked at. Values of tensors are not in
// it, only what the input is called.
struct Session {
  DocumentState state;
  QRectF viewport;  // in cells; empty: everything
  Index selectedQuery = -1;
  Index selectedKey = -1;
};

inline constexpr const char* kSessionEnding = ".attnscope";

// JSON of version 1, in UTF-8, with a line break at its end. An input that is a file is written with its
// whole path.
[[nodiscard]] std::string sessionText(const Session& session);

// Reads it back. Errors (Input) begin with `name` and say which key holds what, and what was expected. Keys
// that are not known are passed over, missing ones have the default of a new document; only the mechanisms
// must be there.
[[nodiscard]] Result<Session> parseSession(std::string_view text, const std::string& name);

// If the input's file is not where it was, a file of that name in `folder` takes its place: sessions travel
// with their data.
void findInputBeside(Session& session, const QString& folder);

}  // namespace attnscope
