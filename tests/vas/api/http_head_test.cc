#include "vas/api/http_head.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

using Verdict = HeadScanner::Verdict;

Verdict scan(std::string_view bytes) { return HeadScanner().parse(bytes); }

std::string head(std::string_view fields, std::string_view start = "POST / HTTP/1.1") {
  return std::string(start) + "\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

TEST(HeadScanner, FindsTheEndWhereverTheBytesAreCut) {
  const std::string request = head("Content-Length: 4\r\n") + "body";
  const std::size_t size = request.size() - 4;
  for (std::size_t cut = 1; cut < size; ++cut) {
    HeadScanner scanner;
    ASSERT_EQ(scanner.parse(std::string_view(request).substr(0, cut)), Verdict::kMore) << cut;
    ASSERT_EQ(scanner.size(), cut);
    ASSERT_EQ(scanner.parse(std::string_view(request).substr(cut)), Verdict::kWhole) << cut;
    ASSERT_EQ(scanner.size(), size) << "and nothing of the body";
  }
}

TEST(HeadScanner, RefusesFoldedLinesAndBareLineEnds) {
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\n A: b\r\n\r\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\nA: b\n\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\n\r\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), Verdict::kBad);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\r\n\r\n"), Verdict::kBad);
}

TEST(HeadScanner, RefusesEveryControlCharacterButTheTab) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string request = head(std::string("A: b") + static_cast<char>(byte) + "c\r\n");
    const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
    EXPECT_EQ(scan(request), is_control ? Verdict::kBad : Verdict::kWhole) << byte;
  }
}

TEST(FaultOfHead, TakesWhatHasOneMeaning) {
  for (const char* fields :
       {"", "Content-Length: 0\r\n", "content-length:5\r\n", "Transfer-Encoding: chunked\r\n",
        "TRANSFER-ENCODING:\t CHUNKED \r\n", "X-Transfer-Encoding: gzip\r\nX: y:z\r\n"})
    EXPECT_FALSE(fault_of_head(head(fields))) << fields;
  EXPECT_FALSE(fault_of_head("GET / HTTP/1.0\r\n\r\n")) << "1.0 knows no Host";
}

// What others were smuggled past with.
TEST(FaultOfHead, RefusesWhatTwoReadersTakeDifferently) {
  for (const char* fields : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                             "Content-Length: 5\r\nContent-Length: 5\r\n",
                             "Content-Length: 5\r\nContent-Length: 6\r\n",
                             "Content-Length: 5, 5\r\n",
                             "Content-Length: 5,6\r\n",
                             "Content-Length: +5\r\n",
                             "Content-Length: -5\r\n",
                             "Content-Length: 0x5\r\n",
                             "Content-Length: 5 5\r\n",
                             "Content-Length:\r\n",
                             "Content-Length: 5;\r\n",
                             "Content-Length: 18446744073709551621\r\n",
                             "Transfer-Encoding: identity\r\n",
                             "Transfer-Encoding: gzip, chunked\r\n",
                             "Transfer-Encoding: chunked, identity\r\n",
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                             "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked;a=b\r\n",
                             "Transfer-Encoding: xchunked\r\n",
                             "Transfer-Encoding: \"chunked\"\r\n",
                             "Transfer-Encoding:\r\n",
                             "Transfer-Encoding: chunk\r\nContent-Length: 5\r\n",
                             "Host: y\r\n",
                             "host: x\r\n"})
    EXPECT_TRUE(fault_of_head(head(fields))) << fields;
  EXPECT_TRUE(fault_of_head("GET / HTTP/1.1\r\n\r\n")) << "no Host";
  EXPECT_TRUE(fault_of_head(head("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0")))
      << "1.0 knows no chunks";
}

}  // namespace
}  // namespace vas::api
