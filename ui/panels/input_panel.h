// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

class QComboBox;
class QLabel;
class QPlainTextEdit;

namespace attnscope {

class ComputeService;
class SourceForm;

// Where Q, K and V come from: the captured model inside the program, a recipe with its options, text typed
// in, or a file. Choosing here only asks; a source that cannot be read changes nothing.
class InputPanel final : public QWidget {
  Q_OBJECT

 public:
  explicit InputPanel(ComputeService* service, QWidget* parent = nullptr);

  void setRecent(const QStringList& files);

 Q_SIGNALS:
  void fileDialogAsked();
  void sourceChosen(const QString& source);

 private:
  [[nodiscard]] QWidget* makeSamplePage();
  [[nodiscard]] QWidget* makeRecipePage();
  [[nodiscard]] QWidget* makeTextPage();
  [[nodiscard]] QWidget* makeFilePage();
  void showInput();
  void useRecipe();
  void useText();
  void showReading();
  void readAgain();

  ComputeService* m_service;
  QLabel* m_title;
  QLabel* m_facts;
  QComboBox* m_kind;
  std::vector<QWidget*> m_pages;
  QComboBox* m_recipe = nullptr;
  std::vector<QWidget*> m_formPages;
  QLabel* m_recipeHelp = nullptr;
  std::vector<SourceForm*> m_forms;
  QPlainTextEdit* m_text = nullptr;
  QComboBox* m_unit = nullptr;
  QLabel* m_recent = nullptr;
  QWidget* m_reading = nullptr;  // of a file: how it is read, with a form for its kind
  SourceForm* m_readingForm = nullptr;
};

}  // namespace attnscope
