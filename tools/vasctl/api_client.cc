#include "tools/vasctl/api_client.h"

#include <curl/curl.h>

#include <boost/json.hpp>
#include <fstream>
#include <memory>

namespace vas::vasctl {
namespace {

constexpr long kTimeoutSeconds = 30;

std::string key_of(const ApiAccess& access) {
  if (!access.key.empty()) return access.key;
  std::ifstream file(access.data_dir + "/system.key");
  std::string key;
  std::getline(file, key);
  return key;
}

std::size_t append(char* data, std::size_t size, std::size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

std::string detail_of(const std::string& body) {
  boost::system::error_code failure;
  const auto value = boost::json::parse(body, failure);
  if (failure || !value.is_object()) return body;
  const auto* detail = value.as_object().if_contains("detail");
  return detail != nullptr && detail->is_string() ? std::string(detail->as_string()) : body;
}

}  // namespace

Result<std::string> ask(const ApiAccess& access, const std::string& method, const std::string& path) {
  const std::string key = key_of(access);
  if (key.empty())
    return Error{"no API key: give --key, set VAS_KEY, or name the node's --data-dir (it has system.key)"};
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  const std::string authorization = "Authorization: Bearer " + key;
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, authorization.c_str()), curl_slist_free_all);
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, (access.url + path).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kTimeoutSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode outcome = curl_easy_perform(curl.get());
  if (outcome != CURLE_OK)
    return Error{"cannot ask " + access.url + ": " + curl_easy_strerror(outcome) + " (--url names the API)"};
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status / 100 != 2) return Error{detail_of(body)};
  return body;
}

}  // namespace vas::vasctl
