#include "rapi/remote_api.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "net/base64.h"
#include "opcodes/opcode.h"
#include "rapi/job_wait.h"
#include "rapi/metrics.h"
#include "rapi/openapi.h"
#include "rapi/route.h"
#include "rapi/rows.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

constexpr std::string_view realm = "Ganeti Remote API";

// What Python's http.server says of a status: programs show it.
constexpr std::pair<unsigned, std::string_view> explanations[] = {
    {400, "Bad request syntax or unsupported method"},
    {401, "No permission -- see authorization schemes"},
    {403, "Request forbidden -- authorization will not help"},
    {404, "Nothing matches the given URI"},
    {408, "Request timed out; try again later"},
    {413, "Entity is too large"},
    {415, "Entity body in unsupported format"},
    {429, "The user has sent too many requests in a given amount of time (\"rate limiting\")"},
    {431, "The server is unwilling to process the request because its header fields are too large"},
    {500, "Server got itself in trouble"},
    {501, "Server does not support this operation"},
    {502, "Invalid responses from another server/proxy"},
    {503, "The server cannot process the request due to a high load"},
    {504, "The gateway server did not receive a timely response"},
    {505, "Cannot fulfill request"},
};

std::string_view explanation(unsigned status) {
  for (auto const& [known, text] : explanations) {
    if (known == status) return text;
  }
  return "";
}

// What can't be what the pattern calls it is another path: a job and a disk are numbers.
bool are_possible(std::string_view pattern, std::vector<std::string> const& places) {
  std::size_t at = 0;
  for (auto const& place : places) {
    at = pattern.find('{', at) + 1;
    auto const name = pattern.substr(at, pattern.find('}', at) - at);
    auto const is_number = name == "job" || name == "disk";
    if (place.empty() ||
        (is_number && place.find_first_not_of("0123456789") != std::string::npos)) {
      return false;
    }
  }
  return true;
}

// "Basic dXNlcjpwYXNz"
std::optional<std::pair<std::string, std::string>> credentials_in(std::string_view header) {
  constexpr std::string_view scheme = "basic ";
  if (lower_case(std::string(header.substr(0, scheme.size()))) != scheme) return std::nullopt;
  auto const text = net::from_base64(header.substr(scheme.size()));
  if (!text) return std::nullopt;
  auto const colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return std::pair(text->substr(0, colon), text->substr(colon + 1));
}

Refusal refusal_of(Denial const& denial) {
  Refusal refusal{denial.status(), denial.message()};
  if (denial.again_after.count() > 0) refusal.retry_after = denial.again_after;
  return refusal;
}

Granted<void> check_content_type(net::Request const& request) {
  auto const type = std::string_view(request.content_type);
  auto const media = trimmed(type.substr(0, type.find(';')));
  if (request.body.empty() || lower_case(std::string(media)) == "application/json") return {};
  return refuse(415, "Unsupported Media Type: the body must be application/json");
}

Granted<std::optional<json::value>> body_of(net::Request const& request) {
  if (request.body.empty()) return std::nullopt;
  auto parsed = schema::parse(request.body);
  if (!parsed) return refuse(400, "Unable to parse JSON data: {}", parsed.error().message);
  return *std::move(parsed);
}

// For the log: a stranger may have written it.
std::string_view shortened(std::string_view text) {
  constexpr std::size_t bytes_max = 200;
  return beginning_of(text, bytes_max);
}

}  // namespace

RemoteApi::RemoteApi(Services services, Accounts& accounts, Options options)
    : services_(std::move(services)),
      accounts_(accounts),
      options_(options),
      resources_(make_resources()) {}

std::vector<RemoteApi::Resource> RemoteApi::make_resources() {
  std::vector<Resource> all;
  for (auto const& read : reads()) {
    all.push_back({read.method, read.path, read.permission, read.access, &read});
  }
  for (auto const& change : changes()) {
    all.push_back({change.method, change.path, change.permission, Access::Account, &change});
  }
  all.push_back({"GET", "/2/jobs/{job}/wait", "jobs.wait", Access::Account, &RemoteApi::wait});
  all.push_back({"GET", "/2/openapi.json", "", Access::Everybody, &RemoteApi::describe});
  all.push_back({"GET", "/metrics", "", Access::Everybody, &RemoteApi::tell_metrics});
  return all;
}

net::Response RemoteApi::refused(Refusal const& refusal) {
  json::object body;
  body["code"] = refusal.status;
  body["message"] = refusal.message.empty() ? net::reason_phrase(refusal.status) : refusal.message;
  body["explain"] = explanation(refusal.status);
  net::Response response{.status = refusal.status, .body = json::serialize(body)};
  if (refusal.status == 401) {
    response.headers.push_back({"WWW-Authenticate", fmt::format("Basic realm=\"{}\"", realm)});
  }
  if (refusal.retry_after) {
    response.headers.push_back({"Retry-After", std::to_string(refusal.retry_after->count())});
  }
  return response;
}

void RemoteApi::handle(net::Request const& request, net::Responder& responder) {
  auto const answered = answer(request, responder);
  if (answered) return;
  log::debug("{}: {} {}: {}", request.peer.address, shortened(request.method),
             shortened(request.path), answered.error().status);
  (void)responder.send(refused(answered.error()));
}

Granted<void> RemoteApi::answer(net::Request const& request, net::Responder& responder) {
  auto found = find(request);
  if (!found) return tl::unexpected(found.error());
  auto const account = account_of(request);
  if (!account) return tl::unexpected(account.error());
  auto const& resource = *found->resource;
  if (auto const access = check_access(resource, account->get()); !access) return access;
  if (!services_.seams.config.is_initialised()) {
    return refuse(503, "This machine is not part of a cluster");
  }
  if (auto const type = check_content_type(request); !type) return type;
  // What nobody looks at is not even taken apart.
  auto const* read = std::get_if<Read const*>(&resource.answers);
  auto const has_body = !read || (*read)->traits.has_body;
  auto body = has_body ? body_of(request) : Granted<std::optional<json::value>>();
  if (!body) return tl::unexpected(body.error());
  RemoteCall const call{std::move(found->places), request.query, *std::move(body)};
  jobs::Principal const who{
      .name = fmt::format("{} (remote API)", *account ? (*account)->name : "anybody")};

  if (auto const* serves = std::get_if<Serves>(&resource.answers)) {
    return (this->**serves)(call, who, responder);
  }
  if (auto const* change = std::get_if<Change const*>(&resource.answers)) {
    auto const job = submit(**change, call, who);
    // Neither the body nor what is said of it: there may be secrets in both.
    log::info("{} from {}: {} {}: {}", who.name, request.peer.address, request.method,
              shortened(request.path),
              job ? fmt::format("job {}", number(*job))
                  : fmt::format("refused ({})", job.error().status));
    if (!job) return tl::unexpected(job.error());
    (void)responder.send({.body = std::to_string(number(*job))});
    return {};
  }
  auto const text = answer_of(**read, call);
  if (!text) return tl::unexpected(text.error());
  (void)responder.send({.body = **text});
  return {};
}

Granted<SharedAnswers::Text> RemoteApi::answer_of(Read const& read, RemoteCall const& call) {
  auto const make = [&] {
    return read.answer(services_, call).map([](auto const& value) {
      return json::serialize(value);
    });
  };
  auto const is_bulk = flag_in(call.query, "bulk");
  if (read.traits.is_shared && is_bulk) {
    return shared_.get(fmt::format("{}{}", read.path, *is_bulk ? " bulk" : ""), make);
  }
  return make().map(
      [](std::string text) { return std::make_shared<std::string const>(std::move(text)); });
}

Granted<RemoteApi::Found> RemoteApi::find(net::Request const& request) const {
  auto is_path_known = false;
  // A slash that is written so is part of a name, and no name has one.
  auto const raw = lower_case(request.target.substr(0, request.target.find('?')));
  if (raw.find("%2f") != std::string::npos) return refuse(404, "");
  auto path = std::string_view(request.path);
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (auto const& resource : resources_) {
    auto places = places_in(resource.path, path);
    if (!places || !are_possible(resource.path, *places)) continue;
    is_path_known = true;
    if (resource.method == request.method) return Found{&resource, *std::move(places)};
  }
  if (!is_path_known) return refuse(404, "");
  return refuse(501, "{} is not defined for {}", request.method, path);
}

// None: nobody said who he is.
Granted<RemoteApi::AccountPtr> RemoteApi::account_of(net::Request const& request) {
  auto const header = request.header("Authorization");
  if (header.empty()) return AccountPtr();
  auto const credentials = credentials_in(header);
  if (!credentials) return refuse(401, "Only Basic authentication is known here");
  auto const account =
      accounts_.check(credentials->first, credentials->second, request.peer.address);
  if (!account) return tl::unexpected(refusal_of(account.error()));
  return *account;
}

Granted<void> RemoteApi::check_access(Resource const& resource, Account const* account) const {
  auto const is_for_everybody =
      resource.access == Access::Everybody && !options_.requires_authentication;
  if (is_for_everybody) return {};
  if (account == nullptr) return refuse(401, "");
  if (resource.permission.empty() || account->may(resource.permission)) return {};
  return refuse(403, "The account '{}' has no permission '{}'", account->name, resource.permission);
}

Granted<JobId> RemoteApi::submit(Change const& change, RemoteCall const& call,
                                 jobs::Principal const& who) {
  auto opcodes = change.opcodes(call);
  if (!opcodes) return tl::unexpected(opcodes.error());
  auto const now = services_.seams.clock.wall().time_since_epoch();
  add_reason(*opcodes, change, call,
             std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  json::array job;
  for (auto& opcode : *opcodes) {
    auto const op_id = opcodes::op_id_of(opcode);
    if (opcodes::find(op_id) == nullptr) return refuse(501, "{} is not built yet", op_id);
    job.push_back(std::move(opcode));
  }
  auto const id = services_.queue.submit({std::move(job)}, who).front();
  if (id) return *id;
  switch (id.error().error_class) {
    case ErrorClass::QueueDrained:
      return refuse(503, "Job queue is drained, cannot submit");
    case ErrorClass::QueueFull:
      return refuse(503, "Job queue is full, needs archiving");
    default:
      break;
  }
  auto refusal = refusal_of(id.error());
  if (refusal.status == 400) {
    refusal.message = fmt::format("Invalid body parameters: {}", refusal.message);
  }
  return tl::unexpected(std::move(refusal));
}

Granted<void> RemoteApi::wait(RemoteCall const& call, jobs::Principal const&,
                              net::Responder& responder) {
  return wait_for_job(services_, call, responder);
}

Granted<void> RemoteApi::describe(RemoteCall const&, jobs::Principal const&,
                                  net::Responder& responder) {
  static std::string const text = json::serialize(openapi());
  (void)responder.send({.body = text});
  return {};
}

Granted<void> RemoteApi::tell_metrics(RemoteCall const&, jobs::Principal const&,
                                      net::Responder& responder) {
  auto const text = shared_.get("/metrics", [this] { return metrics(services_); });
  if (!text) return tl::unexpected(text.error());
  (void)responder.send({.content_type = std::string(metrics_type), .body = **text});
  return {};
}

}  // namespace flotte::rapi
