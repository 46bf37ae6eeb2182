#include "vas/secrets/sealer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "vas/secrets/key_file.h"

namespace vas::secrets {
namespace {

constexpr Key kKey{1, 2, 3};
constexpr Key kOtherKey{1, 2, 4};

TEST(Sealer, OpensWhatItSealedAndSaysNothingOfItBefore) {
  const Sealer sealer(kKey);
  for (const std::string& text : {std::string(), std::string("token-123"), std::string(100'000, 'x'),
                                  std::string("\0\xff\xfe\r\n", 5)}) {
    const std::string sealed = sealer.seal(text, "session 7");
    EXPECT_TRUE(Sealer::is_sealed(sealed));
    EXPECT_EQ(sealer.open(sealed, "session 7"), text);
    EXPECT_EQ(sealed.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=:"),
              std::string::npos);
    if (text.size() > 4 && text[0] == 't') {
      EXPECT_EQ(sealed.find(text), std::string::npos);
    }
  }
}

TEST(Sealer, NeverSealsTheSameTwice) {
  const Sealer sealer(kKey);
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(sealer.seal("same", "place"));
  EXPECT_EQ(all.size(), 1000u);
}

TEST(Sealer, OpensNothingElsewhereNorWithAnotherKeyNorAnyChangedByte) {
  const Sealer sealer(kKey);
  const std::string sealed = sealer.seal("a trunk's password", "trunk 7");
  EXPECT_FALSE(sealer.open(sealed, "trunk 8"));
  EXPECT_FALSE(Sealer(kOtherKey).open(sealed, "trunk 7"));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    if (changed != sealed) {
      EXPECT_FALSE(sealer.open(changed, "trunk 7")) << at;
    }
    EXPECT_FALSE(sealer.open(sealed.substr(0, at), "trunk 7")) << at;
  }
}

TEST(Sealer, HashesAreTheKeysOwn) {
  const Sealer sealer(kKey);
  EXPECT_EQ(sealer.hash("token"), Sealer(kKey).hash("token"));
  EXPECT_NE(sealer.hash("token"), sealer.hash("tokem"));
  EXPECT_NE(sealer.hash("token"), Sealer(kOtherKey).hash("token"));
  EXPECT_EQ(sealer.hash("token").size(), 64u);
  EXPECT_NE(sealer.key_id(), Sealer(kOtherKey).key_id());
}

class KeyFileTest : public testing::Test {
 protected:
  KeyFileTest() { std::filesystem::create_directories(folder_); }
  ~KeyFileTest() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
  }
  const std::string folder_ = testing::TempDir() + "vas-key-" + std::to_string(getpid());
  const std::string path_ = folder_ + "/store.key";
};

TEST_F(KeyFileTest, IsMadeOnceForItsOwnerAlone) {
  EXPECT_FALSE(*read_key_file(path_));
  const auto made = make_key_file(path_);
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(**read_key_file(path_), *made);
  struct stat found {};
  stat(path_.c_str(), &found);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_FALSE(make_key_file(path_)) << "it would have written over a key that is in use";
  EXPECT_EQ(**read_key_file(path_), *made);
}

TEST_F(KeyFileTest, SaysWhatIsWrongWithIt) {
  const std::string good(64, 'a');
  for (const std::string& text : {std::string(), good.substr(1), good + "b", "x" + good.substr(1)}) {
    write(text);
    EXPECT_FALSE(read_key_file(path_)) << text;
  }
  write(good + "\n", 0644);
  const auto open_to_all = read_key_file(path_);
  ASSERT_FALSE(open_to_all);
  EXPECT_NE(open_to_all.error().find("chmod 600"), std::string::npos);
  write(good + "\n", 0640);
  EXPECT_TRUE(read_key_file(path_)) << "a group may share it";
}

}  // namespace
}  // namespace vas::secrets
