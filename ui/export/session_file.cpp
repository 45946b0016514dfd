// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/session_file.h"

#include <QFile>
#include <QFileInfo>
#include <QImageReader>

#include "ui/state/save_file.h"

namespace attnscope {

namespace {

constexpr const char* kMark = "attnscope-session:";
constexpr qint64 kMostBytes = 256LL << 20;  // a figure with embedded matrices has a few MB

// What follows the mark, up to the first sign that base64 does not have.
std::optional<QByteArray> unwrapped(const QByteArray& bytes) {
  const qsizetype mark = bytes.indexOf(kMark);
  if (mark < 0) return std::nullopt;
  const qsizetype begin = mark + static_cast<qsizetype>(qstrlen(kMark));
  qsizetype end = begin;
  const auto isBase64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
  };
  while (end < bytes.size() && isBase64(bytes[end])) ++end;
  return QByteArray::fromBase64(bytes.mid(begin, end - begin));
}

Result<QByteArray> readAll(const QString& path) {
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly))
    return fail(ErrorKind::Input, QStringLiteral("%1 cannot be read: %2. Check the name and its permissions.")
                                      .arg(path, file.errorString())
                                      .toStdString());
  if (file.size() > kMostBytes)
    return fail(ErrorKind::Input, QStringLiteral("%1 has %2 MB, too much for a session.")
                                      .arg(path)
                                      .arg(file.size() >> 20)
                                      .toStdString());
  return file.readAll();
}

// The text of the session that a file carries.
Result<std::optional<QByteArray>> carriedText(const QString& path) {
  const QString ending = QFileInfo(path).suffix().toLower();
  if (ending == QLatin1String("png")) {
    const QString text = QImageReader(path, "png").text(kPngSessionKey);
    return unwrapped(text.toLatin1());
  }
  const bool isSession = QLatin1Char('.') + ending == QLatin1String(kSessionEnding);
  if (!isSession && ending != QLatin1String("svg") && ending != QLatin1String("pdf")) return std::nullopt;
  ATTN_ASSIGN(bytes, readAll(path));
  if (isSession) return std::optional<QByteArray>(bytes);
  std::optional<QByteArray> carried = unwrapped(bytes);
  if (!carried)
    return fail(ErrorKind::Input,
                QStringLiteral("%1 carries no session; figures that were exported with one can be "
                               "opened, and PNG and JPEG pictures as inputs.")
                    .arg(path)
                    .toStdString());
  return carried;
}

}  // namespace

QString wrappedSession(const std::string& session) {
  return QLatin1String(kMark) + QString::fromLatin1(QByteArray::fromStdString(session).toBase64());
}

QByteArray xmpWithSession(const std::string& session) {
  return QByteArrayLiteral(
             "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
             "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"
             "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
             "<rdf:Description rdf:about=\"\" xmlns:attnscope=\"urn:attnscope:\"><attnscope:session>") +
         wrappedSession(session).toLatin1() +
         QByteArrayLiteral(
             "</attnscope:session></rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>");
}

Result<std::optional<Session>> openSession(const QString& path) {
  if (!QFileInfo(path).isFile()) return std::nullopt;  // whoever opens inputs says what is wrong
  ATTN_ASSIGN(carried, carriedText(path));
  if (!carried) return std::nullopt;
  ATTN_ASSIGN(session, parseSession(carried->toStdString(), path.toStdString()));
  findInputBeside(session, QFileInfo(path).absolutePath());
  return std::optional<Session>(std::move(session));
}

Status saveSession(const Session& session, const QString& path) {
  return saveFile(path, QByteArray::fromStdString(sessionText(session)));
}

}  // namespace attnscope
