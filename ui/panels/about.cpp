// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/about.h"

#include <QApplication>
#include <QDialog>
#include <QDialogButtonBox>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QTextBrowser>
#include <QVBoxLayout>

namespace attnscope {

namespace {

void collectRows(const QMenu* menu, QString& rows) {
  for (const QAction* action : menu->actions()) {
    if (action->menu()) collectRows(action->menu(), rows);
    if (action->shortcut().isEmpty()) continue;
    // Undo names what it would undo at the moment.
    QString name = action->objectName() == QLatin1String("undo")   ? QObject::tr("Undo")
                   : action->objectName() == QLatin1String("redo") ? QObject::tr("Redo")
                                                                   : action->text();
    rows += QStringLiteral("<tr><td><b>%1</b>&nbsp;&nbsp;</td><td>%2</td></tr>")
                .arg(action->shortcut().toString(QKeySequence::NativeText).toHtmlEscaped(),
                     name.remove(QLatin1Char('&')).toHtmlEscaped());
  }
}

}  // namespace

void showAbout(QWidget* parent) {
  const QString version = QApplication::applicationVersion();
  QMessageBox box(parent);
  box.setWindowTitle(QObject::tr("About Attnscope"));
  box.setIconPixmap(QApplication::windowIcon().pixmap(64));
  box.setTextFormat(Qt::RichText);
  box.setText(
      QObject::tr(
          "<h3>Attnscope %1</h3>"
          "<p>An instrument for looking at attention: exact patterns, maps, insides and costs of full "
          "attention and efficient Transformers, side by side.</p>"
          "<p>Free software under the GNU General Public License, version 3 or later. It comes with no "
          "warranty.</p>"
          "<p>Built with Qt %2 (LGPL 3), QCustomPlot (GPL 3), Eigen (MPL 2), oneTBB, Highway (Apache 2), "
          "fmt (MIT).</p>")
          .arg(version.toHtmlEscaped(), QString::fromLatin1(qVersion())));
  box.exec();
}

void showShortcuts(const QMenuBar* menus, QWidget* parent) {
  QString rows;
  for (const QAction* top : menus->actions())
    if (top->menu()) collectRows(top->menu(), rows);
  QDialog dialog(parent);
  dialog.setWindowTitle(QObject::tr("Keyboard shortcuts"));
  dialog.resize(520, 560);
  auto* text = new QTextBrowser(&dialog);
  text->setHtml(
      QObject::tr("<h4>Pictures</h4><table cellpadding=2>"
                  "<tr><td><b>arrow keys</b>&nbsp;&nbsp;</td><td>move the cross-hair by a cell; "
                  "with Shift by ten</td></tr>"
                  "<tr><td><b>+ and −</b></td><td>zoom at the cross-hair</td></tr>"
                  "<tr><td><b>Home</b></td><td>show everything</td></tr>"
                  "<tr><td><b>L</b></td><td>list the legend, with boxes that hide and show</td></tr>"
                  "<tr><td><b>click</b></td><td>keep a pair in the inspector; Esc lets it go</td></tr>"
                  "<tr><td><b>Tab</b></td><td>next picture or control</td></tr></table>"
                  "<h4>Column headers</h4><table cellpadding=2>"
                  "<tr><td><b>Space</b>&nbsp;&nbsp;</td><td>select for the parameters</td></tr>"
                  "<tr><td><b>Delete</b></td><td>remove from the wall</td></tr></table>"
                  "<h4>Commands</h4><table cellpadding=2>%1</table>")
          .arg(rows));
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, &dialog);
  QObject::connect(buttons, &QDialogButtonBox::rejected, &dialog, &QDialog::reject);
  auto* layout = new QVBoxLayout(&dialog);
  layout->addWidget(text, 1);
  layout->addWidget(buttons);
  dialog.exec();
}

}  // namespace attnscope
