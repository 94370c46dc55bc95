#include "rpc/wire.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace flotte::rpc {
namespace {

// Ganeti has no class for "as the stage decides", so that one is ours and for nodes only.
constexpr std::string_view by_stage = "NodeError";

std::string_view text_at(json::array const& list, std::size_t index) {
  if (index >= list.size() || !list[index].is_string()) return {};
  return list[index].get_string();
}

// The length of the valid UTF-8 sequence (RFC 3629) that the text begins with; 0 when there is
// none.
std::size_t sequence_bytes(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto const first = byte(0);
  if (first < 0x80) return 1;
  std::size_t const bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies above U+10FFFF.
  auto const second = byte(1);
  auto const is_wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return is_wrong ? 0 : bytes;
}

}  // namespace

std::string in_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    auto const bytes = sequence_bytes(text);
    if (bytes == 0) clean += '?';
    clean += text.substr(0, bytes);
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return clean;
}

schema::Fields WireContext::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&WireContext::leader_epoch>("leader_epoch", "Which leadership asks."),
      field<&WireContext::job>("job", "Whose call it is; 0: no job's."),
      field<&WireContext::step>("step", "Which step of the job."),
      field<&WireContext::serial>("serial", "Its place among the calls of its leader; 0: none."),
  };
  return table;
}

schema::Fields CallBody::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&CallBody::arguments>("arguments", "Of the call."),
      field<&CallBody::context>("context", "Whose call it is."),
  };
  return table;
}

std::string say_line(std::string_view text) {
  return json::serialize(json::object{{"say", in_utf8(text)}});
}

std::string progress_line(std::string_view text, double fraction) {
  return json::serialize(
      json::object{{"progress", json::object{{"text", in_utf8(text)}, {"fraction", fraction}}}});
}

std::string entry_line(std::string_view type, json::object content) {
  return json::serialize(
      json::object{{"entry", json::object{{"type", type}, {"content", std::move(content)}}}});
}

std::string answer_line(Result<json::value> const& answer) {
  if (!answer) return json::serialize(encode_error(answer.error()));
  return json::serialize(json::object{{"ok", *answer}});
}

std::optional<Result<json::value>> read_answer_line(std::string_view line) {
  auto const parsed = schema::parse(line);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  if (auto const* ok = parsed->get_object().if_contains("ok")) return Result<json::value>(*ok);
  if (auto const* error = parsed->get_object().if_contains("error")) {
    return Result<json::value>(Failure(decode_error(*error)));
  }
  return std::nullopt;
}

json::object encode_error(Error const& error) {
  auto const name =
      error.error_class == ErrorClass::ByStage ? by_stage : python_class(error.error_class);
  return {{"error", json::array{name, json::array{in_utf8(error.message), to_string(error.code)}}}};
}

Error decode_error(json::value const& list) {
  Error error{ErrorCode::InternalError, "The node answered with an error that can't be read"};
  if (!list.is_array() || list.get_array().size() != 2) return error;
  auto const name = text_at(list.get_array(), 0);
  auto const& details = list.get_array()[1];
  if (!details.is_array()) return error;
  error.message = text_at(details.get_array(), 0);
  error.code = error_code_from(text_at(details.get_array(), 1)).value_or(ErrorCode::InternalError);
  error.error_class = name == by_stage ? ErrorClass::ByStage : error_class_from_python(name);
  return error;
}

}  // namespace flotte::rpc
