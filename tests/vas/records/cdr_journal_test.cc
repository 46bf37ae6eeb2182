#include "vas/records/cdr_journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

namespace vas::records {
namespace {

class CdrJournalTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<CdrJournal> open(std::uint64_t renew_at = CdrJournal::kRenewAt,
                                   std::uint64_t rotate_at = RecordFiles::kRotateAt) {
    recovered_.clear();
    auto opened = CdrJournal::open(folder_, renew_at, rotate_at);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error());
    for (const CallRecord& each : opened->closed) recovered_.push_back(each.id);
    sessions_ = opened->sessions;
    closed_ = opened->closed;
    return std::move(opened->journal);
  }
  static CallRecord record(const std::string& id) {
    return {.id = id, .session = "token of " + id, .direction = "outgoing"};
  }
  static void start(CdrJournal& journal, const std::string& id) {
    std::promise<bool> written;
    journal.start(record(id), [&](bool good) { written.set_value(good); });
    EXPECT_TRUE(written.get_future().get());
  }
  std::size_t lines() const {
    std::ifstream in(folder_ + "/records.jsonl");
    std::size_t count = 0;
    for (std::string line; std::getline(in, line);) ++count;
    return count;
  }
  std::string all_lines() const {
    std::string all;
    for (const std::string& path : record_files_in(folder_)) all += read(path);
    return all;
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  // An entry as earlier versions wrote it.
  static std::string old_entry(EntryKind kind, const std::string& payload) {
    return encode({kind, payload}).substr(4);
  }
  std::string journal_path() const { return folder_ + "/calls.journal"; }

  const std::string folder_ = testing::TempDir() + "vas-journal-" + std::to_string(::getpid());
  std::vector<std::string> recovered_;
  std::set<std::string> sessions_;
  std::vector<CallRecord> closed_;
};

TEST_F(CdrJournalTest, ACallLeftOpenIsClosedOnceAtTheNextStart) {
  {
    const auto journal = open();
    start(*journal, "ended");
    start(*journal, "open");
    journal->end(record("ended"), {});
  }
  open();
  EXPECT_EQ(recovered_, std::vector<std::string>{"open"});
  EXPECT_EQ(sessions_, (std::set<std::string>{"token of ended", "token of open"}));
  EXPECT_EQ(lines(), 2u);
  open();
  EXPECT_TRUE(recovered_.empty());
  EXPECT_EQ(lines(), 2u);
}

// A process that dies while it recovers leaves the next one as wise;
// one that has recovered leaves nothing behind.
TEST_F(CdrJournalTest, RemembersThePastUntilItIsToldToForgetIt) {
  {
    const auto journal = open();
    start(*journal, "open");
    std::ofstream(journal_path(), std::ios::app) << "torn";
  }
  open();
  EXPECT_EQ(sessions_, std::set<std::string>{"token of open"});
  {
    const auto journal = open();
    EXPECT_EQ(sessions_, std::set<std::string>{"token of open"});
    start(*journal, "after the torn bytes");
  }
  {
    const auto journal = open();
    EXPECT_TRUE(sessions_.contains("token of after the torn bytes"));
    journal->forget_past();
    start(*journal, "new");
  }
  open();
  EXPECT_EQ(sessions_, std::set<std::string>{"token of new"});
  EXPECT_EQ(lines(), 3u);
}

// The store takes the end of a call's session a little later than the journal its record.
TEST_F(CdrJournalTest, ATokenThatWasJustUsedOutlivesARenewal) {
  {
    const auto journal = open();
    start(*journal, "ended");
    std::promise<void> ended;
    journal->end(record("ended"), [&](bool) { ended.set_value(); });
    ended.get_future().wait();
    journal->forget_past();
    start(*journal, "open");
  }
  open();
  EXPECT_EQ(sessions_, (std::set<std::string>{"token of ended", "token of open"}));
  EXPECT_EQ(lines(), 2u);
}

TEST_F(CdrJournalTest, ALineThatACrashKeptFromTheRecordsIsAddedFromTheJournal) {
  {
    const auto journal = open();
    start(*journal, "a");
    journal->end(record("a"), {});
  }
  std::filesystem::resize_file(folder_ + "/records.jsonl", 10);  // torn in the middle of its line
  open();
  EXPECT_TRUE(recovered_.empty()) << "it was closed; only its line was missing";
  EXPECT_EQ(lines(), 1u);
}

TEST_F(CdrJournalTest, EveryTornTailOfTheJournalLosesOnlyWhatWasTorn) {
  {
    const auto journal = open();
    start(*journal, "one");
    start(*journal, "two");
  }
  const std::string whole = read(journal_path());
  ASSERT_EQ(decode(whole).entries.size(), 2u);
  EXPECT_EQ(decode(whole).valid_bytes, whole.size());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const DecodedJournal torn = decode(std::string_view(whole).substr(0, size));
    EXPECT_LE(torn.valid_bytes, size);
    EXPECT_EQ(torn.entries.size(), size < whole.size() / 2 ? 0u : 1u);
    EXPECT_TRUE(torn.damaged.empty()) << size;
  }
}

// Whichever byte of the journal is another: every call has one record, and its token is known but where it
// was hit.
TEST_F(CdrJournalTest, AFlippedByteAnywhereLosesNoCall) {
  {
    const auto journal = open();
    for (const char* id : {"one", "two", "three"}) start(*journal, id);
    journal->end(record("one"), {});
  }
  const std::string whole = read(journal_path());
  const std::string line = read(folder_ + "/records.jsonl");
  std::size_t nameless = 0, unknown_tokens = 0;
  for (std::size_t at = 0; at < whole.size(); at += 13) {
    SCOPED_TRACE(at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
    write(journal_path(), flipped);
    write(folder_ + "/records.jsonl", line);
    open();
    EXPECT_EQ(lines(), 3u);
    EXPECT_EQ(closed_.size(), 2u);
    for (const CallRecord& each : closed_) {
      const bool is_named = each.id == "two" || each.id == "three";
      nameless += is_named ? 0 : 1;
      EXPECT_TRUE(is_named || each.recovery == Recovery::kUnreadable) << each.id;
    }
    for (const char* id : {"one", "two", "three"})
      unknown_tokens += sessions_.contains(std::string("token of ") + id) ? 0 : 1;
  }
  EXPECT_LT(nameless, 6u) << "those whose id itself was hit";
  EXPECT_LT(unknown_tokens, 6u) << "those whose token itself was hit";
}

TEST_F(CdrJournalTest, ADraftThatCannotBeReadLeavesARecordThatSaysSo) {
  write(journal_path(), encode({EntryKind::kStarted, "{\"id\":\"a\",\"session\":\"t\",\"from\":\"\xff\"}"}));
  open();
  EXPECT_EQ(recovered_, std::vector<std::string>{"a"});
  EXPECT_EQ(sessions_, std::set<std::string>{"t"});
  EXPECT_NE(all_lines().find("\"recovery\":\"unreadable\""), std::string::npos) << all_lines();
  EXPECT_NE(all_lines().find("\"start\":null"), std::string::npos);
  open();
  EXPECT_EQ(lines(), 1u);
}

// Of the same file as an earlier version wrote it, ours behind its.
TEST_F(CdrJournalTest, ReadsTheEntriesOfEarlierVersions) {
  const std::string old_draft =
      R"({"id":"old","session":"s1","node":"n","start":1700000000000,"answer":null})";
  write(journal_path(), old_entry(EntryKind::kStarted, old_draft) +
                            old_entry(EntryKind::kEnded, R"({"id":"done","session":"s2"})") +
                            encode({EntryKind::kStarted, to_draft_json(record("new"))}));
  open();
  EXPECT_EQ(recovered_, (std::vector<std::string>{"new", "old"}));
  EXPECT_EQ(sessions_, (std::set<std::string>{"s1", "s2", "token of new"}));
  EXPECT_EQ(lines(), 3u);
  EXPECT_FALSE(closed_[1].end) << "earlier versions did not write what is needed for it";
}

TEST_F(CdrJournalTest, ACallThatACrashCutLastedUntilTheLastSignOfLife) {
  CallRecord call = record("up");
  call.start = WallTime(std::chrono::milliseconds(1'700'000'000'000));
  call.started_at = Time(std::chrono::seconds(100));
  call.answer = call.start + std::chrono::seconds(2);
  call.answered_at = call.started_at + std::chrono::seconds(2);
  call.sell_price = Price{6, 0, 1};
  call.legs[0] = {.role = "caller", .uri = "sip:a@x", .user_agent = "P", .was_present = true};
  const LastSign sign{call.start + std::chrono::seconds(62), call.started_at + std::chrono::seconds(62)};
  write(journal_path(),
        encode({EntryKind::kStarted, to_draft_json(call)}) + encode({EntryKind::kAlive, to_json(sign)}));
  open();
  ASSERT_EQ(closed_.size(), 1u);
  for (const char* part :
       {"\"duration\":62", "\"billsec\":60", "\"recovery\":\"last-known\"", "\"sell_cost\":6",
        "\"end\":\"2023-11-14T22:14:22.000Z\"", "\"role\":\"caller\"", "\"user_agent\":\"P\""})
    EXPECT_NE(all_lines().find(part), std::string::npos) << part << " in " << all_lines();
}

TEST_F(CdrJournalTest, GivesASignOfLifeWhileACallIsOpen) {
  const auto journal = open();
  journal->forget_past();
  start(*journal, "up");
  for (int i = 0; i < 500; ++i) {
    for (const JournalEntry& each : decode(read(journal_path())).entries) {
      if (each.kind != EntryKind::kAlive) continue;
      EXPECT_TRUE(parse_last_sign(each.payload));
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "no sign came";
}

TEST_F(CdrJournalTest, RecordsAreRotatedAndNoneIsDoubledOverTheSeam) {
  {
    const auto journal = open(CdrJournal::kRenewAt, 2000);
    for (int i = 0; i < 20; ++i) {
      start(*journal, "c" + std::to_string(i));
      std::promise<void> ended;
      journal->end(record("c" + std::to_string(i)), [&](bool) { ended.set_value(); });
      ended.get_future().wait();
    }
  }
  EXPECT_GT(record_files_in(folder_).size(), 3u);
  const std::string before = all_lines();
  open(CdrJournal::kRenewAt, 2000);
  EXPECT_EQ(all_lines(), before) << "the journal still has all of them";
  EXPECT_TRUE(closed_.empty());
}

// History has no share in a start: only its end is read, whatever it is.
TEST_F(CdrJournalTest, AStartReadsTheEndOfHistoryAlone) {
  {
    std::ofstream out(folder_ + "/records.jsonl");
    out << "{\"id\":\"long ago\"}\n" << std::string(8 << 20, 'x') << "\n{\"id\":\"late\"}\n";
  }
  auto files = RecordFiles::open(folder_);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->ids_in_last(1 << 20, {"long ago", "late"}), std::set<std::string>{"late"});
}

TEST_F(CdrJournalTest, StaysSmallAndKeepsItsOpenCallsThroughManyRenewals) {
  {
    const auto journal = open(20'000);
    start(*journal, "open before");
    for (int i = 0; i < 500; ++i) {
      start(*journal, std::to_string(i));
      journal->update(record(std::to_string(i)));
      journal->end(record(std::to_string(i)), {});
    }
    start(*journal, "open after");
    EXPECT_LT(std::filesystem::file_size(journal_path()), 30'000u);
  }
  open();
  EXPECT_EQ(recovered_, (std::vector<std::string>{"open after", "open before"}));
  EXPECT_EQ(lines(), 502u);
  open();
  EXPECT_EQ(lines(), 502u);
}

// The largest file that this process may write is what is left of the disk.
TEST_F(CdrJournalTest, AFullDiskRefusesNewCallsAndLosesNoEnding) {
  rlimit whole{};
  getrlimit(RLIMIT_FSIZE, &whole);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  {
    const auto journal = open();
    start(*journal, "a");
    rlimit full = whole;
    full.rlim_cur = std::filesystem::file_size(journal_path()) + 20;  // a torn entry fits
    setrlimit(RLIMIT_FSIZE, &full);
    std::promise<bool> refused, ended;
    journal->start(record("b"), [&](bool good) { refused.set_value(good); });
    EXPECT_FALSE(refused.get_future().get());
    EXPECT_TRUE(journal->pulse().is_failing());
    journal->end(record("a"), [&](bool good) { ended.set_value(good); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    setrlimit(RLIMIT_FSIZE, &whole);
    EXPECT_TRUE(ended.get_future().get());
    EXPECT_FALSE(journal->pulse().is_failing());
    start(*journal, "c");
  }
  std::signal(SIGXFSZ, handler);
  open();
  EXPECT_EQ(recovered_, std::vector<std::string>{"c"});
  EXPECT_EQ(lines(), 2u);
}

TEST_F(CdrJournalTest, SaysWhyItCannotBeOpened) {
  const auto journal = CdrJournal::open("/nonexistent");
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace vas::records
