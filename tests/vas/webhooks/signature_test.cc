#include "vas/webhooks/signature.h"

#include <gtest/gtest.h>

namespace vas::webhooks {
namespace {

std::string signed_by(const std::vector<std::string>& secrets, std::string_view id = "msg_1") {
  return signatures(secrets, id, "1700000000", "{}");
}

// The same by hand: printf 'msg_1.1700000000.{}' | openssl dgst -sha256 -hmac secret -binary | base64
TEST(Signature, IsHmacSha256OverIdTimestampAndBody) {
  EXPECT_EQ(signed_by({"secret"}), "v1,A5oIrJxXPB/PkULSoVu0e4khvPiqpF9vljmhkSKg0FI=");
  EXPECT_NE(signed_by({"secret"}), signed_by({"secret"}, "msg_2"));
}

// The example of the specification's reference libraries.
TEST(Signature, KeyOfAnEncodedSecretIsWhatItsBase64StandsFor) {
  EXPECT_EQ(signatures({"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                       "1614265330", R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(signed_by({"whsec_c2VjcmV0"}), signed_by({"secret"}));
}

TEST(Signature, HasOneForEachSecretInTheirOrder) {
  EXPECT_EQ(signed_by({"new", "old"}), signed_by({"new"}) + " " + signed_by({"old"}));
  EXPECT_EQ(signed_by({}), "");
}

// Domains that were stored before they were checked: as they have always been signed.
TEST(Signature, SecretThatIsNoBase64IsItsOwnBytes) {
  for (const char* wrong :
       {"whsec_", "whsec_c2VjcmV0cw", "whsec_c2Vjcm\n0", "whsec_c2VjcmV0!", "whsec_c2VjcmV0cx=="}) {
    EXPECT_NE(fault_of_secret(wrong), std::nullopt) << wrong;
    EXPECT_NE(signed_by({wrong}), signed_by({"secret"})) << wrong;
    EXPECT_NE(signed_by({wrong}), "") << wrong;
  }
  for (const char* good : {"", "secret", "a long one", "c2VjcmV0", "whsec_c2VjcmV0", "Whsec_c"})
    EXPECT_EQ(fault_of_secret(good), std::nullopt) << good;
}

}  // namespace
}  // namespace vas::webhooks
