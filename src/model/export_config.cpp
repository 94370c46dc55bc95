#include "model/export_config.h"

#include <algorithm>
#include <set>

#include "base/lookup.h"
#include "base/size.h"
#include "base/text.h"
#include "model/params.h"

namespace flotte::model {
namespace {

constexpr std::size_t devices_max = 16;  // as Ganeti has it
constexpr std::string_view none = "None";

// A percent sign begins an interpolation.
std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (c == '%') out += '%';
    out += c;
    if (c == '\n') out += '\t';
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') ++i;
  }
  return out;
}

schema::json::object texts(std::map<std::string, std::string> const& all) {
  schema::json::object out;
  for (auto const& [key, value] : all) out[key] = value;
  return out;
}

// "none" is a value of some parameters; "None" is what Python writes of one that isn't there.
schema::json::object parameters(std::map<std::string, std::string> const& all) {
  auto out = texts(all);
  for (auto const& [key, value] : all) {
    if (value == none) out.erase(key);
  }
  return out;
}

std::optional<schema::json::object> read_nic(IniFile const& file, std::size_t index) {
  auto const at = [&](std::string_view key) {
    return file.get("instance", fmt::format("nic{}_{}", index, key));
  };
  if (!at("mac")) return std::nullopt;
  schema::json::object nic;
  auto const take = [&](std::string_view key) {
    if (auto const value = at(key); value && !value->empty()) nic[key] = *value;
  };
  for (auto const* key : {"mac", "ip", "name", "network"}) take(key);
  // A network says how it is connected.
  if (nic.contains("network")) return nic;
  for (auto const* key : {"mode", "link", "vlan", "antispoof"}) take(key);
  return nic;
}

Result<std::optional<ExportedDisk>> read_disk(IniFile const& file, std::size_t index) {
  auto const at = [&](std::string_view key) {
    return file.get("instance", fmt::format("disk{}_{}", index, key));
  };
  auto const size = at("size");
  auto const dump = at("dump");
  if (!size && !dump) return std::optional<ExportedDisk>();
  ExportedDisk disk{.name = at("name"), .dump = dump};
  if (size) {
    auto const number = whole_number(*size);
    if (!number || *number <= 0) {
      return fail(ErrorCode::WrongInput, "disk{}_size is '{}', which is no size", index, *size);
    }
    TRY(parse_size(*size));
    disk.size = MiB{*number};
  }
  return std::optional(std::move(disk));
}

// The numbers of all that are there: "disk3_size" is of 3.
std::set<std::size_t> numbers_of(IniFile const& file, std::string_view kind,
                                 std::vector<std::string_view> const& keys) {
  std::set<std::size_t> numbers;
  for (auto const& [key, value] : file.all("instance")) {
    auto const rest = key.starts_with(kind) ? std::string_view(key).substr(kind.size()) : "";
    auto const underline = rest.find('_');
    if (underline == std::string_view::npos) continue;
    auto const number = whole_number(rest.substr(0, underline));
    auto const is_one = std::ranges::find(keys, rest.substr(underline + 1)) != keys.end();
    if (is_one && number && *number >= 0 && file.get("instance", key)) {
      numbers.insert(static_cast<std::size_t>(*number));
    }
  }
  return numbers;
}

// All that it says it has, without a gap.
Result<void> check_count(IniFile const& file, std::string_view kind, std::size_t count,
                         std::vector<std::string_view> const& keys) {
  auto const numbers = numbers_of(file, kind, keys);
  if (numbers.size() > devices_max) {
    return fail(ErrorCode::WrongInput, "It has {} {}s, and an instance has at most {}",
                numbers.size(), kind, devices_max);
  }
  if (!numbers.empty() && *numbers.rbegin() >= count) {
    return fail(ErrorCode::WrongInput, "{} {} is missing, and {} {} is there", kind, count, kind,
                *numbers.rbegin());
  }
  auto const said = file.get("instance", fmt::format("{}_count", kind));
  if (!said || whole_number(*said) == static_cast<std::int64_t>(count)) return {};
  return fail(ErrorCode::WrongInput, "{}_count is '{}', and {} of them are there", kind, *said,
              count);
}

// Ganeti before 2.6 knew one size of memory.
schema::json::object read_backend(IniFile const& file) {
  schema::json::object params;
  if (file.has("backend")) {
    params = parameters(file.all("backend"));
  } else {
    for (auto const& row : backend_params()) {
      if (auto const value = file.get("instance", std::string(row.name))) params[row.name] = *value;
    }
    if (auto const memory = file.get("instance", "memory")) params["memory"] = *memory;
  }
  if (auto const* memory = params.if_contains("memory")) {
    auto const size = *memory;
    params.erase("memory");
    for (auto const* key : {"maxmem", "minmem"}) {
      if (!params.contains(key)) params[key] = size;
    }
  }
  return params;
}

void write_nics(Cluster const& cluster, Instance const& instance, IniFile& file) {
  for (std::size_t i = 0; i < instance.nics.size(); ++i) {
    auto const& nic = instance.nics[i];
    auto const put = [&](std::string_view key, std::string const& value) {
      file.set("instance", fmt::format("nic{}_{}", i, key), value);
    };
    put("mac", nic.mac);
    put("ip", nic.ip.value_or(std::string(none)));
    // By its name: that may be there in another cluster, its UUID never is.
    auto const network = cluster.network(nic.network ? nic.network->text() : "");
    put("network", network ? (*network)->name : std::string(none));
    put("name", nic.name.value_or(std::string(none)));
    auto const params = filled_nicparams(cluster.settings(), nic);
    for (auto const* key : {"mode", "link", "vlan"}) put(key, python_text(known_at(params, key)));
    if (auto const* antispoof = params.if_contains("antispoof")) {
      put("antispoof", python_text(*antispoof));
    }
  }
  file.set("instance", "nic_count", std::to_string(instance.nics.size()));
}

void write_disks(Instance const& instance, std::vector<std::string> const& dumps, IniFile& file) {
  for (std::size_t i = 0; i < instance.disks.size() && i < dumps.size(); ++i) {
    auto const& disk = instance.disks[i];
    auto const put = [&](std::string_view key, std::string const& value) {
      file.set("instance", fmt::format("disk{}_{}", i, key), value);
    };
    put("ivname", fmt::format("disk/{}", i));
    put("dump", dumps[i]);
    put("size", std::to_string(disk.size.value));
    put("name", disk.name.value_or(std::string(none)));
  }
  file.set("instance", "disk_count", std::to_string(dumps.size()));
}

}  // namespace

Result<IniFile> IniFile::parse(std::string_view text) {
  IniFile file;
  std::string section;
  std::string key;
  std::size_t number = 0;
  for (auto const line : split(text, '\n')) {
    ++number;
    auto const content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    // What is indented goes on with the value above.
    if ((line.front() == ' ' || line.front() == '\t') && !key.empty()) {
      file.sections_[section].values[key] += fmt::format("\n{}", content);
      continue;
    }
    if (content.front() == '[') {
      auto const end = content.find(']');
      if (end == std::string::npos) {
        return fail(ErrorCode::WrongInput, "Line {}: '[' without ']'", number);
      }
      section = content.substr(1, end - 1);
      if (!file.sections_.contains(section)) file.order_.push_back(section);
      file.sections_[section];
      key.clear();
      continue;
    }
    auto const equals = content.find_first_of("=:");
    if (equals == std::string::npos || section.empty()) {
      return fail(ErrorCode::WrongInput, "Line {}: neither a section nor a value", number);
    }
    key = lower_case(std::string(trimmed(content.substr(0, equals))));
    auto& known = file.sections_[section];
    if (known.values.contains(key)) {
      return fail(ErrorCode::WrongInput, "Line {}: {} stands there twice", number, key);
    }
    known.order.push_back(key);
    known.values[key] = trimmed(content.substr(equals + 1));
  }
  for (auto& [name, one] : file.sections_) {
    for (auto& [name_of_value, value] : one.values) value = unescaped(value);
  }
  return file;
}

std::string IniFile::text() const {
  std::string out;
  for (auto const& name : order_) {
    out += fmt::format("[{}]\n", name);
    auto const section = sections_.find(name);
    if (section == sections_.end()) continue;
    for (auto const& key : section->second.order) {
      auto const value = section->second.values.find(key);
      if (value != section->second.values.end()) {
        out += fmt::format("{} = {}\n", key, escaped(value->second));
      }
    }
    out += "\n";
  }
  return out;
}

void IniFile::set(std::string const& section, std::string const& key, std::string const& value) {
  if (!sections_.contains(section)) order_.push_back(section);
  auto& into = sections_[section];
  if (!into.values.contains(lower_case(key))) into.order.push_back(lower_case(key));
  into.values[lower_case(key)] = value;
}

std::optional<std::string> IniFile::get(std::string const& section, std::string const& key) const {
  auto const found = sections_.find(section);
  if (found == sections_.end()) return std::nullopt;
  auto const value = found->second.values.find(lower_case(key));
  if (value == found->second.values.end() || lower_case(value->second) == "none")
    return std::nullopt;
  return value->second;
}

std::map<std::string, std::string> IniFile::all(std::string const& section) const {
  auto const found = sections_.find(section);
  if (found == sections_.end()) return {};
  return found->second.values;
}

Result<ExportedInstance> read_export(std::string_view config) {
  auto const file = TRY(IniFile::parse(config));
  auto const missing = [](std::string_view what) {
    return fail(ErrorCode::WrongInput, "{} is missing", what);
  };
  if (!file.has("export") || !file.has("instance")) {
    return missing("A section, [export] or [instance],");
  }
  auto const version = file.get("export", "version");
  if (!version || *version != "0") {
    return fail(ErrorCode::EnvironmentError, "Wrong export version {} (wanted 0)",
                version.value_or("(none)"));
  }
  if (auto const by = file.get("export", "compression"); by && *by != "none") {
    return fail(ErrorCode::WrongInput, "Its files are compressed by '{}', which no release does",
                *by);
  }
  ExportedInstance out;
  auto const name = file.get("instance", "name");
  if (!name) return missing("name in [instance]");
  out.name = *name;
  out.os = file.get("export", "os").value_or("");
  out.disk_template = file.get("instance", "disk_template");
  out.hypervisor = file.get("instance", "hypervisor");
  auto const tags = file.get("instance", "tags").value_or("");
  for (auto const tag : split(tags, ' ')) {
    if (!tag.empty()) out.tags.emplace_back(tag);
  }
  for (std::size_t i = 0; i < devices_max; ++i) {
    auto disk = TRY(read_disk(file, i));
    if (!disk) break;
    out.disks.push_back(*std::move(disk));
  }
  for (std::size_t i = 0; i < devices_max; ++i) {
    auto nic = read_nic(file, i);
    if (!nic) break;
    out.nics.push_back(*std::move(nic));
  }
  TRY(check_count(file, "disk", out.disks.size(), {"size", "dump"}));
  TRY(check_count(file, "nic", out.nics.size(), {"mac"}));
  out.hvparams = parameters(file.all("hypervisor"));
  out.beparams = read_backend(file);
  out.osparams = texts(file.all("os"));
  out.osparams_private = texts(file.all("os_private"));
  return out;
}

std::string write_export(Cluster const& cluster, Instance const& instance,
                         std::vector<std::string> const& dumps, std::int64_t timestamp) {
  auto const& settings = cluster.settings();
  auto const beparams = filled_beparams(settings, instance);
  IniFile file;
  file.set("export", "version", "0");
  file.set("export", "timestamp", std::to_string(timestamp));
  file.set("export", "source", instance.primary_node.text());
  file.set("export", "os", instance.os);
  file.set("export", "compression", "none");
  auto const put = [&](std::string const& key, std::string const& value) {
    file.set("instance", key, value);
  };
  put("name", instance.name);
  put("maxmem", std::to_string(number_of(beparams, "maxmem")));
  put("minmem", std::to_string(number_of(beparams, "minmem")));
  put("memory", std::to_string(number_of(beparams, "maxmem")));
  put("vcpus", std::to_string(number_of(beparams, "vcpus")));
  put("disk_template", std::string(schema::name_of(instance.disk_template)));
  put("hypervisor", std::string(schema::name_of(instance.hypervisor)));
  put("tags", fmt::format("{}", fmt::join(instance.tags, " ")));
  write_nics(cluster, instance, file);
  write_disks(instance, dumps, file);
  auto const put_all = [&](std::string const& section, schema::json::object const& params) {
    for (auto const& [key, value] : params) {
      file.set(section, std::string(std::string_view(key)), python_text(value));
    }
  };
  put_all("hypervisor", without_globals(filled_hvparams(settings, instance)));
  put_all("backend", beparams);
  put_all("os", instance.osparams);
  put_all("os_private", instance.osparams_private);
  return file.text();
}

}  // namespace flotte::model
