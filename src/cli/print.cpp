#include "cli/print.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <ctime>
#include <sstream>

namespace flotte::cli {
namespace {

enum Status { Normal = 0, Unknown = 1, NoData = 2, Unavailable = 3, Offline = 4 };

// Lists that are shown joined by commas rather than as Python would print them.
bool joins_commas(std::string_view field) {
  for (auto const* name :
       {"tags", "disk.sizes", "nic.macs", "nic.ips", "nic.modes", "nic.links", "nic.bridges",
        "nic.networks", "snodes", "snodes.group", "snodes.group.uuid", "pinst_list", "sinst_list",
        "node_list", "inst_list", "summary"}) {
    if (field == name) return true;
  }
  return false;
}

std::string joined(json::value const& value) {
  std::string out;
  for (auto const& item : value.as_array()) {
    if (&item != value.as_array().begin()) out += ",";
    out += python_text(item);
  }
  return out;
}

// Who waits for a lock, and how: "shared:12, exclusive:13,14".
std::string pending_text(json::value const& value) {
  std::string out;
  for (auto const& one : value.as_array()) {
    if (!one.is_array() || one.as_array().size() != 2 || !one.at(1).is_array()) {
      return python_text(value);
    }
    out +=
        fmt::format("{}{}:{}", out.empty() ? "" : ", ", python_text(one.at(0)), joined(one.at(1)));
  }
  return out;
}

std::string lock_text(std::string_view field, json::value const& value) {
  auto const* list = value.if_array();
  if (value.is_null() || (list && list->empty())) return "-";
  if (!list) return python_text(value);
  return field == "pending" ? pending_text(value) : joined(value);
}

// Of each group that a network is connected to [name, mode, link, VLAN].
std::string connections_text(json::value const& groups) {
  std::string out;
  for (auto const& group : groups.as_array()) {
    out +=
        fmt::format("{}{} ({}, {}, {})", out.empty() ? "" : ", ", python_text(group.at(0)),
                    python_text(group.at(1)), python_text(group.at(2)), python_text(group.at(3)));
  }
  return out;
}

// What Ganeti calls the parameters of a node, in its order.
std::string ndparams_text(json::object const& params) {
  std::string out;
  for (auto const* name : {"oob_program", "spindle_count", "exclusive_storage", "ovs", "ovs_name",
                           "ovs_link", "ssh_port", "cpu_speed"}) {
    auto const* value = params.if_contains(name);
    if (!value) continue;
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", name, python_text(*value));
  }
  return out.empty() ? "(empty)" : out;
}

std::string normal_text(std::string_view field, std::string_view kind, json::value const& value,
                        Unit unit) {
  if (kind == "text" && value.is_string()) return std::string(value.get_string());
  if (kind == "bool" && value.is_bool()) return value.as_bool() ? "Y" : "N";
  if (kind == "unit" && value.is_number())
    return format_size({value.to_number<std::int64_t>()}, unit);
  if (kind == "timestamp" && value.is_number()) return local_time(value.to_number<double>());
  if (field == "received_ts" || field == "start_ts" || field == "end_ts") return stamp_text(value);
  if (field == "mode" || field == "owner" || field == "pending") return lock_text(field, value);
  if (field == "group_list" && value.is_array()) return connections_text(value);
  if (value.is_array() && joins_commas(field)) return joined(value);
  return python_text(value);
}

std::string status_text(std::int64_t status, bool is_verbose) {
  switch (status) {
    case Unknown:
      return is_verbose ? "(unknown)" : "??";
    case NoData:
      return is_verbose ? "(nodata)" : "?";
    case Unavailable:
      return is_verbose ? "(unavail)" : "-";
    default:
      return is_verbose ? "(offline)" : "*";
  }
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

std::string text_of(json::value const& value) {
  return std::string(std::string_view(value.as_string()));
}

struct Column {
  std::string_view name;
  std::string_view title;
  std::string_view kind;

  bool is_right() const { return kind == "number" || kind == "unit" || kind == "float"; }
};

std::vector<Column> columns_of(json::array const& fields) {
  std::vector<Column> columns;
  for (auto const& field : fields) {
    columns.push_back({field.at("name").as_string(), field.at("title").as_string(),
                       field.at("kind").as_string()});
  }
  return columns;
}

std::string cell_text(Column const& column, json::array const& cell, TableOptions const& options,
                      Unit unit) {
  auto const status = cell.at(0).to_number<std::int64_t>();
  auto const& value = cell.at(1);
  if (status != Normal) return status_text(status, options.is_verbose);
  if (options.is_of_groups && column.name == "ndparams") return ndparams_text(value.as_object());
  if (options.is_of_groups && column.name == "tags") return python_text(value);
  return normal_text(column.name, column.kind, value, unit);
}

using Line = std::vector<std::string>;

// The titles are the first of them.
std::vector<Line> lines_of(json::array const& rows, std::vector<Column> const& columns,
                           TableOptions const& options) {
  auto const unit =
      options.unit.value_or(options.separator.value_or("").empty() ? Unit::Human : Unit::Mebi);
  std::vector<Line> lines;
  lines.reserve(rows.size() + 1);
  if (options.has_headers) {
    auto& line = lines.emplace_back();
    for (auto const& column : columns) line.emplace_back(column.title);
  }
  for (auto const& row : rows) {
    auto& line = lines.emplace_back();
    line.reserve(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      line.push_back(cell_text(columns[i], row.as_array().at(i).as_array(), options, unit));
    }
  }
  return lines;
}

void render(json::value const& value, std::size_t depth, std::string& out, bool after_key);

void render_object(json::object const& object, std::size_t depth, std::string& out,
                   bool first_inline) {
  bool first = true;
  for (auto const& [key, value] : object) {
    if (!(first && first_inline)) out += std::string(depth * 2, ' ');
    first = false;
    out += std::string(std::string_view(key)) + ":";
    render(value, depth + 1, out, true);
  }
}

void render(json::value const& value, std::size_t depth, std::string& out, bool after_key) {
  if (value.is_object()) {
    if (after_key) out += " \n";
    render_object(value.get_object(), depth, out, false);
  } else if (value.is_array()) {
    if (after_key) out += " \n";
    for (auto const& item : value.get_array()) {
      out += std::string(depth * 2, ' ') + "- ";
      if (item.is_object()) {
        render_object(item.get_object(), depth + 1, out, true);
      } else if (item.is_array()) {
        bool first = true;
        for (auto const& inner : item.get_array()) {
          if (!first) out += std::string(depth * 2 + 2, ' ');
          first = false;
          out += "- " + python_text(inner) + "\n";
        }
      } else {
        out += python_text(item) + "\n";
      }
    }
  } else {
    out += (after_key ? " " : "") + python_text(value) + "\n";
  }
}

}  // namespace

std::string python_text(json::value const& value) {
  auto const quoted = [](json::value const& item) {
    return item.is_string() ? "'" + text_of(item) + "'" : python_text(item);
  };
  if (value.is_null()) return "None";
  if (value.is_bool()) return value.get_bool() ? "True" : "False";
  if (value.is_string()) return text_of(value);
  if (value.is_double()) {
    auto const number = value.get_double();
    return number == std::trunc(number) && std::abs(number) < 1e15 ? fmt::format("{:.1f}", number)
                                                                   : fmt::format("{}", number);
  }
  std::string out;
  if (value.is_array()) {
    for (auto const& item : value.get_array()) out += (out.empty() ? "" : ", ") + quoted(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (auto const& [key, item] : value.get_object()) {
      out +=
          fmt::format("{}'{}': {}", out.empty() ? "" : ", ", std::string_view(key), quoted(item));
    }
    return "{" + out + "}";
  }
  return json::serialize(value);
}

std::string local_time(double seconds) {
  auto const whole = static_cast<std::time_t>(seconds);
  std::tm broken{};
  ::localtime_r(&whole, &broken);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &broken);
  return buffer;
}

std::string stamp_text(json::value const& stamp) {
  if (!stamp.is_array() || stamp.get_array().size() != 2) return "N/A";
  auto const& parts = stamp.get_array();
  return fmt::format("{}.{:06}", local_time(parts[0].to_number<double>()),
                     parts[1].to_number<std::int64_t>());
}

std::string render_table(json::value const& answer, TableOptions const& options) {
  auto const columns = columns_of(answer.at("fields").as_array());
  auto const lines = lines_of(answer.at("data").as_array(), columns, options);
  std::string out;
  if (options.separator) {
    for (auto const& line : lines) out += fmt::format("{}\n", fmt::join(line, *options.separator));
    return out;
  }
  std::vector<std::size_t> widths(columns.size());
  for (auto const& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], width_of(line[i]));
  }
  for (auto const& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      auto const pad = widths[i] - width_of(line[i]);
      if (i > 0) out += ' ';
      if (columns[i].is_right()) out.append(pad, ' ');
      out += line[i];
      if (!columns[i].is_right() && i + 1 < line.size()) out.append(pad, ' ');
    }
    out += '\n';
  }
  return out;
}

json::value table_json(json::value const& answer) {
  auto const& fields = answer.at("fields").as_array();
  json::array rows;
  for (auto const& row : answer.at("data").as_array()) {
    json::object object;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      auto const& cell = row.as_array().at(i).as_array();
      object[fields[i].at("name").as_string()] =
          cell.at(0).to_number<std::int64_t>() == Normal ? cell.at(1) : json::value(nullptr);
    }
    rows.push_back(std::move(object));
  }
  return rows;
}

std::vector<std::string> unknown_fields(json::value const& answer) {
  std::vector<std::string> names;
  for (auto const& field : answer.at("fields").as_array()) {
    if (field.at("kind").as_string() == "unknown") names.push_back(text_of(field.at("name")));
  }
  return names;
}

std::vector<std::string> wrapped_lines(std::string const& text, std::size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
  }
  return lines;
}

std::string render_info(json::value const& value) {
  std::string out;
  render(value, 0, out, false);
  return out;
}

}  // namespace flotte::cli
