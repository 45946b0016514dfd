// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <map>
#include <vector>

#include "core/inputs/source_options.h"

namespace attnscope {

// A form made from declared source keys. text() is what stands after the colon of a source: only what differs
// from the defaults.
class SourceForm final : public QWidget {
  Q_OBJECT

 public:
  explicit SourceForm(std::vector<SourceKey> keys, QWidget* parent = nullptr);
  [[nodiscard]] QString text() const;
  // Sets the keys that the text gives, and the others to their defaults; unknown ones are left out.
  void setText(const QString& text);

 Q_SIGNALS:
  void submitted();  // Enter in a field

 private:
  [[nodiscard]] QWidget* makeEditor(const SourceKey& key);

  std::vector<SourceKey> m_keys;
  std::map<std::string, QWidget*> m_editors;
};

}  // namespace attnscope
