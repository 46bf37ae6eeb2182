// Certificates: ours towards peers, and whom we believe. Read again when the files change.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace vas {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

struct TlsConfig {
  std::string certificate_file;  // PEM, the chain after it; empty: nothing listens over TLS
  std::string key_file;
  std::string ca_file;  // who signs trunks' certificates; empty: those that the system trusts
};

// TLS 1.2 and 1.3 with forward secrecy, authenticated ciphers and cheap groups (tls_groups.h) alone; no
// renegotiation, compression, resumption or early data.
//
// Threads: one at a time: whoever opens it hands it on to the listener's.
class TlsContexts {
 public:
  // The error names the file and what OpenSSL minds about it.
  static Result<TlsContexts> open(const TlsConfig& config);

  const TlsContext& server() const { return server_; }  // null without a certificate
  const TlsContext& client() const { return client_; }

  // Whom the certificate is of: its DNS names, wildcards among them, and its addresses.
  std::vector<std::string> names() const;

  // Connections that are up keep what they have. A pair that cannot be read is logged and not taken. True
  // when a new one was.
  bool reload_if_changed();

 private:
  using FileTime = std::filesystem::file_time_type;

  explicit TlsContexts(TlsConfig config) : config_(std::move(config)) {}
  FileTime newest() const;

  TlsConfig config_;
  TlsContext server_;
  TlsContext client_;
  FileTime loaded_at_{};
};

}  // namespace vas
