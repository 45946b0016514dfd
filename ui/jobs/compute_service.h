// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QElapsedTimer>
#include <QObject>
#include <QThreadPool>
#include <QTimer>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/explore.h"
#include "ui/jobs/device_registry.h"
#include "ui/jobs/latest_job.h"
#include "ui/jobs/loaded_input.h"
#include "ui/state/device_choice.h"
#include "ui/state/document.h"

namespace attnscope {

using ExplorationPtr = std::shared_ptr<const Exploration>;
using InsidesPtr = std::shared_ptr<const std::vector<InsidePanel>>;

// What is known about a column. After a failure the last good exploration stays, so that nothing goes black.
struct ColumnResult {
  QString wanted;              // key of what the document asks for; empty: nothing yet
  ExplorationPtr exploration;  // the newest finished one
  QString shown;               // its key; different from `wanted` while computing and after a failure
  bool busy = false;
  QString error;                   // why `wanted` could not be computed; empty otherwise
  std::optional<TextFault> fault;  // the part of a parameter's text that is to blame for it, if one is
  bool passBusy = false;           // the exploration is a pattern without a pass, which is being run
  QString passError;               // why it could not be run
  InsidesPtr insides;
  QString insidesShown;  // shown + head
  bool insidesBusy = false;
  QString insidesError;

  [[nodiscard]] bool isCurrent() const { return exploration && shown == wanted; }
};

// What the pass of a column's pattern would take in time and memory, or why it failed if it was tried: what
// stands where a map would be.
[[nodiscard]] QString passSentence(const ColumnResult& column);

// A job that runs, for the status bar.
struct Activity {
  QString what;
  double fraction = 0.0;
  double seconds = 0.0;  // since it began
};

// Turns the document into results, off the GUI thread: reads the input, explores every column, makes the
// pictures of the insides. Newest request wins; finished explorations are kept by (input, spec), so undo is
// instant. GUI thread only.
class ComputeService final : public QObject {
  Q_OBJECT

 public:
  explicit ComputeService(Document* document, DeviceRegistry registry = {}, QObject* parent = nullptr);
  ~ComputeService() override;

  // Reads the document's input and computes everything; afterwards follows its signals.
  void begin();
  // Opens a source and, only if that worked, makes it the document's: a bad file leaves no trace but
  // inputFailed().
  void open(const QString& source);

  [[nodiscard]] LoadedInputPtr input() const { return m_input; }
  [[nodiscard]] Index head() const;  // the document's, or the last one there is
  [[nodiscard]] const ColumnResult& column(int index) const {
    return m_columns[static_cast<std::size_t>(index)];
  }
  // Whether the column's insides are those of what it shows.
  [[nodiscard]] bool hasInsides(int column) const;
  [[nodiscard]] bool isIdle() const;
  [[nodiscard]] std::vector<Activity> activities() const;
  // Empty until devicesKnown().
  [[nodiscard]] const std::vector<DeviceInfo>& devices() const { return m_devices; }

  // Where passes run from now on; what is on the wall is computed again there.
  void setDeviceChoice(const DeviceChoice& choice);
  [[nodiscard]] const DeviceChoice& deviceChoice() const { return m_choice; }
  // What the device can round to; float32 only as long as the devices are not known.
  [[nodiscard]] std::vector<Precision> precisions(const std::string& device) const;
  // The choice with what this machine has in place of what it has not.
  [[nodiscard]] DeviceChoice possible(const DeviceChoice& choice) const;

  void setInsidesWanted(bool wanted);
  // Runs the pass of a column that has a pattern only, whatever it takes.
  void requestPass(int column);
  void cancelAll();  // what was on screen stays
  void recompute();  // forgets failures, its own and its followers', and cancelled work, and asks again
  void shutDown();   // cancels and waits; nothing is delivered afterwards

 Q_SIGNALS:
  void inputReady();
  void inputFailed(const QString& sentence);
  void columnUpdated(int column);
  void insidesUpdated(int column);
  void activityChanged();
  void cancelledByUser();
  void failuresForgotten();  // by recompute(), before it asks again
  void devicesKnown();
  void devicesFailed(const QString& sentence);  // instead of devicesKnown(): they could not be listed
  void deviceChosen();

 private:
  void devicesArrived(Result<std::vector<DeviceInfo>> devices);
  void readInput();
  void inputArrived(const Result<LoadedInputPtr>& result, bool intoDocument);
  void resetColumns();
  void forgetColumn(int column);
  void forgetOtherHeads();
  void request(int column);
  void startColumn(int column);
  void columnArrived(int column, const QString& key, const Result<ExplorationPtr>& result);
  void passArrived(int column, const QString& key, const Result<ExplorationPtr>& result);
  void requestInsides(int column);
  void insidesArrived(int column, const QString& key, const Result<InsidesPtr>& result);
  void settleColumn(int column, const QString& key, ExplorationPtr exploration);
  [[nodiscard]] QString keyOf(int column) const;
  [[nodiscard]] QString insidesKey(const ColumnResult& column) const;
  void noteActivity();

  Document* m_document;
  DeviceRegistry m_registry;
  DeviceChoice m_choice;
  QThreadPool m_inputPool;
  QThreadPool
      m_computePool;  // one thread: a pass uses all cores itself, and two at a time would spoil both timings
  QThreadPool m_insidesPool;
  LatestJob m_inputJob{&m_inputPool, this};
  LatestJob m_deviceJob{&m_insidesPool, this};
  std::array<std::unique_ptr<LatestJob>, kMaxColumns> m_columnJobs;
  std::array<std::unique_ptr<LatestJob>, kMaxColumns> m_insidesJobs;
  std::array<bool, kMaxColumns> m_pending{};  // wait for the debounce
  std::array<ColumnResult, kMaxColumns> m_columns;
  std::vector<DeviceInfo> m_devices;
  QTimer m_debounce;
  QElapsedTimer m_busySince;
  QString m_reading;  // source being read
  LoadedInputPtr m_input;
  bool m_insidesWanted = true;
  QCache<QString, ExplorationPtr> m_explorations;
  QCache<QString, InsidesPtr> m_insides;
};

}  // namespace attnscope
