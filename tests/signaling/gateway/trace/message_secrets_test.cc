#include "signaling/gateway/trace/message_secrets.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace vas::signaling {
namespace {

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";
constexpr const char* kKey = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

std::string with(std::string text, const std::string& secret) {
  return text.replace(text.find('@'), 1, secret);
}

TEST(MessageSecrets, CutATokenHoweverItsHeaderIsSpelled) {
  for (const char* line :
       {"X-Cloudonix-Session: @", "X-Cloudonix-Session : @", "x-cLOUDONIX-sESSION\t:\t@",
        "X-Cloudonix-Session:@", "X-Cloudonix-Session:\r\n @", "X-Cloudonix-Session\r\n :\r\n\t@",
        "X-Cloudonix-Session: \n @", "X-Cloudonix-Session: x, @", "X-Cloudonix-Session: \"@\"",
        "To: <sip:a@h;X-Cloudonix-Session=@>", "Refer-To: <sip:a?X-Cloudonix-Session=@&b=c>",
        "Refer-To: <sip:a?x%2Dcloudonix-session%3D@>", "Contact: <sip:a?%58-Cloudonix-Session=@>"}) {
    std::string spelled = line;
    spelled.replace(spelled.rfind('@'), 1, kToken);
    const std::string text = "INVITE sip:b SIP/2.0\r\n" + spelled + "\r\nCall-ID: c\r\n\r\n";
    const std::string shown = without_secrets(text);
    EXPECT_EQ(shown.find("abcdef"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("89"), std::string::npos) << shown;
    EXPECT_NE(shown.find("\r\nCall-ID: c\r\n\r\n"), std::string::npos) << shown;
    EXPECT_EQ(shown.size(), text.size());
  }
  EXPECT_EQ(without_secrets("X-Cloudonix-Session: 0123456789ab\r\n"),
            "X-Cloudonix-Session: 01234567xxxx\r\n");
}

TEST(MessageSecrets, CutATokenThatFoldsPart) {
  const std::string shown =
      without_secrets("a\r\nX-Cloudonix-Session: 0123456789\r\n abcdef\r\nTo: abcdef\r\n");
  EXPECT_EQ(shown, "a\r\nX-Cloudonix-Session: 01234567xx\r\nxxxxxxx\r\nTo: abcdef\r\n");
}

TEST(MessageSecrets, CutTheSessionsOwnTokenWhereverItStands) {
  const std::string text = with("INVITE sip:@ SIP/2.0\r\nSubject: none\r\n", kToken);
  EXPECT_EQ(without_secrets(text, kToken),
            "INVITE sip:01234567" + std::string(24, 'x') + " SIP/2.0\r\nSubject: none\r\n");
  EXPECT_EQ(without_secrets(text), text);
}

TEST(MessageSecrets, BlotOutDigestsAndOtherCredentials) {
  for (const char* line :
       {"Authorization: Digest username=\"u\", response=\"@\", uri=\"s\"",
        "Proxy-Authorization: Digest response = \"@\"", "Authorization: Digest response=@, a=b",
        "Authorization: Digest a=b,\r\n RESPONSE\r\n =\r\n \"@\"",
        "Authorization: Digest response=\"a\r\n @\"", "Authorization : Basic @",
        "Proxy-Authorization: Bearer\r\n @"}) {
    const std::string text = "a\r\n" + with(line, "6629fae49393a05397450978507c4ef1") + "\r\nTo: x\r\n";
    const std::string shown = without_secrets(text);
    EXPECT_EQ(shown.find("6629"), std::string::npos) << shown;
    EXPECT_NE(shown.find("\r\nTo: x\r\n"), std::string::npos) << shown;
  }
  const std::string kept = "Authorization: Digest username=\"u\", nonce=\"n\"\r\n";
  EXPECT_EQ(without_secrets(kept), kept);
}

TEST(MessageSecrets, BlotOutMediaKeys) {
  for (const char* line :
       {"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:@", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:@|2^20",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:@ WSH=64", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline : @",
        "a=ice-pwd:@", "A=ICE-PWD : @", "a=x\ra=ice-pwd:@", "k=base64:@", "a=key-mgmt:mikey @"}) {
    const std::string text = "v=0\r\n" + with(line, kKey) + "\r\na=sendrecv\r\n";
    const std::string shown = without_secrets(text);
    EXPECT_EQ(shown.find("Rmdm"), std::string::npos) << shown;
    EXPECT_NE(shown.find("\r\na=sendrecv\r\n"), std::string::npos) << shown;
  }
}

}  // namespace
}  // namespace vas::signaling
