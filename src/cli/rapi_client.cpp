#include "cli/rapi_client.h"

#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/answers.h"
#include "net/base64.h"
#include "net/client.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

// Ganeti's body of an error says more than its status; whoever stands between says what he likes.
std::string why(net::Response const& response) {
  auto const body = schema::parse(response.body);
  auto const said = body ? text_in(*body, "message") : std::string();
  return said.empty() ? std::string(net::reason_phrase(response.status)) : said;
}

Error refusal(std::string const& host, std::string const& username, net::Response const& response) {
  auto const status = response.status;
  Error error{ErrorCode::WrongInput, fmt::format("{}: {} (HTTP {})", host, why(response), status),
              ErrorClass::Prereq};
  switch (status) {
    case 401:
      error.message = username.empty()
                          ? fmt::format("{} wants a user name and a password (HTTP 401)", host)
                          : fmt::format(
                                "{} does not know the user '{}', or the password is wrong "
                                "(HTTP 401)",
                                host, username);
      break;
    case 403:
      error.message = fmt::format("{}: the user '{}' may not do that: {} (HTTP 403)", host,
                                  username, why(response));
      break;
    case 404:
      error.code = ErrorCode::UnknownEntity;
      break;
    case 429:
    case 502:
      error.error_class = ErrorClass::Unreachable;
      error.not_attempted = true;
      break;
    case 503:
      error.code = is_busy;
      error.error_class = ErrorClass::Unreachable;
      error.not_attempted = true;
      break;
    case 500:
    case 504:
      // Whether the job was submitted nobody said.
      error.error_class = ErrorClass::Unreachable;
      break;
    default:
      break;
  }
  return error;
}

}  // namespace

RapiClient::RapiClient(RapiAccess access, std::unique_ptr<net::Client> client)
    : access_(std::move(access)), client_(std::move(client)) {
  if (access_.username.empty()) return;
  authorization_ = "Basic " + net::to_base64(access_.username + ":" + access_.password);
}

RapiClient::~RapiClient() = default;

Result<std::unique_ptr<RapiClient>> RapiClient::create(RapiAccess access) {
  auto client = TRY(net::Client::create(net::TlsClientOptions{
      .host = access.host,
      .port = access.port,
      .ca_file = access.ca_file,
      // As Ganeti's move-instance does it: the chain must lead to what is in the file, and the name
      // is not looked at, since certificates of clusters say ganeti.example.com. Where the file is
      // the cluster's own certificate, this is that certificate and no other.
      .takes_any_name = true}));
  return std::unique_ptr<RapiClient>(new RapiClient(std::move(access), std::move(client)));
}

Result<json::value> RapiClient::ask(std::string const& method, std::string const& target,
                                    json::value const& body) {
  net::Request request{.method = method, .target = target};
  request.headers.push_back({"Accept", "application/json"});
  if (!authorization_.empty()) request.headers.push_back({"Authorization", authorization_});
  if (!body.is_null()) {
    request.content_type = "application/json";
    request.body = json::serialize(body);
  }
  // Who asks decides whether it may be done twice.
  request.is_idempotent = method == "GET";
  auto const response = client_->request(request, access_.request_timeout);
  if (access_.is_traced) {
    auto const outcome = response ? fmt::format("{}", response->status) : response.error().message;
    std::fprintf(stderr, "%s\n",
                 fmt::format("DEBUG {} {} {}: {}", access_.host, method, target, outcome).c_str());
  }
  if (!response) return Failure(response.error());
  if (!response->is_success()) {
    return Failure(refusal(access_.host, access_.username, *response));
  }
  if (response->body.empty()) return json::value();
  auto parsed = schema::parse(response->body);
  if (parsed) return *std::move(parsed);
  return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError,
                 "{}: what answers there is no remote API: {}", access_.host,
                 parsed.error().message);
}

}  // namespace flotte::cli
