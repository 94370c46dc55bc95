#include "cli/policy.h"

#include <algorithm>

#include "cli/values.h"
#include "model/params.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr char const* spec_names[] = {"cpu-count",   "disk-count", "disk-size",
                                      "memory-size", "nic-count",  "spindle-use"};

tl::unexpected<CommandError> wrong(std::string text) {
  return stop(Error{ErrorCode::WrongInput, std::move(text)});
}

Outcome<json::value> spec_value(std::string const& key, std::string const& text,
                                std::string const& end) {
  if (key == "memory-size" || key == "disk-size") {
    if (auto const fault = size_fault(text)) {
      return wrong(fmt::format("Invalid parameter {} ({}) in {} instance specs: {}", key, text, end,
                               *fault));
    }
    return json::value(GIVEN(parse_size(text)).value);
  }
  // Counts are no sizes: they are not rounded.
  auto const number = schema::parse(text);
  if (number && number->is_int64()) return *number;
  return stop(Error{ErrorCode::WrongInput,
                    fmt::format("'{}' (value {}) is not a valid integer", key, text),
                    ErrorClass::Parameter});
}

Outcome<json::object> spec_of(std::string const& text, std::string const& end,
                              std::string const& option) {
  json::object spec;
  for (auto const& [key, value] : GIVEN(parse_pairs(text, option))) {
    if (std::ranges::find(spec_names, std::string_view(key)) == std::end(spec_names)) {
      return stop(Error{ErrorCode::WrongInput,
                        fmt::format("Unknown parameter '{}'", std::string_view(key)),
                        ErrorClass::Parameter});
    }
    if (!value.is_string()) {
      return stop(Error{
          ErrorCode::WrongInput,
          fmt::format("Missing value for key '{}' in option {}", std::string_view(key), option),
          ErrorClass::Name});
    }
    spec[key] = OK(spec_value(std::string(std::string_view(key)), python_text(value), end));
  }
  return spec;
}

Outcome<json::object> bounds_of(std::string const& text) {
  constexpr auto option = "--ipolicy-bounds-specs";
  json::object pair;
  for (auto const& part : split(text, '/')) {
    if (part.empty()) {
      return stop(Error{ErrorCode::WrongInput, fmt::format("Empty section in option '{}'", option),
                        ErrorClass::Name});
    }
    auto const colon = part.find(':');
    auto const end = part.substr(0, colon);
    if (end != "min" && end != "max") {
      return wrong(fmt::format("Invalid key in bounds instance specifications: {}", end));
    }
    auto spec = OK(spec_of(colon == std::string::npos ? "" : part.substr(colon + 1), end, option));
    std::vector<std::string> missing;
    for (auto const* name : spec_names) {
      if (!spec.contains(name)) missing.emplace_back(name);
    }
    if (!missing.empty()) {
      return wrong(
          fmt::format("Missing parameters in ipolicy spec {}: {}", end, fmt::join(missing, ", ")));
    }
    pair[end] = std::move(spec);
  }
  return pair;
}

// min:a=1,b=2/max:a=3,b=4//min:…
Outcome<json::value> minmax_of(std::string const& text, PolicyOf owner) {
  if (owner == PolicyOf::Group && text == "default") return json::value("default");
  json::array minmax;
  for (std::size_t at = 0; at <= text.size();) {
    auto const end = std::min(text.find("//", at), text.size());
    minmax.push_back(OK(bounds_of(text.substr(at, end - at))));
    at = end + 2;
  }
  return minmax;
}

// An option for what of an instance it bounds.
constexpr std::pair<char const*, char const*> split_options[] = {{"specs-cpu-count", "cpu-count"},
                                                                 {"specs-disk-count", "disk-count"},
                                                                 {"specs-disk-size", "disk-size"},
                                                                 {"specs-mem-size", "memory-size"},
                                                                 {"specs-nic-count", "nic-count"}};

// What is not said stays as it is by default.
Outcome<json::object> split_policy(Call& call) {
  auto const& arguments = call.arguments;
  auto const is_given = [&](auto const& pair) { return arguments.has(pair.first); };
  if (std::ranges::none_of(split_options, is_given)) return json::object();
  if (arguments.has("ipolicy-bounds-specs") || arguments.has("ipolicy-std-specs")) {
    return wrong(
        "A --specs-xxx option cannot be specified together with any --ipolicy-xxx-specs option");
  }
  auto const defaults = model::default_ipolicy();
  auto minmax = defaults.at("minmax").at(0).as_object();
  auto std_spec = defaults.at("std").as_object();
  for (auto const& [option, name] : split_options) {
    auto const text = arguments.value(option);
    if (!text) continue;
    for (auto const& [end, value] : GIVEN(parse_pairs(*text, arguments.spelled(option)))) {
      auto* spec = end == "std"                   ? &std_spec
                   : end == "min" || end == "max" ? &minmax[end].as_object()
                                                  : nullptr;
      if (!spec) {
        return stop(Error{ErrorCode::WrongInput,
                          fmt::format("Unknown parameter '{}'; there are min, max and std",
                                      std::string_view(end)),
                          ErrorClass::Parameter});
      }
      (*spec)[name] = OK(spec_value(name, python_text(value), std::string(std::string_view(end))));
    }
  }
  return json::object{{"minmax", json::array{std::move(minmax)}}, {"std", std::move(std_spec)}};
}

std::string spec_text(json::object const& spec) {
  std::vector<std::string> pairs;
  for (auto const& [key, value] : spec) {
    pairs.push_back(fmt::format("{}={}", std::string_view(key), python_text(value)));
  }
  std::ranges::sort(pairs);
  return fmt::format("{}", fmt::join(pairs, ","));
}

}  // namespace

std::vector<Option> policy_options() {
  return {{0, "ipolicy-bounds-specs", true, "Instance policy: min:…/max:…"},
          {0, "ipolicy-disk-templates", true, "Instance policy: templates"},
          {0, "ipolicy-vcpu-ratio", true, "Instance policy: virtual CPUs a CPU"},
          {0, "ipolicy-spindle-ratio", true, "Instance policy: spindles"}};
}

std::vector<Option> split_policy_options() {
  std::vector<Option> options;
  for (auto const& [option, spec] : split_options) {
    options.push_back(
        {0, option, true, fmt::format("Instance policy: {}: min=…,max=…,std=…", spec)});
  }
  return options;
}

Outcome<json::object> policy_of(Call& call, PolicyOf owner) {
  auto const& arguments = call.arguments;
  json::object policy = OK(split_policy(call));
  if (auto const text = arguments.value("ipolicy-bounds-specs")) {
    policy["minmax"] = OK(minmax_of(*text, owner));
  }
  for (auto const& [option, key] : {std::pair{"ipolicy-vcpu-ratio", "vcpu-ratio"},
                                    std::pair{"ipolicy-spindle-ratio", "spindle-ratio"}}) {
    auto const text = arguments.value(option);
    if (!text) continue;
    auto const number = schema::parse(*text);
    if (number && number->is_number()) {
      policy[key] = number->to_number<double>();
    } else if (owner == PolicyOf::Group && *text == "default") {
      policy[key] = "default";
    } else {
      return wrong(fmt::format("--{} needs a number, not '{}'", option, *text));
    }
  }
  if (auto const text = arguments.value("ipolicy-disk-templates")) {
    json::array names;
    for (auto const& name : split(*text, ',')) {
      if (!name.empty()) names.push_back(text_value(name));
    }
    policy["disk-templates"] = std::move(names);
  }
  if (auto const text = arguments.value("ipolicy-std-specs")) {
    policy["std"] = OK(spec_of(*text, "std", "--ipolicy-std-specs"));
  }
  return policy;
}

Outcome<json::object> by_name(Call& call, std::string const& option) {
  json::object out;
  for (auto const& text : call.arguments.values(option)) {
    if (auto const removed = GIVEN(parse_removed_group(text)); !removed.empty()) {
      out[removed] = nullptr;
      continue;
    }
    auto const [name, pairs] = GIVEN(parse_named_pairs(text, call.arguments.spelled(option)));
    auto& known = out[name];
    if (!known.is_object()) known = json::object();
    for (auto const& [key, value] : pairs) known.as_object()[key] = value;
  }
  return out;
}

std::string policy_command(json::object const& policy, PolicyOf owner) {
  std::string out;
  auto const* std_spec = policy.if_contains("std");
  if (owner == PolicyOf::Cluster && std_spec && std_spec->is_object()) {
    out += " --ipolicy-std-specs " + spec_text(std_spec->get_object());
  }
  auto const* minmax = policy.if_contains("minmax");
  if (!minmax || !minmax->is_array()) return out;
  bool is_first = true;
  for (auto const& pair : minmax->get_array()) {
    out += is_first ? " --ipolicy-bounds-specs " : "//";
    is_first = false;
    out += fmt::format("min:{}/max:{}", spec_text(pair.at("min").as_object()),
                       spec_text(pair.at("max").as_object()));
  }
  return out;
}

}  // namespace flotte::cli
