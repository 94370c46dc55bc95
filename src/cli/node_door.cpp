#include "cli/node_door.h"

#include <boost/json/serialize.hpp>
#include <optional>

#include "net/client.h"
#include "schema/schema.h"

namespace flotte::cli {

Outcome<json::value> call_node(Paths const& paths, std::string const& name,
                               json::object const& arguments) {
  auto client = net::Client::create(net::UnixClientOptions{.path = paths.node_socket()});
  if (!client) return stop(client.error());
  json::object const context{{"leader_epoch", 0}, {"job", 0}, {"step", 0}};
  std::optional<json::value> last;  // line: the answer
  auto const response = (*client)->stream(
      {.method = "POST",
       .target = "/1/call/" + name,
       .body = json::serialize(json::object{{"arguments", arguments}, {"context", context}})},
      std::chrono::seconds(120), [&](std::string_view line) {
        if (auto parsed = schema::parse(line)) last = std::move(*parsed);
        return true;
      });
  if (!response)
    return stop("Cannot communicate with the node daemon: " + response.error().message);
  if (!last && !response->body.empty()) {
    if (auto parsed = schema::parse(response->body)) last = std::move(*parsed);
  }
  if (!last || !last->is_object()) return stop("The node daemon gave no answer");
  if (auto const* error = last->get_object().if_contains("error"))
    return tl::unexpected(from_wire(*error));
  return last->get_object().at("ok");
}

}  // namespace flotte::cli
