// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/compute_service.h"

#include <algorithm>

#include "core/base/units.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

constexpr int kDebounceMs = 30;
constexpr double kPatternFirst = 0.25;  // seconds of a pass that the pattern does not wait for
constexpr qsizetype kExplorationCacheKb = 512 * 1024;

qsizetype costKb(const Exploration& exploration) {
  if (!exploration.hasPass()) return 16 * 1024;  // orders and rules; the estimate is of what is not there
  return static_cast<qsizetype>(exploration.cost.peakBytes / 1024.0) + 1;
}

// Finds the chosen device on the worker: the first time may take a moment.
struct ChosenDevice {
  DeviceRegistry registry;
  DeviceChoice choice;

  [[nodiscard]] Result<ExplorationPtr> runPass(const ExplorationPtr& planned, const JobContext& job) const {
    ATTN_ASSIGN(backend, registry.find(choice.device));
    RunOptions options;
    options.precision = choice.precision;
    return attnscope::runPass(planned, *backend, options, {}, job);
  }
};

Result<ExplorationPtr> computeColumn(const MechanismSpec& spec, const LoadedInput& input,
                                     const ChosenDevice& device, const JobContext& job) {
  ATTN_ASSIGN(planned, explorePattern(spec, input.input, {}, job));
  if (!planned->estimate.runsUnasked() || planned->estimate.seconds > kPatternFirst) return planned;
  return device.runPass(planned, job);
}

}  // namespace

QString passSentence(const ColumnResult& column) {
  if (!column.exploration || column.exploration->hasPass()) return {};
  if (!column.passError.isEmpty()) return column.passError;
  const PassEstimate& estimate = column.exploration->estimate;
  // Short: it stands in squares of a hundred pixels.
  return QObject::tr("Not computed: about %1 and %2.")
      .arg(toQ(durationText(estimate.seconds)), toQ(bytesText(estimate.bytes)));
}

ComputeService::ComputeService(Document* document, DeviceRegistry registry, QObject* parent)
    : QObject(parent), m_document(document), m_registry(std::move(registry)) {
  m_inputPool.setMaxThreadCount(2);  // a new file is not kept waiting by a slow one that is being dropped
  m_computePool.setMaxThreadCount(1);
  m_insidesPool.setMaxThreadCount(2);
  m_explorations.setMaxCost(kExplorationCacheKb);
  m_insides.setMaxCost(64);
  for (std::size_t i = 0; i < m_columns.size(); ++i) {
    m_columnJobs[i] = std::make_unique<LatestJob>(&m_computePool, this);
    m_insidesJobs[i] = std::make_unique<LatestJob>(&m_insidesPool, this);
  }
  m_debounce.setSingleShot(true);
  m_debounce.setInterval(kDebounceMs);
  connect(&m_debounce, &QTimer::timeout, this, [this] {
    for (int i = 0; i < m_document->columnCount(); ++i)
      if (std::exchange(m_pending[static_cast<std::size_t>(i)], false)) startColumn(i);
  });
  connect(m_document, &Document::inputChanged, this, &ComputeService::readInput);
  connect(m_document, &Document::columnsChanged, this, &ComputeService::resetColumns);
  connect(m_document, &Document::columnChanged, this, &ComputeService::request);
  connect(m_document, &Document::optionsChanged, this, [this] {
    for (int i = 0; i < m_document->columnCount(); ++i) request(i);
  });
  connect(m_document, &Document::headChanged, this, [this] {
    for (int i = 0; i < m_document->columnCount(); ++i) {
      requestInsides(i);
      Q_EMIT columnUpdated(i);
    }
  });
}

ComputeService::~ComputeService() {
  shutDown();
}

void ComputeService::shutDown() {
  m_debounce.stop();
  m_inputJob.cancel();
  m_deviceJob.cancel();
  for (auto& job : m_columnJobs) job->cancel();
  for (auto& job : m_insidesJobs) job->cancel();
  m_inputPool.waitForDone();
  m_computePool.waitForDone();
  m_insidesPool.waitForDone();
}

void ComputeService::begin() {
  readInput();
  m_deviceJob.start(
      [all = m_registry.all](const JobContext&) -> Result<std::vector<DeviceInfo>> { return all(); },
      [this](Result<std::vector<DeviceInfo>> devices) { devicesArrived(std::move(devices)); });
}

void ComputeService::devicesArrived(Result<std::vector<DeviceInfo>> devices) {
  if (!devices) {
    Q_EMIT devicesFailed(toQ(devices.error().message));
    return;
  }
  m_devices = std::move(*devices);
  setDeviceChoice(possible(m_choice));
  Q_EMIT devicesKnown();
  noteActivity();
}

void ComputeService::setDeviceChoice(const DeviceChoice& choice) {
  if (choice == m_choice) return;
  m_choice = choice;
  for (int i = 0; i < m_document->columnCount(); ++i) request(i);
  Q_EMIT deviceChosen();
}

std::vector<Precision> ComputeService::precisions(const std::string& device) const {
  const auto usable = [&](const DeviceInfo& info) {
    // Automatic takes a device without a reason against it, and the CPU, which has float32 only, if none is.
    return info.available && (device == "auto" ? info.id != "cpu" && info.reason.empty() : info.id == device);
  };
  const auto found = std::find_if(m_devices.begin(), m_devices.end(), usable);
  return found != m_devices.end() ? found->precisions : std::vector<Precision>{Precision::Fp32};
}

DeviceChoice ComputeService::possible(const DeviceChoice& choice) const {
  DeviceChoice result = choice;
  const bool there = std::any_of(m_devices.begin(), m_devices.end(), [&](const DeviceInfo& info) {
    return info.available && info.id == choice.device;
  });
  if (!there) result.device = "auto";
  const std::vector<Precision> has = precisions(result.device);
  if (std::find(has.begin(), has.end(), result.precision) == has.end()) result.precision = Precision::Fp32;
  return result;
}

Index ComputeService::head() const {
  const Index heads = m_input ? m_input->shape().heads : 1;
  return std::clamp<Index>(m_document->state().head, 0, heads - 1);
}

void ComputeService::readInput() {
  const DocumentState& state = m_document->state();
  if (m_input && m_input->source == state.source && m_input->layer == state.layer) {
    m_inputJob.cancel();
    noteActivity();
    return;
  }
  m_reading = state.source;
  auto opened = m_input && m_input->source == state.source ? m_input->document : nullptr;
  m_inputJob.start([source = state.source, layer = state.layer,
                    opened](const JobContext& job) { return readSource(source, layer, opened, job); },
                   [this](const Result<LoadedInputPtr>& result) { inputArrived(result, false); });
  noteActivity();
}

void ComputeService::open(const QString& source) {
  m_reading = source;
  m_inputJob.start([source](const JobContext& job) { return readSource(source, 0, nullptr, job); },
                   [this](const Result<LoadedInputPtr>& result) { inputArrived(result, true); });
  noteActivity();
}

void ComputeService::inputArrived(const Result<LoadedInputPtr>& result, bool intoDocument) {
  if (!result) {
    Q_EMIT inputFailed(toQ(result.error().message));
    noteActivity();
    return;
  }
  m_input = *result;
  forgetOtherHeads();
  // A source may name its layer itself.
  if (intoDocument || m_input->layer != m_document->state().layer)
    m_document->setSource(m_input->source, m_input->layer);
  Q_EMIT inputReady();
  for (int i = 0; i < m_document->columnCount(); ++i) request(i);
  noteActivity();
}

QString ComputeService::keyOf(int column) const {
  if (!m_input) return {};
  return QStringLiteral("%1|%2|%3|%4")
      .arg(m_input->input.digest, 16, 16)
      .arg(toQ(callSpec(m_document->state(), column).text()), toQ(m_choice.device),
           toQ(precisionName(m_choice.precision)));
}

QString ComputeService::insidesKey(const ColumnResult& column) const {
  return QStringLiteral("%1#%2").arg(column.shown).arg(head());
}

bool ComputeService::hasInsides(int column) const {
  const ColumnResult& result = m_columns[static_cast<std::size_t>(column)];
  return result.insides && result.insidesShown == insidesKey(result);
}

void ComputeService::forgetColumn(int column) {
  const auto at = static_cast<std::size_t>(column);
  m_columnJobs[at]->cancel();
  m_insidesJobs[at]->cancel();
  m_pending[at] = false;
  m_columns[at] = {};
}

// Pictures of the input before stay until the new ones are there, but not with a head that they do not have.
void ComputeService::forgetOtherHeads() {
  for (int i = 0; i < kMaxColumns; ++i) {
    const ExplorationPtr& shown = m_columns[static_cast<std::size_t>(i)].exploration;
    if (shown && shown->input.shape().heads != m_input->shape().heads) forgetColumn(i);
  }
}

void ComputeService::resetColumns() {
  // A column that moved keeps its pictures, whatever its place was before.
  for (int i = 0; i < kMaxColumns; ++i) forgetColumn(i);
  for (int i = 0; i < m_document->columnCount(); ++i) {
    request(i);
    Q_EMIT columnUpdated(i);
  }
  noteActivity();
}

void ComputeService::request(int column) {
  if (!m_input) return;
  const auto at = static_cast<std::size_t>(column);
  ColumnResult& result = m_columns[at];
  const QString key = keyOf(column);
  if (key == result.wanted && (result.busy || result.isCurrent())) return;
  result.wanted = key;
  result.error.clear();
  result.passBusy = false;
  result.fault.reset();
  m_columnJobs[at]->cancel();
  m_insidesJobs[at]->cancel();
  result.insidesBusy = false;
  if (const ExplorationPtr* known = m_explorations.object(key)) {
    m_pending[at] = false;
    settleColumn(column, key, *known);
    noteActivity();
    return;
  }
  result.busy = true;
  if (!result.exploration) {
    startColumn(column);
  } else {
    m_pending[at] = true;  // the timer is not restarted: during a drag it fires at its own pace
    if (!m_debounce.isActive()) m_debounce.start();
  }
  Q_EMIT columnUpdated(column);
  noteActivity();
}

void ComputeService::startColumn(int column) {
  const auto at = static_cast<std::size_t>(column);
  const QString key = m_columns[at].wanted;
  m_columnJobs[at]->start(
      [spec = callSpec(m_document->state(), column), input = m_input,
       device = ChosenDevice{m_registry, m_choice}](const JobContext& job) {
        return computeColumn(spec, *input, device, job);
      },
      [this, column, key](const Result<ExplorationPtr>& result) { columnArrived(column, key, result); });
  noteActivity();
}

void ComputeService::columnArrived(int column, const QString& key, const Result<ExplorationPtr>& result) {
  ColumnResult& target = m_columns[static_cast<std::size_t>(column)];
  if (result) {
    m_explorations.insert(key, new ExplorationPtr(*result), costKb(**result));
    settleColumn(column, key, *result);
  } else {
    target.busy = false;
    target.error = toQ(result.error().message);
    target.fault = result.error().fault;
    Q_EMIT columnUpdated(column);
  }
  noteActivity();
}

void ComputeService::requestPass(int column) {
  const auto at = static_cast<std::size_t>(column);
  ColumnResult& target = m_columns[at];
  if (!target.isCurrent() || target.exploration->hasPass() || target.passBusy) return;
  target.passBusy = true;
  target.passError.clear();
  m_columnJobs[at]->start([planned = target.exploration, device = ChosenDevice{m_registry, m_choice}](
                              const JobContext& job) { return device.runPass(planned, job); },
                          [this, column, key = target.shown](const Result<ExplorationPtr>& result) {
                            passArrived(column, key, result);
                          });
  Q_EMIT columnUpdated(column);
  noteActivity();
}

void ComputeService::passArrived(int column, const QString& key, const Result<ExplorationPtr>& result) {
  if (result) return columnArrived(column, key, result);
  ColumnResult& target = m_columns[static_cast<std::size_t>(column)];
  target.passBusy = false;
  target.passError = toQ(result.error().message);
  Q_EMIT columnUpdated(column);
  noteActivity();
}

void ComputeService::settleColumn(int column, const QString& key, ExplorationPtr exploration) {
  ColumnResult& target = m_columns[static_cast<std::size_t>(column)];
  target.busy = false;
  target.error.clear();
  target.fault.reset();
  target.exploration = std::move(exploration);
  target.passBusy = false;
  target.passError.clear();
  target.shown = key;
  if (!target.exploration->hasPass()) {  // insides come with a pass; those of another must not stay
    target.insides = nullptr;
    target.insidesShown.clear();
    target.insidesError.clear();
  }
  if (!target.exploration->hasPass() && target.exploration->estimate.runsUnasked())
    requestPass(column);
  else
    Q_EMIT columnUpdated(column);
  requestInsides(column);
}

void ComputeService::setInsidesWanted(bool wanted) {
  m_insidesWanted = wanted;
  if (!wanted) return;
  for (int i = 0; i < m_document->columnCount(); ++i) requestInsides(i);
}

void ComputeService::requestInsides(int column) {
  const auto at = static_cast<std::size_t>(column);
  ColumnResult& target = m_columns[at];
  if (!m_insidesWanted || !target.isCurrent() || !target.exploration->hasPass()) return;
  const QString key = insidesKey(target);
  if (target.insidesShown == key && !target.insidesBusy) return;
  m_insidesJobs[at]->cancel();
  if (const InsidesPtr* known = m_insides.object(key)) {
    insidesArrived(column, key, *known);
    return;
  }
  target.insidesBusy = true;
  m_insidesJobs[at]->start(
      [exploration = target.exploration, head = head()](const JobContext& job) -> Result<InsidesPtr> {
        ATTN_ASSIGN(panels, exploration->insides(head, job));
        return InsidesPtr(std::make_shared<const std::vector<InsidePanel>>(std::move(panels)));
      },
      [this, column, key](const Result<InsidesPtr>& result) { insidesArrived(column, key, result); });
  Q_EMIT insidesUpdated(column);
  noteActivity();
}

void ComputeService::insidesArrived(int column, const QString& key, const Result<InsidesPtr>& result) {
  ColumnResult& target = m_columns[static_cast<std::size_t>(column)];
  target.insidesBusy = false;
  target.insidesShown = key;
  target.insidesError.clear();
  if (result) {
    target.insides = *result;
    if (!m_insides.contains(key)) m_insides.insert(key, new InsidesPtr(*result));
  } else {
    target.insides = nullptr;
    target.insidesError = toQ(result.error().message);
  }
  Q_EMIT insidesUpdated(column);
  noteActivity();
}

bool ComputeService::isIdle() const {
  if (!m_input || m_inputJob.isRunning()) return false;
  return std::none_of(m_columns.begin(), m_columns.end(), [](const ColumnResult& column) {
    return column.busy || column.passBusy || column.insidesBusy;
  });
}

void ComputeService::noteActivity() {
  if (activities().empty()) {
    m_busySince.invalidate();
  } else if (!m_busySince.isValid()) {
    m_busySince.start();
  }
  Q_EMIT activityChanged();
}

std::vector<Activity> ComputeService::activities() const {
  std::vector<Activity> list;
  const double seconds = m_busySince.isValid() ? static_cast<double>(m_busySince.elapsed()) / 1000.0 : 0.0;
  if (m_inputJob.isRunning())
    list.push_back({tr("Reading %1").arg(m_reading), m_inputJob.fraction(), seconds});
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const QString letter(columnLetter(i));
    if (m_columns[at].busy || m_columns[at].passBusy)
      list.push_back({tr("Computing %1").arg(letter), m_columnJobs[at]->fraction(), seconds});
    if (m_columns[at].insidesBusy)
      list.push_back({tr("Drawing the insides of %1").arg(letter), m_insidesJobs[at]->fraction(), seconds});
  }
  return list;
}

void ComputeService::cancelAll() {
  m_inputJob.cancel();
  m_debounce.stop();
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    m_columnJobs[at]->cancel();
    m_insidesJobs[at]->cancel();
    m_pending[at] = false;
    if (m_columns[at].busy && !m_columns[at].exploration)
      m_columns[at].error = tr("Cancelled. F5 computes it again.");
    m_columns[at].busy = false;
    m_columns[at].passBusy = false;
    m_columns[at].insidesBusy = false;
    Q_EMIT columnUpdated(i);
    Q_EMIT insidesUpdated(i);
  }
  noteActivity();
  Q_EMIT cancelledByUser();
}

void ComputeService::recompute() {
  Q_EMIT failuresForgotten();
  readInput();
  for (int i = 0; i < m_document->columnCount(); ++i) {
    ColumnResult& column = m_columns[static_cast<std::size_t>(i)];
    if (!column.isCurrent())
      column.wanted.clear();
    else if (column.exploration->estimate.runsUnasked() || !column.passError.isEmpty())
      requestPass(i);
    if (!column.insidesError.isEmpty()) column.insidesShown.clear();
    request(i);
    requestInsides(i);
  }
  noteActivity();
}

}  // namespace attnscope
