#include "vas/webhooks/url.h"

#include <curl/curl.h>

#include <memory>

namespace vas::webhooks {
namespace {

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

std::optional<std::string> fault_of_url(const std::string& url, const AddressGuard& guard) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return "must be an http or https URL such as https://app.example.com/status";
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "must be an http or https URL, not " + scheme;
  // curl has normalised what stands for an address by now: 0x7f.1 and 2130706433 are 127.0.0.1.
  const auto address = IpAddress::parse(part_of(parsed.get(), CURLUPART_HOST));
  if (address && !guard.lets_through(*address)) {
    return "names " + to_string(*address) +
           ", which is inside the platform's own network; the operator's `webhook-allow` can let it through";
  }
  return {};
}

std::optional<UrlHost> host_of_url(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  UrlHost host{.name = part_of(parsed.get(), CURLUPART_HOST, CURLU_PUNYCODE),
               .port = part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  if (host.name.empty() || host.port.empty()) return {};
  return host;
}

}  // namespace vas::webhooks
