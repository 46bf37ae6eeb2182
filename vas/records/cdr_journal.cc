#include "vas/records/cdr_journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "vas/base/bytes.h"
#include "vas/base/json.h"
#include "vas/base/log.h"

namespace vas::records {
namespace {

constexpr std::size_t kHeaderBytes = 9;
constexpr std::size_t kMaxEntryBytes = 1 << 20;
constexpr int kJournalFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
constexpr std::string_view kDraft = "draft";  // where a sealed text belongs
constexpr auto kRetryPause = std::chrono::milliseconds(200);

std::uint32_t checksum(std::string_view kind_and_payload) {
  boost::crc_32_type crc;
  crc.process_bytes(kind_and_payload.data(), kind_and_payload.size());
  return crc.checksum();
}

std::string field_of(std::string_view json_text, std::string_view field) {
  const auto object = parse_object(json_text);
  return object ? text_field(*object, field) : std::string();
}

std::string id_of(std::string_view json_text) { return field_of(json_text, "id"); }

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Ids of the records in the file, less a last line that a crash cut short: that is cut off.
std::set<std::string> ids_in_lines(const std::string& path) {
  std::set<std::string> ids;
  std::string text = read_file(path);
  const auto last_end = text.rfind('\n');
  const std::size_t whole = last_end == std::string::npos ? 0 : last_end + 1;
  if (whole != text.size()) {
    std::error_code ignored;
    std::filesystem::resize_file(path, whole, ignored);
    text.resize(whole);
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) ids.insert(id_of(line));
  return ids;
}

struct Recovered {
  std::map<std::string, CallRecord> open;                  // started, never ended
  std::vector<std::pair<std::string, std::string>> ended;  // id and JSON
  std::set<std::string> sessions;                          // of both
  std::uint64_t valid_bytes = 0;                           // of whole entries
};

// Of this version, or of one that sealed nothing.
std::optional<CallRecord> read_draft(const std::string& payload, const secrets::Sealer* sealer) {
  if (!secrets::Sealer::is_sealed(payload)) return parse_draft_json(payload);
  const auto text = sealer != nullptr ? sealer->open(payload, kDraft) : std::nullopt;
  return text ? parse_draft_json(*text) : std::nullopt;
}

Recovered replay(const std::string& path, const secrets::Sealer* sealer) {
  Recovered recovered;
  std::size_t valid_bytes = 0;
  const std::string file = read_file(path);
  for (const JournalEntry& entry : decode(file, valid_bytes)) {
    if (entry.kind == EntryKind::kEnded) {
      const std::string id = id_of(entry.payload);
      recovered.open.erase(id);
      recovered.ended.emplace_back(id, entry.payload);
      recovered.sessions.insert(field_of(entry.payload, "session"));
    } else if (auto draft = read_draft(entry.payload, sealer)) {
      recovered.sessions.insert(draft->session);
      recovered.open.insert_or_assign(draft->id, std::move(*draft));
    }
  }
  recovered.valid_bytes = valid_bytes;
  if (valid_bytes != file.size()) {
    log::warn("", "the call journal ended in {} torn bytes; they are dropped", file.size() - valid_bytes);
  }
  return recovered;
}

}  // namespace

std::string encode(const JournalEntry& entry) {
  std::string bytes(kHeaderBytes, '\0');
  const std::string body = std::string(1, static_cast<char>(entry.kind)) + entry.payload;
  MutableBytes header(reinterpret_cast<std::uint8_t*>(bytes.data()), kHeaderBytes);
  store_u32(header, 0, static_cast<std::uint32_t>(entry.payload.size()));
  store_u32(header, 4, checksum(body));
  bytes.resize(kHeaderBytes - 1);
  return bytes + body;
}

std::vector<JournalEntry> decode(std::string_view file, std::size_t& valid_bytes) {
  std::vector<JournalEntry> entries;
  valid_bytes = 0;
  while (file.size() - valid_bytes >= kHeaderBytes) {
    const std::string_view rest = file.substr(valid_bytes);
    const std::size_t length = load_u32(as_bytes(rest), 0);
    if (length > kMaxEntryBytes || rest.size() < kHeaderBytes + length) break;
    const std::string_view body = rest.substr(kHeaderBytes - 1, 1 + length);
    const auto kind = static_cast<std::uint8_t>(body[0]);
    if (checksum(body) != load_u32(as_bytes(rest), 4) || kind < 1 || kind > 3) break;
    entries.push_back({static_cast<EntryKind>(kind), std::string(body.substr(1))});
    valid_bytes += kHeaderBytes + length;
  }
  return entries;
}

Result<CdrJournal::Opened> CdrJournal::open(const std::string& folder, std::uint64_t renew_at,
                                            const secrets::Sealer* sealer) {
  const std::string journal_path = folder + "/calls.journal";
  const std::string lines_path = folder + "/records.jsonl";
  const Recovered recovered = replay(journal_path, sealer);
  const auto known = ids_in_lines(lines_path);

  const int lines = ::open(lines_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (lines < 0) return Error{"cannot write " + lines_path + ": " + std::strerror(errno)};
  Opened opened{.sessions = recovered.sessions};
  bool all_written = true;
  const auto add = [&](const std::string& id, const std::string& json) {
    if (!known.contains(id)) all_written = all_written && write_all(lines, json + "\n");
  };
  for (const auto& [id, json] : recovered.ended) add(id, json);
  for (const auto& [id, draft] : recovered.open) {
    CallRecord record = draft;
    close_after_node_failure(record);
    add(id, to_json(record));
    if (!known.contains(id)) opened.closed.push_back(std::move(record));
  }
  if (!all_written || fdatasync(lines) != 0) {
    ::close(lines);
    return Error{"cannot write " + lines_path + ": " + std::strerror(errno)};
  }

  const int journal = ::open(journal_path.c_str(), kJournalFlags, 0600);
  if (journal < 0 || ::ftruncate(journal, static_cast<off_t>(recovered.valid_bytes)) != 0) {
    const Error error{"cannot write " + journal_path + ": " + std::strerror(errno)};
    if (journal >= 0) ::close(journal);
    ::close(lines);
    return error;
  }
  const auto lines_bytes = static_cast<std::uint64_t>(::lseek(lines, 0, SEEK_END));
  opened.journal.reset(new CdrJournal(folder, renew_at, sealer, journal, lines, lines_bytes));
  opened.journal->journal_bytes_ = recovered.valid_bytes;
  opened.journal->thread_ = std::thread([raw = opened.journal.get()] { raw->run(); });
  pthread_setname_np(opened.journal->thread_.native_handle(), "vas-journal");
  return opened;
}

CdrJournal::~CdrJournal() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
  ::close(journal_);
  ::close(lines_);
}

std::string CdrJournal::draft_of(const CallRecord& record) const {
  return sealer_ != nullptr ? sealer_->seal(to_draft_json(record), kDraft) : to_draft_json(record);
}

void CdrJournal::start(const CallRecord& record, Done done) {
  Queued queued{record.id, {EntryKind::kStarted, draft_of(record)}, std::move(done)};
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < kMaxQueued) {
      queue_.push_back(std::move(queued));
      wakeup_.notify_one();
      return;
    }
  }
  queued.done(false);
}

void CdrJournal::update(const CallRecord& record) {
  enqueue({record.id, {EntryKind::kUpdated, draft_of(record)}, {}});
}

void CdrJournal::end(const CallRecord& record, Done done) {
  enqueue({record.id, {EntryKind::kEnded, to_json(record)}, std::move(done)});
}

void CdrJournal::forget_past() {
  const std::lock_guard lock(mutex_);
  forgets_past_ = true;
  wakeup_.notify_one();
}

void CdrJournal::enqueue(Queued queued) {
  const std::lock_guard lock(mutex_);
  awaited_ += queued.done ? 1 : 0;
  queue_.push_back(std::move(queued));
  if (awaited_ != 0 || queue_.size() == 1) wakeup_.notify_one();
}

void CdrJournal::run() {
  for (;;) {
    std::vector<Queued> batch;
    bool forgets = false;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return is_stopping_ || !queue_.empty() || forgets_past_; });
      forgets = std::exchange(forgets_past_, false);
      if (queue_.empty() && !forgets) return;
      wakeup_.wait_for(lock, kLinger, [&] { return is_stopping_ || awaited_ != 0 || forgets; });
      batch.swap(queue_);
      awaited_ = 0;
    }
    const bool written = write_journal(batch);
    if (written) {
      write_lines(batch);
      if (forgets || journal_bytes_ > renew_at_) renew();
    } else {
      keep_endings(batch);
    }
    for (const Queued& each : batch) {
      if (each.done) each.done(written);
    }
  }
}

bool CdrJournal::write_journal(const std::vector<Queued>& batch) {
  std::string entries;
  for (const Queued& each : batch) entries += encode(each.entry);
  if (!write_all(journal_, entries) || fdatasync(journal_) != 0) {
    log::error("", "the call journal could not be written: {}", std::strerror(errno));
    // What came after a torn entry would be lost with it.
    (void)!::ftruncate(journal_, static_cast<off_t>(journal_bytes_));
    return false;
  }
  journal_bytes_ += entries.size();
  for (const Queued& each : batch) {
    if (each.entry.kind == EntryKind::kEnded) {
      open_.erase(each.call);
    } else {
      open_.insert_or_assign(each.call, each.entry.payload);
    }
  }
  return true;
}

// After the journal: a line that a crash keeps from records.jsonl is added from it at the next start.
void CdrJournal::write_lines(const std::vector<Queued>& batch) {
  for (const Queued& each : batch) {
    if (each.entry.kind == EntryKind::kEnded) lines_that_wait_ += each.entry.payload + "\n";
  }
  if (!write_all(lines_, lines_that_wait_)) {
    log::error("", "records.jsonl could not be written: {}; its lines wait", std::strerror(errno));
    (void)!::ftruncate(lines_, static_cast<off_t>(lines_bytes_));
    return;
  }
  lines_bytes_ += lines_that_wait_.size();
  lines_that_wait_.clear();
}

// The disk refused: new calls are told so, a draft is as good as the one before, but an ending is never given
// up.
void CdrJournal::keep_endings(std::vector<Queued>& batch) {
  const auto kept = std::stable_partition(
      batch.begin(), batch.end(), [](const Queued& each) { return each.entry.kind != EntryKind::kEnded; });
  std::unique_lock lock(mutex_);
  if (is_stopping_) return;
  for (auto each = kept; each != batch.end(); ++each) awaited_ += each->done ? 1 : 0;
  queue_.insert(queue_.begin(), std::make_move_iterator(kept), std::make_move_iterator(batch.end()));
  batch.erase(kept, batch.end());
  wakeup_.wait_for(lock, kRetryPause, [this] { return is_stopping_; });
}

// A new journal with the open calls alone takes the old one's place. Only when all lines are out: until then
// the old one is what they would be recovered from.
void CdrJournal::renew() {
  if (!lines_that_wait_.empty() || fdatasync(lines_) != 0) return;
  const std::string path = folder_ + "/calls.journal";
  const std::string fresh_path = path + ".new";
  std::string entries;
  for (const auto& [call, draft] : open_) entries += encode({EntryKind::kStarted, draft});
  const int fresh = ::open(fresh_path.c_str(), kJournalFlags | O_TRUNC, 0600);
  const bool is_good = fresh >= 0 && write_all(fresh, entries) && fdatasync(fresh) == 0 &&
                       std::rename(fresh_path.c_str(), path.c_str()) == 0;
  if (!is_good) {
    log::error("", "the call journal could not be renewed: {}; the old one goes on", std::strerror(errno));
    if (fresh >= 0) ::close(fresh);
    return;
  }
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)!fsync(folder);
    ::close(folder);
  }
  ::close(std::exchange(journal_, fresh));
  journal_bytes_ = entries.size();
}

}  // namespace vas::records
