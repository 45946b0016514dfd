// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/input_panel.h"

#include <QComboBox>
#include <QFileInfo>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include "core/base/units.h"
#include "core/inputs/recipes.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/heading.h"
#include "ui/panels/source_form.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

enum Page { SamplePage, RecipePage, TextPage, FilePage };

QVBoxLayout* pageLayout(QWidget* page) {
  auto* layout = new QVBoxLayout(page);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(7);
  return layout;
}

// Of several widgets one below the other, only one is there: unlike a stack this is as high as what it shows.
void showOnly(const std::vector<QWidget*>& pages, int index) {
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i]->setVisible(static_cast<int>(i) == index);
}

}  // namespace

InputPanel::InputPanel(ComputeService* service, QWidget* parent)
    : QWidget(parent),
      m_service(service),
      m_title(new QLabel(this)),
      m_facts(makeNote({}, this)),
      m_kind(new QComboBox(this)) {
  auto* inner = new QWidget;
  auto* layout = new QVBoxLayout(inner);
  layout->setContentsMargins(12, 10, 12, 10);
  layout->setSpacing(7);
  QFont bold = m_title->font();
  bold.setWeight(QFont::DemiBold);
  m_title->setFont(bold);
  m_title->setWordWrap(true);
  layout->addWidget(m_title);
  layout->addWidget(m_facts);
  layout->addSpacing(6);
  layout->addWidget(makeHeading(tr("Choose another"), this));
  m_kind->addItems({tr("Real model (sample)"), tr("Recipe"), tr("Text"), tr("File: tensors, picture, text")});
  m_kind->setAccessibleName(tr("Kind of input"));
  m_kind->setObjectName(QStringLiteral("inputKind"));
  layout->addWidget(m_kind);
  m_pages = {makeSamplePage(), makeRecipePage(), makeTextPage(), makeFilePage()};
  for (QWidget* page : m_pages) layout->addWidget(page);
  layout->addStretch(1);
  showOnly(m_pages, SamplePage);

  auto* scroll = new QScrollArea(this);
  scroll->setWidget(inner);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(scroll);

  connect(m_kind, &QComboBox::currentIndexChanged, this, [this](int page) { showOnly(m_pages, page); });
  connect(m_service, &ComputeService::inputReady, this, &InputPanel::showInput);
}

QWidget* InputPanel::makeSamplePage() {
  auto* page = new QWidget(this);
  auto* layout = pageLayout(page);
  layout->addWidget(makeNote(
      tr("Queries, keys and values captured from a trained model reading a paragraph, with its tokens."),
      page));
  auto* use = new QPushButton(tr("Use the sample"), page);
  layout->addWidget(use);
  connect(use, &QPushButton::clicked, this, [this] { Q_EMIT sourceChosen(QStringLiteral("sample")); });
  return page;
}

QWidget* InputPanel::makeRecipePage() {
  auto* page = new QWidget(this);
  auto* layout = pageLayout(page);
  m_recipe = new QComboBox(page);
  m_recipe->setObjectName(QStringLiteral("recipe"));
  m_recipe->setAccessibleName(tr("Recipe"));
  m_recipeHelp = makeNote({}, page);
  layout->addWidget(m_recipe);
  layout->addWidget(m_recipeHelp);
  for (const Recipe& recipe : recipes()) {
    m_recipe->addItem(toQ(recipe.title));
    auto* form = new SourceForm(recipe.keys, page);
    m_forms.push_back(form);
    m_formPages.push_back(form);
    layout->addWidget(form);
    connect(form, &SourceForm::submitted, this, &InputPanel::useRecipe);
  }
  auto* use = new QPushButton(tr("Make this input"), page);
  use->setObjectName(QStringLiteral("useRecipe"));
  layout->addWidget(use);
  connect(use, &QPushButton::clicked, this, &InputPanel::useRecipe);
  const auto choose = [this](int index) {
    showOnly(m_formPages, index);
    m_recipeHelp->setText(toQ(recipes()[static_cast<std::size_t>(index)].help));
  };
  connect(m_recipe, &QComboBox::currentIndexChanged, this, choose);
  choose(0);
  return page;
}

QWidget* InputPanel::makeTextPage() {
  auto* page = new QWidget(this);
  auto* layout = pageLayout(page);
  m_text = new QPlainTextEdit(page);
  m_text->setTabChangesFocus(true);
  m_text->setPlaceholderText(tr("Type or paste a text"));
  m_text->setAccessibleName(tr("Text"));
  m_text->setTabChangesFocus(true);
  m_text->setMinimumHeight(90);
  m_text->setMaximumHeight(140);
  layout->addWidget(m_text);
  auto* row = new QHBoxLayout;
  m_unit = new QComboBox(page);
  m_unit->addItem(tr("a token is a word"), QStringLiteral("word"));
  m_unit->addItem(tr("a token is a character"), QStringLiteral("char"));
  m_unit->addItem(tr("a token is a byte"), QStringLiteral("byte"));
  auto* use = new QPushButton(tr("Use"), page);
  row->addWidget(m_unit, 1);
  row->addWidget(use);
  layout->addLayout(row);
  layout->addWidget(
      makeNote(tr("Words become vectors by a fixed hash and their position: equal words attend to each "
                  "other. No trained model is behind it."),
               page));
  connect(use, &QPushButton::clicked, this, &InputPanel::useText);
  return page;
}

QWidget* InputPanel::makeFilePage() {
  auto* page = new QWidget(this);
  auto* layout = pageLayout(page);
  auto* open = new QPushButton(tr("Open a file…"), page);
  layout->addWidget(open);
  layout->addWidget(
      makeNote(tr("safetensors, npz or npy with arrays q, k and v; PNG and JPEG pictures; text in UTF-8. "
                  "Or drop a file anywhere on the window."),
               page));
  m_recent = makeNote({}, page);
  m_recent->setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
  layout->addWidget(m_recent);
  m_reading = new QWidget(page);
  auto* reading = pageLayout(m_reading);
  reading->addWidget(makeHeading(tr("How this file is read"), m_reading));
  auto* again = new QPushButton(tr("Read it so"), m_reading);
  again->setObjectName(QStringLiteral("readAgain"));
  reading->addWidget(again);
  m_reading->hide();
  layout->addWidget(m_reading);
  connect(again, &QPushButton::clicked, this, &InputPanel::readAgain);
  connect(open, &QPushButton::clicked, this, &InputPanel::fileDialogAsked);
  connect(m_recent, &QLabel::linkActivated, this, &InputPanel::sourceChosen);
  return page;
}

void InputPanel::setRecent(const QStringList& files) {
  QStringList lines;
  for (const QString& file : files)
    lines << QStringLiteral("<a href=\"%1\">%2</a>")
                 .arg(file.toHtmlEscaped(), QFileInfo(file).fileName().toHtmlEscaped());
  m_recent->setText(lines.isEmpty()
                        ? QString()
                        : tr("Recent:") + QStringLiteral("<br>") + lines.join(QStringLiteral("<br>")));
}

void InputPanel::useRecipe() {
  const auto index = static_cast<std::size_t>(m_recipe->currentIndex());
  const QString options = m_forms[index]->text();
  const QString id = toQ(recipes()[index].id);
  Q_EMIT sourceChosen(options.isEmpty() ? id : id + QLatin1Char(':') + options);
}

void InputPanel::useText() {
  const QString text = m_text->toPlainText().trimmed();
  if (text.isEmpty()) return m_text->setFocus();
  Q_EMIT sourceChosen(QStringLiteral("text:unit=%1:%2").arg(m_unit->currentData().toString(), text));
}

// The form is made again for each file, since the keys are those of its kind. Layers are chosen in the
// window's bar, also of files.
void InputPanel::showReading() {
  const std::optional<FileReading> reading = m_service->input()->document->reading();
  m_reading->setVisible(reading.has_value());
  delete m_readingForm;
  m_readingForm = nullptr;
  if (!reading) return;
  std::vector<SourceKey> keys = reading->keys;
  std::erase_if(keys, [](const SourceKey& key) { return key.id == "layer"; });
  m_readingForm = new SourceForm(std::move(keys), m_reading);
  m_readingForm->setText(toQ(reading->options));
  static_cast<QVBoxLayout*>(m_reading->layout())->insertWidget(1, m_readingForm);
  connect(m_readingForm, &SourceForm::submitted, this, &InputPanel::readAgain, Qt::QueuedConnection);
}

void InputPanel::readAgain() {
  const std::optional<FileReading> reading = m_service->input()->document->reading();
  if (reading && m_readingForm != nullptr)
    Q_EMIT sourceChosen(toQ(reading->sourceWith(toStd(m_readingForm->text()))));
}

void InputPanel::showInput() {
  const LoadedInput& loaded = *m_service->input();
  const Shape shape = loaded.shape();
  m_title->setText(isolated(toQ(loaded.input.title)));
  const QString length =
      shape.nQ == shape.nK
          ? tr("%1 tokens").arg(toQ(countText(shape.nQ)))
          : tr("%1 queries, %2 keys").arg(toQ(countText(shape.nQ)), toQ(countText(shape.nK)));
  QStringList facts{length, shape.heads == 1 ? tr("1 head") : tr("%1 heads").arg(shape.heads),
                    tr("d = %1").arg(shape.d)};
  if (loaded.layerNames.size() > 1) facts << tr("%1 layers").arg(loaded.layerNames.size());
  m_facts->setText(facts.join(QStringLiteral(" · ")));
  const QString source = loaded.source;
  const QString recipeId = source.section(QLatin1Char(':'), 0, 0);
  const auto& all = recipes();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (toQ(all[i].id) != recipeId) continue;
    m_recipe->setCurrentIndex(static_cast<int>(i));
    m_forms[i]->setText(source.section(QLatin1Char(':'), 1));
    m_kind->setCurrentIndex(RecipePage);
  }
  if (recipeId == QLatin1String("text")) m_kind->setCurrentIndex(TextPage);
  showReading();
  if (m_readingForm != nullptr) m_kind->setCurrentIndex(FilePage);
}

}  // namespace attnscope
