// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/gallery.h"

#include <QDesktopServices>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenu>
#include <QMouseEvent>
#include <QUrl>
#include <QVBoxLayout>

#include "core/mechanisms/registry.h"
#include "ui/icons.h"
#include "ui/jobs/thumbnails.h"
#include "ui/models/mechanism_model.h"
#include "ui/panels/gallery_delegate.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

Gallery::Gallery(Document* document, QWidget* parent)
    : QWidget(parent),
      m_document(document),
      m_model(new MechanismModel(document, this)),
      m_filter(new MechanismFilter(this)),
      m_thumbnails(new Thumbnails(this)),
      m_search(new QLineEdit(this)),
      m_view(new QTreeView(this)) {
  m_filter->setSourceModel(m_model);
  m_search->setPlaceholderText(tr("Find a mechanism"));
  m_search->setClearButtonEnabled(true);
  m_search->setAccessibleName(tr("Find a mechanism"));
  m_search->addAction(glyphIcon(Glyph::Search), QLineEdit::LeadingPosition);
  m_search->installEventFilter(this);

  m_view->setModel(m_filter);
  m_view->setItemDelegate(new GalleryDelegate(m_view));
  m_view->setHeaderHidden(true);
  m_view->setIndentation(0);
  m_view->setRootIsDecorated(false);
  m_view->setItemsExpandable(false);
  m_view->setMouseTracking(true);
  m_view->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_view->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_view->setContextMenuPolicy(Qt::CustomContextMenu);
  m_view->setAccessibleName(tr("Mechanisms"));
  m_view->expandAll();
  m_view->installEventFilter(this);
  m_view->viewport()->installEventFilter(this);

  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  auto* searchRow = new QVBoxLayout;
  searchRow->setContentsMargins(10, 8, 10, 2);
  searchRow->addWidget(m_search);
  layout->addLayout(searchRow);
  layout->addWidget(m_view, 1);

  connect(m_search, &QLineEdit::textChanged, this, [this](const QString& text) {
    m_filter->setWords(text);
    m_view->expandAll();
  });
  connect(m_view, &QTreeView::doubleClicked, this, &Gallery::add);
  connect(m_view, &QTreeView::customContextMenuRequested, this, &Gallery::showMenu);
  connect(m_thumbnails, &Thumbnails::ready, m_model, &MechanismModel::setPicture);
}

Gallery::~Gallery() = default;

void Gallery::begin() {
  m_thumbnails->begin();
}

void Gallery::focusSearch() {
  m_search->setFocus(Qt::ShortcutFocusReason);
  m_search->selectAll();
}

QString Gallery::currentMechanism() const {
  return m_view->currentIndex().data(MechanismModel::IdRole).toString();
}

void Gallery::addCurrent() {
  add(m_view->currentIndex());
}

void Gallery::add(const QModelIndex& index) {
  const QString id = index.data(MechanismModel::IdRole).toString();
  if (id.isEmpty()) return;
  MechanismSpec spec;
  spec.id = toStd(id);
  m_document->addColumn(spec);
}

bool Gallery::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::KeyPress) {
    const auto* key = static_cast<QKeyEvent*>(event);
    const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
    if (watched == m_view && enter) {
      addCurrent();
      return true;
    }
    if (watched == m_search && (key->key() == Qt::Key_Down || enter)) {
      const QModelIndex family = m_filter->index(0, 0);
      const QModelIndex first = m_filter->index(0, 0, family);
      if (first.isValid()) m_view->setCurrentIndex(first);
      m_view->setFocus();
      return true;
    }
  }
  if (watched == m_view->viewport() && event->type() == QEvent::MouseButtonRelease) {
    const auto* mouse = static_cast<QMouseEvent*>(event);
    const QModelIndex index = m_view->indexAt(mouse->pos());
    const bool onWall = !index.data(MechanismModel::ColumnsRole).value<QList<int>>().isEmpty();
    if (mouse->button() == Qt::LeftButton && index.isValid() && !onWall &&
        GalleryDelegate::addRect(m_view->visualRect(index)).contains(mouse->pos()))
      add(index);
  }
  return QWidget::eventFilter(watched, event);
}

void Gallery::showMenu(const QPoint& position) {
  const QModelIndex index = m_view->indexAt(position);
  const QString id = index.data(MechanismModel::IdRole).toString();
  if (id.isEmpty()) return;
  MechanismSpec spec;
  spec.id = toStd(id);
  QMenu menu(this);
  QAction* addAction = menu.addAction(tr("Add as a new column"), this, [this, index] { add(index); });
  addAction->setEnabled(m_document->columnCount() < kMaxColumns);
  menu.addSeparator();
  for (int i = 0; i < m_document->columnCount(); ++i)
    menu.addAction(tr("Replace column %1").arg(columnLetter(i)), this,
                   [this, i, spec] { m_document->replaceColumn(i, spec); });
  const auto found = findMechanism(spec.id);
  if (found && !(*found)->card().arxiv.empty()) {
    menu.addSeparator();
    const QUrl url(QStringLiteral("https://arxiv.org/abs/") + toQ((*found)->card().arxiv));
    menu.addAction(tr("Open the paper (%1)").arg(url.host()), this,
                   [url] { QDesktopServices::openUrl(url); });
  }
  menu.exec(m_view->viewport()->mapToGlobal(position));
}

}  // namespace attnscope
