// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QStandardPaths>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/export/figure_writer.h"
#include "ui/panels/heading.h"

namespace attnscope {

namespace {

constexpr double kOneColumnMm = 89.0;
constexpr double kTwoColumnsMm = 183.0;
constexpr double kSmallestFontPt = 5.0;
constexpr int kSmallestDpi = 300;
constexpr QSize kPreview{460, 420};

}  // namespace

ExportDialog::ExportDialog(FigureSpec spec, const QString& what, QWidget* parent)
    : QDialog(parent),
      m_spec(std::move(spec)),
      m_width(new QComboBox(this)),
      m_customWidth(new QDoubleSpinBox(this)),
      m_height(new QDoubleSpinBox(this)),
      m_dpi(new QSpinBox(this)),
      m_font(new QDoubleSpinBox(this)),
      m_theme(new QComboBox(this)),
      m_letters(new QCheckBox(tr("a, b, c on the panels"), this)),
      m_reopens(new QCheckBox(tr("carries the wall and the input's path"), this)),
      m_format(new QComboBox(this)),
      m_notes(makeNote({}, this)),
      m_preview(new QLabel(this)),
      m_previewSoon(new QTimer(this)),
      m_previewWriter(new FigureWriter(this)) {
  setWindowTitle(tr("Export a figure"));
  m_preview->setAlignment(Qt::AlignCenter);
  m_preview->setMinimumSize(kPreview);
  m_preview->setAccessibleName(tr("Preview of the figure"));
  m_preview->setText(tr("Preview"));
  auto* sides = new QHBoxLayout(this);
  sides->setContentsMargins(16, 14, 16, 14);
  sides->setSpacing(18);
  auto* layout = new QVBoxLayout;
  sides->addLayout(layout);
  sides->addWidget(m_preview, 1);
  layout->setSpacing(10);
  layout->addWidget(makeHeading(what, this));
  buildForm(layout);
  layout->addWidget(m_notes);
  layout->addStretch(1);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  m_save = buttons->addButton(tr("Save…"), QDialogButtonBox::AcceptRole);
  m_save->setDefault(true);
  layout->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(buttons, &QDialogButtonBox::accepted, this, &ExportDialog::chooseFile);
  m_previewSoon->setSingleShot(true);
  m_previewSoon->setInterval(200);
  connect(m_previewSoon, &QTimer::timeout, this, &ExportDialog::drawPreview);
  connect(m_previewWriter, &FigureWriter::finished, this, &ExportDialog::showPreview);
  connect(m_theme, &QComboBox::currentIndexChanged, this, &ExportDialog::updateNotes);
  connect(m_letters, &QCheckBox::toggled, this, &ExportDialog::updateNotes);
  restore();
  updateNotes();
}

void ExportDialog::drawPreview() {
  FigureSpec small = spec();
  // At the resolution of the screen, and no larger than the place for it: cheap enough to follow every
  // choice.
  small.dpi = std::clamp(25.4 * kPreview.width() * devicePixelRatioF() / widthMm(), 36.0, 150.0);
  m_previewWriter->start(small, m_previewFolder.filePath(QStringLiteral("preview.png")));
}

void ExportDialog::showPreview(const QString& path, const QString& error) {
  if (!error.isEmpty()) {
    m_preview->setText(error);
    m_preview->setWordWrap(true);
    return;
  }
  const QPixmap picture(path);
  const QSize place = m_preview->size() * devicePixelRatioF();
  QPixmap shown = picture.width() > place.width() || picture.height() > place.height()
                      ? picture.scaled(place, Qt::KeepAspectRatio, Qt::SmoothTransformation)
                      : picture;
  shown.setDevicePixelRatio(devicePixelRatioF());
  m_preview->setPixmap(shown);
}

void ExportDialog::buildForm(QVBoxLayout* layout) {
  m_width->addItem(tr("one column, 89 mm"), kOneColumnMm);
  m_width->addItem(tr("two columns, 183 mm"), kTwoColumnsMm);
  m_width->addItem(tr("other"), 0.0);
  m_customWidth->setRange(20, 1200);
  m_customWidth->setSuffix(tr(" mm"));
  m_customWidth->setDecimals(1);
  m_height->setRange(0, 1200);
  m_height->setDecimals(1);
  m_height->setSuffix(tr(" mm"));
  m_height->setSpecialValueText(tr("as high as it needs"));
  m_dpi->setRange(72, 1200);
  m_dpi->setSingleStep(50);
  m_dpi->setSuffix(tr(" dpi"));
  m_font->setRange(4, 24);
  m_font->setSingleStep(0.5);
  m_font->setDecimals(1);
  m_font->setSuffix(tr(" pt"));
  m_theme->addItems({tr("light, for paper"), tr("dark, for slides")});
  m_format->addItem(tr("PDF: text stays text, cells stay sharp"), QStringLiteral("pdf"));
  m_format->addItem(tr("SVG: for editing"), QStringLiteral("svg"));
  m_format->addItem(tr("PNG: pixels"), QStringLiteral("png"));
  auto* form = new QFormLayout;
  form->setHorizontalSpacing(14);
  form->setFieldGrowthPolicy(QFormLayout::ExpandingFieldsGrow);
  form->addRow(tr("Format"), m_format);
  form->addRow(tr("Width"), m_width);
  form->addRow(QString(), m_customWidth);
  form->addRow(tr("Height"), m_height);
  form->addRow(tr("Resolution"), m_dpi);
  form->addRow(tr("Text"), m_font);
  form->addRow(tr("Colours"), m_theme);
  form->addRow(tr("Letters"), m_letters);
  m_reopens->setToolTip(tr("Then the figure can be opened here as what it shows"));
  form->addRow(tr("Opens again"), m_reopens);
  form->setRowVisible(m_reopens, !m_spec.session.empty());
  layout->addLayout(form);
  connect(m_width, &QComboBox::currentIndexChanged, this, &ExportDialog::updateNotes);
  connect(m_format, &QComboBox::currentIndexChanged, this, &ExportDialog::updateNotes);
  connect(m_dpi, &QSpinBox::valueChanged, this, &ExportDialog::updateNotes);
  for (QDoubleSpinBox* box : {m_customWidth, m_height, m_font})
    connect(box, &QDoubleSpinBox::valueChanged, this, &ExportDialog::updateNotes);
}

double ExportDialog::widthMm() const {
  const double preset = m_width->currentData().toDouble();
  return preset > 0 ? preset : m_customWidth->value();
}

void ExportDialog::updateNotes() {
  m_customWidth->setEnabled(m_width->currentData().toDouble() <= 0);
  const bool pixels = m_format->currentData().toString() == QLatin1String("png");
  m_dpi->setEnabled(pixels);
  QStringList notes;
  if (pixels) notes << tr("%1 pixels wide.").arg(std::lround(widthMm() / 25.4 * m_dpi->value()));
  if (m_font->value() < kSmallestFontPt) notes << tr("Journals ask for text of 5 points or more.");
  if (pixels && m_dpi->value() < kSmallestDpi) notes << tr("Journals ask for 300 dpi or more.");
  notes << tr("The file carries the program's version, the device, the input and all parameters.");
  m_notes->setText(notes.join(QLatin1Char(' ')));
  m_previewSoon->start();
}

void ExportDialog::restore() {
  const QSettings settings;
  m_width->setCurrentIndex(settings.value(QStringLiteral("export/width"), 1).toInt());
  m_customWidth->setValue(settings.value(QStringLiteral("export/customWidth"), 120.0).toDouble());
  m_height->setValue(settings.value(QStringLiteral("export/height"), 0.0).toDouble());
  m_dpi->setValue(settings.value(QStringLiteral("export/dpi"), 300).toInt());
  m_font->setValue(settings.value(QStringLiteral("export/font"), 7.0).toDouble());
  m_theme->setCurrentIndex(settings.value(QStringLiteral("export/theme"), 0).toInt());
  m_letters->setChecked(settings.value(QStringLiteral("export/letters"), true).toBool());
  m_reopens->setChecked(settings.value(QStringLiteral("export/reopens"), true).toBool());
  m_format->setCurrentIndex(settings.value(QStringLiteral("export/format"), 0).toInt());
}

void ExportDialog::remember() const {
  QSettings settings;
  settings.setValue(QStringLiteral("export/width"), m_width->currentIndex());
  settings.setValue(QStringLiteral("export/customWidth"), m_customWidth->value());
  settings.setValue(QStringLiteral("export/height"), m_height->value());
  settings.setValue(QStringLiteral("export/dpi"), m_dpi->value());
  settings.setValue(QStringLiteral("export/font"), m_font->value());
  settings.setValue(QStringLiteral("export/theme"), m_theme->currentIndex());
  settings.setValue(QStringLiteral("export/letters"), m_letters->isChecked());
  settings.setValue(QStringLiteral("export/reopens"), m_reopens->isChecked());
  settings.setValue(QStringLiteral("export/format"), m_format->currentIndex());
  settings.setValue(QStringLiteral("export/folder"), QFileInfo(m_path).absolutePath());
}

void ExportDialog::chooseFile() {
  const QString ending = m_format->currentData().toString();
  const QString home = QStandardPaths::writableLocation(QStandardPaths::PicturesLocation);
  const QString folder = QSettings().value(QStringLiteral("export/folder"), home).toString();
  QString path = QFileDialog::getSaveFileName(this, tr("Save the figure"),
                                              QDir(folder).filePath(QStringLiteral("attention.") + ending),
                                              tr("%1 files (*.%2)").arg(ending.toUpper(), ending));
  if (path.isEmpty()) return;
  if (QFileInfo(path).suffix().isEmpty()) path += QLatin1Char('.') + ending;
  m_path = path;
  remember();
  accept();
}

FigureSpec ExportDialog::spec() const {
  FigureSpec chosen = m_spec;
  chosen.millimetres = QSizeF(widthMm(), m_height->value());
  chosen.dpi = m_dpi->value();
  chosen.fontPoints = m_font->value();
  chosen.letters = m_letters->isChecked();
  if (!m_reopens->isChecked()) chosen.session.clear();
  chosen.theme = m_theme->currentIndex() == 1 ? PlotTheme::dark() : PlotTheme::light();
  return chosen;
}

}  // namespace attnscope
