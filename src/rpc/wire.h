// How node calls look on the wire: the request's body, the lines of the answer, and errors.
//
// Used by NodeClient and by the node daemon. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/node.h"

namespace flotte::rpc {

// POST /1/call/<name> carries out a call; POST /1/cancel asks the call of that job and step to
// stop.
constexpr std::string_view call_path = "/1/call/";
constexpr std::string_view cancel_path = "/1/cancel";
constexpr std::string_view lines_content_type = "application/x-ndjson";
// Common name of the controller's certificate. Only its holder may call a node daemon over TCP.
constexpr std::string_view controller_name = "flotte-controller";

// What of a CallContext is sent.
struct WireContext {
  std::int64_t leader_epoch = 0;
  std::int64_t job = 0;
  std::int64_t step = 0;
  std::int64_t serial = 0;

  static schema::Fields fields();
};

struct CallBody {
  json::object arguments;
  WireContext context;

  static schema::Fields fields();
};

// Whatever is not UTF-8 (scripts say what they like) becomes question marks.
std::string in_utf8(std::string_view text);

// Lines that a long call says while it works, made UTF-8; they end without a newline.
std::string say_line(std::string_view text);
std::string progress_line(std::string_view text, double fraction);
// An entry of that type for the job's log.
std::string entry_line(std::string_view type, json::object content);
// Shows a client that the daemon still lives while a call works in silence.
constexpr std::string_view alive_line = R"({"alive":true})";

// The last line of an answer.
std::string answer_line(Result<json::value> const& answer);
// Nothing when the line is not the last one.
std::optional<Result<json::value>> read_answer_line(std::string_view line);

// {"error":["class",["text","ecode"]]}. A class that is left to the stage stays so over the wire.
json::object encode_error(Error const& error);
Error decode_error(json::value const& list);

}  // namespace flotte::rpc
