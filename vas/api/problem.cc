#include "vas/api/problem.h"

#include <boost/json.hpp>

#include "base/json.h"

namespace vas::api {
namespace {

const char* title_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

}  // namespace

HttpReply problem(int status, const std::string& detail, bool closes) {
  HttpReply reply{.status = status, .content_type = "application/problem+json", .closes = closes};
  reply.body = to_text(boost::json::object{
      {"type", "about:blank"}, {"title", title_of(status)}, {"status", status}, {"detail", detail}});
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

HttpReply problem(const Refused& refused) {
  HttpReply reply = problem(refused.status, refused.detail);
  if (refused.retry_after_s > 0)
    reply.headers.emplace_back("Retry-After", std::to_string(refused.retry_after_s));
  return reply;
}

}  // namespace vas::api
