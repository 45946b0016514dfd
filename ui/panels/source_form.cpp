// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/source_form.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLineEdit>

#include "ui/state/text.h"

namespace attnscope {

namespace {

QString valueOf(const QWidget* editor) {
  if (const auto* combo = qobject_cast<const QComboBox*>(editor)) return combo->currentText();
  return qobject_cast<const QLineEdit*>(editor)->text().trimmed();
}

}  // namespace

SourceForm::SourceForm(std::vector<SourceKey> keys, QWidget* parent)
    : QWidget(parent), m_keys(std::move(keys)) {
  auto* form = new QFormLayout(this);
  form->setContentsMargins(0, 0, 0, 0);
  form->setHorizontalSpacing(10);
  form->setVerticalSpacing(4);
  form->setFieldGrowthPolicy(QFormLayout::ExpandingFieldsGrow);
  for (const SourceKey& key : m_keys) {
    QWidget* editor = makeEditor(key);
    QString label = toQ(key.id);
    form->addRow(label.replace(QLatin1Char('_'), QLatin1Char(' ')), editor);
    m_editors[key.id] = editor;
  }
}

QWidget* SourceForm::makeEditor(const SourceKey& key) {
  QWidget* made = nullptr;
  if (key.kind == SourceKey::Kind::Choice) {
    auto* combo = new QComboBox(this);
    for (const std::string& choice : key.choices) combo->addItem(toQ(choice));
    made = combo;
  } else {
    // A line, not a spin box: a default may be another key's value, and an empty line is the default. The
    // range is checked where sources are read, and said there.
    auto* line = new QLineEdit(this);
    line->setPlaceholderText(toQ(key.byDefault));
    connect(line, &QLineEdit::returnPressed, this, &SourceForm::submitted);
    made = line;
  }
  made->setObjectName(QStringLiteral("source_") + toQ(key.id));
  made->setAccessibleName(toQ(key.id));
  made->setToolTip(key.kind == SourceKey::Kind::Choice
                       ? toQ(key.help)
                       : tr("%1 From %2 to %3.").arg(toQ(key.help)).arg(key.minimum).arg(key.maximum));
  return made;
}

QString SourceForm::text() const {
  QStringList parts;
  for (const SourceKey& key : m_keys) {
    const QString value = valueOf(m_editors.at(key.id));
    if (!value.isEmpty() && value != toQ(key.byDefault)) parts << toQ(key.id) + QLatin1Char('=') + value;
  }
  return parts.join(QLatin1Char(','));
}

void SourceForm::setText(const QString& text) {
  std::map<std::string, QString> given;
  for (const QString& part : text.split(QLatin1Char(','), Qt::SkipEmptyParts))
    given[toStd(part.section(QLatin1Char('='), 0, 0))] = part.section(QLatin1Char('='), 1);
  for (const SourceKey& key : m_keys) {
    const auto it = given.find(key.id);
    QWidget* editor = m_editors.at(key.id);
    if (auto* combo = qobject_cast<QComboBox*>(editor))
      combo->setCurrentText(it == given.end() ? toQ(key.byDefault) : it->second);
    else
      qobject_cast<QLineEdit*>(editor)->setText(it == given.end() ? QString() : it->second);
  }
}

}  // namespace attnscope
