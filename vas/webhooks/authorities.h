// Who may sign backends' certificates besides those that the system trusts: an operator's own authorities.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace vas::webhooks {

// Threads: any, immutable. Copies share the certificates.
class Authorities {
 public:
  Authorities() = default;  // nobody else
  // All certificates of a PEM file. The error names the file.
  static Result<Authorities> read(const std::string& file);

  bool add_to(SSL_CTX* context) const;

 private:
  std::vector<std::shared_ptr<X509>> certificates_;
};

}  // namespace vas::webhooks
