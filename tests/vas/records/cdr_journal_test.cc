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

  std::unique_ptr<CdrJournal> open(std::uint64_t renew_at = CdrJournal::kRenewAt) {
    recovered_.clear();
    auto opened = CdrJournal::open(folder_, renew_at);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error());
    for (const CallRecord& each : opened->closed) recovered_.push_back(each.id);
    sessions_ = opened->sessions;
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
  std::string journal_path() const { return folder_ + "/calls.journal"; }

  const std::string folder_ = testing::TempDir() + "vas-journal-" + std::to_string(::getpid());
  std::vector<std::string> recovered_;
  std::set<std::string> sessions_;
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

// A process that dies while it recovers leaves the next one as wise; one that has recovered leaves nothing
// behind.
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
  std::ifstream in(journal_path(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  std::size_t valid = 0;
  ASSERT_EQ(decode(whole, valid).size(), 2u);
  EXPECT_EQ(valid, whole.size());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto entries = decode(std::string_view(whole).substr(0, size), valid);
    EXPECT_LE(valid, size);
    EXPECT_EQ(entries.size(), size < whole.size() / 2 ? 0u : 1u);
  }
  std::string flipped = whole;
  flipped[whole.size() / 2 - 1] ^= 1;
  EXPECT_EQ(decode(flipped, valid).size(), 0u);
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
    journal->end(record("a"), [&](bool good) { ended.set_value(good); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    setrlimit(RLIMIT_FSIZE, &whole);
    EXPECT_TRUE(ended.get_future().get());
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
