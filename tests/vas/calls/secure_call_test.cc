// Encrypted media and ICE, as signaling sees them.
#include "tests/vas/calls/call_fixture.h"

namespace vas::calls {
namespace {

constexpr std::string_view kFingerprint =
    "sha-256 F9:90:B5:1B:0F:AB:2F:F7:05:41:DC:0D:F3:D7:D8:80:0D:C6:B5:2F:61:A6:92:20:2F:51:41:46:51:9D:E0:47";

std::string browser_offer(std::string_view ufrag = "abcd") {
  return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
         "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n"
         "a=setup:actpass\r\na=fingerprint:" +
         std::string(kFingerprint) +
         "\r\na=ice-pwd:0123456789abcdefghijkl\r\na=ice-ufrag:" + std::string(ufrag) +
         "\r\na=candidate:1 1 udp 1 192.0.2.7 50000 typ host\r\n";
}

constexpr std::string_view kPlainAnswer =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n";

class SecureCallTest : public CallTest {
 protected:
  void begin_from_browser(MediaEncryption wanted) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller, browser_offer()),
                    .caller_id = "1555",
                    .from_host = "d.example",
                    .caller_encryption = wanted,
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    begin(std::move(setup));
  }
  const bridge::LegConfig* configured(LegSide side) const {
    for (const CallAction& action : actions_) {
      const auto* found = std::get_if<ConfigureLegMedia>(&action);
      if (found != nullptr && found->side == side) return &found->config;
    }
    return nullptr;
  }
  static std::string value(const std::string& sdp, std::string_view name) {
    const auto from = sdp.find(name) + name.size();
    return sdp.substr(from, sdp.find('\r', from) - from);
  }
};

TEST_F(SecureCallTest, ABrowserIsAnsweredAsALitePassiveSideAndThePhoneIsAskedForPlainRtp) {
  begin_from_browser(MediaEncryption::kOptional);
  ASSERT_NE(sent<SendInvite>(), nullptr);
  EXPECT_NE(sent<SendInvite>()->sdp.find("RTP/AVP 0"), std::string::npos);
  EXPECT_EQ(sent<SendInvite>()->sdp.find("ice-ufrag"), std::string::npos);
  on(SipEvent(
      answered("v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n")));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  const std::string& sdp = sent<RespondToInvite>()->sdp;
  for (const char* line :
       {"UDP/TLS/RTP/SAVPF 0", "a=ice-lite", "a=setup:passive", "a=rtcp-mux", "a=group:BUNDLE 0"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line;
  const bridge::LegConfig* config = configured(LegSide::kA);
  ASSERT_TRUE(config != nullptr && config->ice && config->dtls);
  EXPECT_EQ(config->ice->remote.ufrag, "abcd");
  EXPECT_EQ(config->ice->local.ufrag, value(sdp, "a=ice-ufrag:"));
  EXPECT_EQ(config->ice->local.password, value(sdp, "a=ice-pwd:"));
  EXPECT_EQ(config->dtls->role, media::DtlsRole::kServer);
  EXPECT_FALSE(config->far_rtp.is_set()) << "media goes to what ICE proves, not to what SDP says";
  EXPECT_TRUE(config->rtcp_mux);
  EXPECT_FALSE(configured(LegSide::kB)->dtls);
}

TEST_F(SecureCallTest, AReInviteKeepsCredentialsUnlessThePartyChangesItsOwn) {
  begin_from_browser(MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  const bridge::LegIce before = *configured(LegSide::kA)->ice;
  for (const bool restarts : {false, true}) {
    on(SipEvent(OfferReceived{kCaller, {5}, browser_offer(restarts ? "efgh" : "abcd")}));
    ASSERT_NE(sent<SendOffer>(), nullptr);
    on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
    ASSERT_NE(configured(LegSide::kA), nullptr);
    const bridge::LegIce& now = *configured(LegSide::kA)->ice;
    EXPECT_EQ(now.local == before.local, !restarts) << "a restart has new ones on both sides (RFC 8445 §9)";
    EXPECT_EQ(now.remote.ufrag, restarts ? "efgh" : "abcd");
  }
}

// ---- DTLS: what says so, and as what we take part ----

class DtlsCallTest : public SecureCallTest {
 protected:
  static std::string offer(std::string_view protocol, std::string_view lines = "") {
    return "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 " +
           std::string(protocol) + " 0\r\n" + std::string(lines);
  }
  static std::string fingerprint(std::string_view setup = "actpass") {
    return "a=fingerprint:" + std::string(kFingerprint) + "\r\na=setup:" + std::string(setup) + "\r\n";
  }
  void begin_with(std::string_view sdp, MediaEncryption wanted) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller, sdp),
                    .caller_encryption = wanted,
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    actions_.clear();
    begin(std::move(setup));
  }
  // The caller's re-INVITE, answered by the other; what the caller is told.
  std::string re_offer(const std::string& sdp) {
    on(SipEvent(OfferReceived{kCaller, {++request_}, sdp}));
    on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
    return sent<RespondToRequest>() != nullptr ? sent<RespondToRequest>()->sdp : "";
  }
  std::uint64_t request_ = 4;
};

TEST_F(DtlsCallTest, AFingerprintSaysSoUnderAnyProfileWhichTheAnswerHasToo) {
  for (const std::string protocol : {"RTP/SAVPF", "RTP/SAVP", "RTP/AVP", "UDP/TLS/RTP/SAVP"}) {
    begin_with(offer(protocol, fingerprint()), MediaEncryption::kOptional);
    ASSERT_NE(done<AwaitDtls>(), nullptr) << "its hello may overtake what its answer has us do";
    EXPECT_EQ(done<AwaitDtls>()->side, LegSide::kA);
    on(SipEvent(answered(kPlainAnswer)));
    ASSERT_NE(sent<RespondToInvite>(), nullptr);
    const std::string& sdp = sent<RespondToInvite>()->sdp;
    EXPECT_NE(sdp.find(" " + protocol + " 0\r\n"), std::string::npos) << sdp;
    EXPECT_NE(sdp.find("a=setup:passive\r\n"), std::string::npos) << sdp;
    EXPECT_NE(sdp.find("a=fingerprint:sha-256 "), std::string::npos) << sdp;
    EXPECT_EQ(sdp.find("a=crypto"), std::string::npos) << sdp;
    ASSERT_TRUE(configured(LegSide::kA)->dtls) << protocol;
    EXPECT_FALSE(configured(LegSide::kA)->srtp);
  }
}

TEST_F(DtlsCallTest, WithKeysInSdpAsWellTheyAreNotNeeded) {
  begin_with(offer("RTP/SAVP", fingerprint() + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" +
                                   std::string(40, 'A') + "\r\n"),
             MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_TRUE(configured(LegSide::kA)->dtls);
  EXPECT_EQ(sent<RespondToInvite>()->sdp.find("a=crypto"), std::string::npos);
}

TEST_F(DtlsCallTest, WhereNoEncryptionIsWantedAPlainProfileStaysPlain) {
  begin_with(offer("RTP/AVP", fingerprint()), MediaEncryption::kNone);
  on(SipEvent(answered(kPlainAnswer)));
  EXPECT_FALSE(configured(LegSide::kA)->dtls);
  EXPECT_EQ(sent<RespondToInvite>()->sdp.find("fingerprint"), std::string::npos);
  begin_with(offer("RTP/SAVPF", fingerprint()), MediaEncryption::kNone);
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
}

TEST_F(DtlsCallTest, AFingerprintByAWeakHashAloneIsRefusedByItsName) {
  const std::string weak =
      "a=setup:actpass\r\na=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:"
      "7C:AB\r\n";
  for (const std::string protocol : {"RTP/SAVPF", "UDP/TLS/RTP/SAVPF"}) {
    begin_with(offer(protocol, weak), MediaEncryption::kOptional);
    ASSERT_NE(sent<RespondToInvite>(), nullptr);
    EXPECT_EQ(sent<RespondToInvite>()->status, 488);
    EXPECT_NE(sent<RespondToInvite>()->headers.at(0).value.find("sha-1"), std::string::npos);
  }
  begin_with(offer("RTP/SAVPF", weak + "a=fingerprint:" + std::string(kFingerprint) + "\r\n"),
             MediaEncryption::kOptional);
  EXPECT_NE(sent<SendInvite>(), nullptr);
}

TEST_F(DtlsCallTest, RolesStayWhileWhoOffersLeavesThemToUs) {
  begin_with(offer("UDP/TLS/RTP/SAVP", fingerprint("passive")), MediaEncryption::kOptional);
  on(SipEvent(answered(kPlainAnswer)));
  EXPECT_NE(sent<RespondToInvite>()->sdp.find("a=setup:active\r\n"), std::string::npos);
  EXPECT_NE(re_offer(offer("UDP/TLS/RTP/SAVP", fingerprint("actpass"))).find("a=setup:active\r\n"),
            std::string::npos);
  EXPECT_EQ(configured(LegSide::kA)->dtls->role, media::DtlsRole::kClient);
  EXPECT_NE(re_offer(offer("UDP/TLS/RTP/SAVP", fingerprint("active"))).find("a=setup:passive\r\n"),
            std::string::npos);
  EXPECT_EQ(configured(LegSide::kA)->dtls->role, media::DtlsRole::kServer);
}

// RFC 8842 §5: a name for a name, another for another.
TEST_F(DtlsCallTest, WhoNamesItsAssociationIsToldOursWhichLastsAsLong) {
  const auto named = [](char letter) {
    return offer("UDP/TLS/RTP/SAVP", fingerprint() + "a=tls-id:" + std::string(20, letter) + "\r\n");
  };
  begin_with(named('a'), MediaEncryption::kOptional);
  on(SipEvent(answered(kPlainAnswer)));
  const std::string first = value(sent<RespondToInvite>()->sdp, "a=tls-id:");
  EXPECT_GE(first.size(), 20u);
  EXPECT_EQ(configured(LegSide::kA)->dtls->tls_id, std::string(20, 'a'));
  EXPECT_EQ(value(re_offer(named('a')), "a=tls-id:"), first);
  EXPECT_NE(value(re_offer(named('b')), "a=tls-id:"), first);
  EXPECT_EQ(configured(LegSide::kA)->dtls->tls_id, std::string(20, 'b'));
  EXPECT_EQ(re_offer(offer("UDP/TLS/RTP/SAVP", fingerprint())).find("a=tls-id"), std::string::npos);
}

// As a phone that is put through to one without ICE would offer.
std::string without_ice(std::string offer) {
  const auto from = offer.find("a=ice-pwd");
  return offer.erase(from, offer.find("a=candidate") - from);
}

TEST_F(SecureCallTest, WhoHasOfferedIceSharesAPortAndGetsItsOwnWhenItGivesIceUp) {
  begin_from_browser(MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  EXPECT_NE(sent<RespondToInvite>()->sdp.find("m=audio 30000"), std::string::npos)
      << sent<RespondToInvite>()->sdp;
  EXPECT_NE(sent<RespondToInvite>()->sdp.find("203.0.113.1 30000 typ host"), std::string::npos);

  on(SipEvent(OfferReceived{kCaller, {5}, without_ice(browser_offer())}));
  EXPECT_NE(sent<SendOffer>()->sdp.find("m=audio 20002"), std::string::npos);
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 200);
  EXPECT_NE(sent<RespondToRequest>()->sdp.find("m=audio 20000"), std::string::npos);
  ASSERT_NE(configured(LegSide::kA), nullptr);
  EXPECT_FALSE(configured(LegSide::kA)->ice);
  EXPECT_TRUE(configured(LegSide::kA)->dtls);

  on(SipEvent(OfferReceived{kCaller, {6}, browser_offer("back")}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  EXPECT_NE(sent<RespondToRequest>()->sdp.find("m=audio 20000"), std::string::npos) << "which it keeps";
  EXPECT_TRUE(configured(LegSide::kA)->ice);
}

TEST_F(SecureCallTest, ABrowserWithNothingButIpv6GetsALegThereBeforeAndAfterAMove) {
  std::string offer = browser_offer();
  offer.replace(offer.find("192.0.2.7"), 9, "2001:db8::7");
  CallSetup setup{.id = 7,
                  .kind = CallKind::kRouted,
                  .invite = invite(kCaller, offer),
                  .caller_encryption = MediaEncryption::kRequired,
                  .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
  setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
  begin(std::move(setup));
  on(SipEvent(answered(kPlainAnswer)));
  EXPECT_NE(sent<RespondToInvite>()->sdp.find("2001:db8::1 30000 typ host"), std::string::npos)
      << "its address is not known yet, its candidates are";

  on(SipEvent(OfferReceived{kCaller, {5}, browser_offer("efgh")}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_NE(sent<RespondToRequest>()->sdp.find("203.0.113.1 30000 typ host"), std::string::npos);
}

TEST_F(SecureCallTest, WithNoPortLeftWhoGivesUpIceIsRefusedAndTheCallGoesOn) {
  begin_from_browser(MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  has_ports_ = false;
  on(SipEvent(OfferReceived{kCaller, {5}, without_ice(browser_offer())}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 488);
  EXPECT_EQ(configured(LegSide::kA), nullptr) << "its media stays as it was";
  EXPECT_FALSE(call_->is_ended());
  on(SipEvent(OfferReceived{kCaller, {6}, browser_offer()}));
  EXPECT_NE(sent<SendOffer>(), nullptr);
}

TEST_F(SecureCallTest, AnAnswerThatGivesUpIceOnASharedPortIsNotTaken) {
  begin_from_browser(MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  on(SipEvent(OfferReceived{callee(), {5}, std::string(kPlainAnswer)}));
  ASSERT_NE(sent<SendOffer>(), nullptr);
  on(SipEvent(OfferAnswered{kCaller, 200, without_ice(browser_offer())}));
  EXPECT_EQ(sent<RespondToRequest>()->status, 488);
}

TEST_F(SecureCallTest, CandidatesThatComeLaterAreTakenNoteOfHere) {
  begin_from_browser(MediaEncryption::kOptional);
  on(SipEvent(answered(kPlainAnswer)));
  on(SipEvent(InfoReceived{kCaller, {5}, "application/trickle-ice-sdpfrag", {}, "a=end-of-candidates\r\n"}));
  EXPECT_EQ(sent<SendInfo>(), nullptr) << "the phone has no use for them";
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 200);
}

TEST_F(SecureCallTest, WhereMediaMustBePlainABrowserGets488) {
  begin_from_browser(MediaEncryption::kNone);
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
}

// ---- SDES: keys are said over what nobody can read ----

class SdesCallTest : public SecureCallTest {
 protected:
  static constexpr DialogId kOther{7 << 8 | 1};

  static Flow way(Transport transport) { return {transport, *Endpoint::parse("192.0.2.1:5061"), 0}; }
  static std::string offer(int version) {
    return "v=0\r\no=a 1 " + std::to_string(version) +
           " IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n"
           "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" +
           std::string(40, 'A') + "\r\n";
  }
  void connect_over_tls() {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller, offer(1)),
                    .caller_encryption = MediaEncryption::kOptional};
    setup.invite.source = way(Transport::kTls);
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    begin(std::move(setup));
    on(SipEvent(answered(kPlainAnswer)));
    ASSERT_NE(sent<RespondToInvite>(), nullptr);
    ASSERT_NE(sent<RespondToInvite>()->sdp.find("a=crypto:1 "), std::string::npos);
  }
};

TEST_F(SdesCallTest, AnOfferOverTlsIsProtectedAgainAndOverUdpNoMore) {
  connect_over_tls();
  on(SipEvent(OfferReceived{kCaller, {5}, offer(2), way(Transport::kTls)}));
  on(SipEvent(OfferAnswered{kOther, 200, std::string(kPlainAnswer)}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_NE(sent<RespondToRequest>()->sdp.find("a=crypto:1 "), std::string::npos);

  on(SipEvent(OfferReceived{kCaller, {6}, offer(3), way(Transport::kUdp)}));
  EXPECT_EQ(sent<SendOffer>(), nullptr);
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 488);
  EXPECT_NE(sent<RespondToRequest>()->headers.at(0).value.find("SIP over TLS"), std::string::npos);
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(SdesCallTest, WhoRefreshesOverUdpIsToldNoKeysThereUntilItIsBackOnTls) {
  connect_over_tls();
  on(SipEvent(SessionRefreshed{kCaller, way(Transport::kUdp)}));
  on(SipEvent(OfferReceived{kOther, {5}, std::string(kPlainAnswer), {}}));
  ASSERT_NE(sent<SendOffer>(), nullptr);
  EXPECT_EQ(sent<SendOffer>()->sdp.find("a=crypto"), std::string::npos) << sent<SendOffer>()->sdp;
  on(SipEvent(OfferAnswered{kCaller, 488, {}}));

  on(SipEvent(SessionRefreshed{kCaller, way(Transport::kTls)}));
  on(SipEvent(SessionRefreshed{kCaller}));  // ours, which says nothing of its way
  on(SipEvent(OfferReceived{kOther, {6}, std::string(kPlainAnswer), {}}));
  ASSERT_NE(sent<SendOffer>(), nullptr);
  EXPECT_NE(sent<SendOffer>()->sdp.find("a=crypto"), std::string::npos);
}

class FullIceTest : public SecureCallTest {
 protected:
  static std::string offer_with(std::string_view session_line) {
    std::string offer = browser_offer();
    return offer.insert(offer.find("m=audio"), session_line);
  }
  void begin_full(const std::string& offer, CallKind kind = CallKind::kRouted) {
    CallSetup setup{.id = 7,
                    .kind = kind,
                    .invite = invite(kCaller, offer),
                    .caller_encryption = MediaEncryption::kOptional,
                    .pick_up_encryption = MediaEncryption::kOptional,
                    .caller_ice = IceMode::kFull,
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.ice.by_transport.fill(IceMode::kFull);
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    begin(std::move(setup));
  }
  void begin_to_trunk(IceMode ice, MediaKeying keying = MediaKeying::kDtls) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller),
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"),
                                 .number = "990",
                                 .media_encryption = MediaEncryption::kRequired,
                                 .media_keying = keying,
                                 .ice = ice});
    begin(std::move(setup));
  }
  std::optional<bridge::LegIce> gathering() const {
    for (const CallAction& action : actions_) {
      if (const auto* open = std::get_if<OpenLeg>(&action)) return open->full_ice;
    }
    return {};
  }
  static LegOpened gathered(LegSide side) {
    return {side,
            Endpoint::parse("203.0.113.9:20000"),
            {4711},
            {{.address = *Endpoint::parse("10.0.0.2:20000")},
             {.address = *Endpoint::parse("203.0.113.9:20000"),
              .type = ice::CandidateType::kServerReflexive,
              .foundation = "2",
              .priority = 7,
              .related = *Endpoint::parse("10.0.0.2:20000")}}};
  }
};

TEST_F(FullIceTest, ACallerWaitsForOurCandidatesAndIsToldThem) {
  begin_full(browser_offer());
  const auto mine = gathering();
  ASSERT_TRUE(mine && mine->is_full);
  EXPECT_EQ(mine->role, ice::IceRole::kControlled) << "the offerer controls (RFC 8445 §6.1.1)";
  EXPECT_EQ(sent<SendInvite>(), nullptr) << "nothing goes on before";
  on(gathered(LegSide::kA));
  ASSERT_NE(sent<SendInvite>(), nullptr);
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  const std::string& sdp = sent<RespondToInvite>()->sdp;
  EXPECT_EQ(sdp.find("a=ice-lite"), std::string::npos);
  for (const char* line : {"m=audio 20000 UDP/TLS/RTP/SAVPF", "c=IN IP4 203.0.113.9",
                           "a=candidate:1 1 udp 2130706431 10.0.0.2 20000 typ host\r\n",
                           "a=candidate:2 1 udp 7 203.0.113.9 20000 typ srflx raddr 10.0.0.2 rport 20000\r\n",
                           "a=ssrc:4711 cname:vas\r\n"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line << " of " << sdp;
  const bridge::LegConfig* config = configured(LegSide::kA);
  ASSERT_TRUE(config != nullptr && config->ice && config->ice->is_full);
  EXPECT_EQ(config->ice->local, mine->local);
  ASSERT_EQ(config->ice->peers.size(), 1u);
  EXPECT_EQ(config->ice->peers[0].address, *Endpoint::parse("192.0.2.7:50000"));
}

TEST_F(FullIceTest, ARestartGathersAnewAndIsAnsweredWithWhatThatFound) {
  begin_full(browser_offer());
  on(gathered(LegSide::kA));
  on(SipEvent(answered(kPlainAnswer)));
  const bridge::LegIce before = *configured(LegSide::kA)->ice;
  on(SipEvent(OfferReceived{kCaller, {5}, browser_offer("abcd")}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  EXPECT_FALSE(gathering()) << "it is none";
  ASSERT_NE(configured(LegSide::kA), nullptr);
  EXPECT_EQ(configured(LegSide::kA)->ice->local, before.local);

  on(SipEvent(OfferReceived{kCaller, {6}, browser_offer("efgh")}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  const auto anew = gathering();
  ASSERT_TRUE(anew);
  EXPECT_NE(anew->local, before.local);
  EXPECT_EQ(configured(LegSide::kA), nullptr) << "the path stays meanwhile";
  EXPECT_EQ(sent<RespondToRequest>(), nullptr);
  LegOpened found = gathered(LegSide::kA);
  found.local = Endpoint::parse("203.0.113.9:24000");
  on(found);
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_NE(sent<RespondToRequest>()->sdp.find("m=audio 24000"), std::string::npos);
  EXPECT_EQ(value(sent<RespondToRequest>()->sdp, "a=ice-ufrag:"), anew->local.ufrag);
  EXPECT_EQ(configured(LegSide::kA)->ice->local, anew->local);
  EXPECT_EQ(configured(LegSide::kA)->ice->remote.ufrag, "efgh");
}

TEST_F(FullIceTest, WhoHangsUpDuringARestartIsAnsweredAndForgotten) {
  begin_full(browser_offer());
  on(gathered(LegSide::kA));
  on(SipEvent(answered(kPlainAnswer)));
  on(SipEvent(OfferReceived{kCaller, {6}, browser_offer("efgh")}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
  on(SipEvent(ByeReceived{kCaller, ""}));
  EXPECT_EQ(sent<RespondToRequest>()->status, 487);
  on(gathered(LegSide::kA));
  EXPECT_TRUE(actions_.empty());
}

TEST_F(FullIceTest, AnAnswerWithCredentialsOfAnotherKeepsOurs) {
  begin_to_trunk(IceMode::kFull);
  on(gathered(LegSide::kB));
  std::string answer = browser_offer();
  answer.replace(answer.find("actpass"), 7, "active");
  on(SipEvent(answered(answer)));
  const auto before = configured(LegSide::kB)->ice->local;
  on(SipEvent(OfferReceived{kCaller, {5}, std::string(kOffer)}));
  answer.replace(answer.find("ufrag:abcd"), 10, "ufrag:ijkl");
  on(SipEvent(OfferAnswered{callee(), 200, answer}));
  ASSERT_NE(configured(LegSide::kB), nullptr);
  EXPECT_EQ(configured(LegSide::kB)->ice->local, before) << "which the offer named";
  EXPECT_EQ(configured(LegSide::kB)->ice->remote.ufrag, "ijkl");
}

TEST_F(FullIceTest, ALitePeerIsControlledByUs) {
  begin_full(offer_with("a=ice-lite\r\n"));
  ASSERT_TRUE(gathering());
  EXPECT_EQ(gathering()->role, ice::IceRole::kControlling);
}

TEST_F(FullIceTest, WhereIceIsSwitchedOffItIsPassedOver) {
  CallSetup setup{.id = 7,
                  .kind = CallKind::kRouted,
                  .invite = invite(kCaller, browser_offer()),
                  .caller_encryption = MediaEncryption::kOptional,
                  .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
  setup.ice.by_transport[static_cast<std::size_t>(Transport::kUdp)] = IceMode::kNone;
  setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
  begin(std::move(setup));
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->sdp.find("ice"), std::string::npos);
  ASSERT_NE(configured(LegSide::kA), nullptr);
  EXPECT_FALSE(configured(LegSide::kA)->ice);
}

TEST_F(FullIceTest, WithoutIceInTheOfferNothingIsGathered) {
  begin_full(std::string(kOffer));
  EXPECT_FALSE(gathering());
  EXPECT_NE(sent<SendInvite>(), nullptr);
}

TEST_F(FullIceTest, WhoHangsUpWhileWeGatherIsForgotten) {
  begin_full(browser_offer());
  on(SipEvent(InviteCancelled{kCaller}));
  on(gathered(LegSide::kA));
  EXPECT_TRUE(actions_.empty());
}

TEST_F(FullIceTest, APickUpThatIsGivenUpWhileWeGatherLeavesTheCallerWaiting) {
  begin_full(std::string(kOffer), CallKind::kParked);
  on(BackendReplied{});
  on(PickUp{invite(kPickUp, browser_offer())});
  ASSERT_TRUE(gathering());
  on(SipEvent(InviteCancelled{kPickUp}));
  on(gathered(LegSide::kB));
  EXPECT_TRUE(actions_.empty());
  EXPECT_TRUE(call_->is_waiting_for_pick_up());
}

TEST_F(FullIceTest, NoAddressAtAllEndsTheCall) {
  begin_full(browser_offer());
  on(LegOpened{LegSide::kA, std::nullopt});
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 503);
}

TEST_F(FullIceTest, ATrunkIsOfferedDtlsAndOurCandidates) {
  begin_to_trunk(IceMode::kFull);
  const auto mine = gathering();
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->role, ice::IceRole::kControlling);
  on(gathered(LegSide::kB));
  ASSERT_NE(sent<SendInvite>(), nullptr);
  const std::string& sdp = sent<SendInvite>()->sdp;
  for (const char* line : {"m=audio 20000 UDP/TLS/RTP/SAVP 0", "a=setup:actpass",
                           "a=fingerprint:sha-256 F9:90", "typ srflx", "a=rtcp-mux"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line << " of " << sdp;
  EXPECT_EQ(sdp.find("a=crypto"), std::string::npos);
  ASSERT_NE(done<AwaitDtls>(), nullptr) << "its hello may come before its answer";
  EXPECT_EQ(done<AwaitDtls>()->side, LegSide::kB);

  std::string answer = browser_offer();
  answer.replace(answer.find("actpass"), 7, "active");
  on(SipEvent(answered(answer)));
  const bridge::LegConfig* config = configured(LegSide::kB);
  ASSERT_TRUE(config != nullptr && config->ice && config->dtls);
  EXPECT_EQ(config->dtls->role, media::DtlsRole::kServer);
  EXPECT_EQ(config->ice->local, mine->local);
  EXPECT_EQ(config->ice->remote.ufrag, "abcd");
}

TEST_F(FullIceTest, ALiteOfferIsOneOfItsOwnAddress) {
  begin_to_trunk(IceMode::kLite);
  ASSERT_NE(sent<SendInvite>(), nullptr);
  const std::string& sdp = sent<SendInvite>()->sdp;
  EXPECT_NE(sdp.find("a=ice-lite"), std::string::npos);
  EXPECT_NE(sdp.find("203.0.113.1 20002 typ host"), std::string::npos) << sdp;
}

// pjsua as it is set up: the candidates that it was offered are RTP's alone, so that is what it checks.
TEST_F(FullIceTest, ATrunkThatAnswersWithIceAndDoesNotMuxIsCheckedWith) {
  for (const IceMode mode : {IceMode::kLite, IceMode::kFull}) {
    begin_to_trunk(mode);
    if (mode == IceMode::kFull) on(gathered(LegSide::kB));
    std::string answer = browser_offer();
    answer.replace(answer.find("actpass"), 7, "active");
    answer.erase(answer.find("a=rtcp-mux\r\n"), 12);
    on(SipEvent(answered(answer)));
    const bridge::LegConfig* config = configured(LegSide::kB);
    ASSERT_TRUE(config != nullptr && config->ice);
    EXPECT_EQ(config->ice->remote.ufrag, "abcd");
    EXPECT_FALSE(config->rtcp_mux);
    EXPECT_FALSE(config->far_rtcp.is_set());
  }
}

TEST_F(FullIceTest, ATrunkThatAnswersWithoutIceIsReachedAtItsAddress) {
  begin_to_trunk(IceMode::kFull);
  on(gathered(LegSide::kB));
  std::string answer = browser_offer();
  answer.replace(answer.find("actpass"), 7, "active");
  answer.erase(answer.find("a=ice-pwd"), answer.find("a=ice-ufrag") - answer.find("a=ice-pwd"));
  answer.replace(answer.find("0.0.0.0"), 7, "192.0.2.2");
  on(SipEvent(answered(answer)));
  const bridge::LegConfig* config = configured(LegSide::kB);
  ASSERT_NE(config, nullptr);
  EXPECT_FALSE(config->ice);
  EXPECT_EQ(config->far_rtp, *Endpoint::parse("192.0.2.2:9"));
}

TEST_F(FullIceTest, ATrunkThatMustBeEncryptedAndAnswersPlainIsNotTalkedTo) {
  begin_to_trunk(IceMode::kNone);
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
}

}  // namespace
}  // namespace vas::calls
