#include "vas/webhooks/signature.h"

#include <gtest/gtest.h>

namespace vas::webhooks {
namespace {

// The same by hand: printf 'msg_1.1700000000.{}' | openssl dgst -sha256 -hmac secret -binary | base64
TEST(Signature, IsHmacSha256OverIdTimestampAndBody) {
  EXPECT_EQ(signature("secret", "msg_1", "1700000000", "{}"),
            "v1,A5oIrJxXPB/PkULSoVu0e4khvPiqpF9vljmhkSKg0FI=");
  EXPECT_NE(signature("secret", "msg_1", "1700000000", "{}"),
            signature("secret", "msg_2", "1700000000", "{}"));
}

}  // namespace
}  // namespace vas::webhooks
