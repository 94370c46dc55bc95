#include "query/query.h"

#include <re2/re2.h>

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <set>

#include "base/text.h"

namespace flotte::query {
namespace {

// All that there are, several times.
constexpr std::size_t fields_max = 5000;
constexpr std::size_t filter_depth_max = 30;

Result<FieldTable const*> table_of(std::string const& what) {
  if (what == "instance") return &instance_fields();
  if (what == "node") return &node_fields();
  if (what == "group") return &group_fields();
  if (what == "network") return &network_fields();
  if (what == "export") return &export_fields();
  if (what == "job") return &job_fields();
  if (what == "lock") return &lock_fields();
  return fail(ErrorCode::WrongInput, "Queries of '{}' are not known or not built yet", what);
}

Field const* find(FieldTable const& table, std::string_view name) {
  auto const found = std::ranges::find(table, name, &Field::name);
  return found == table.end() ? nullptr : &*found;
}

// An unknown field is no error: its cells say so.
Field unknown_field(std::string const& name) {
  return {name,      name,
          "unknown", "Unknown field '" + name + "'",
          false,     [](Row const&) { return Cell{Status::Unknown, nullptr}; }};
}

std::vector<Field> resolve(FieldTable const& table, std::vector<std::string> const& names) {
  std::vector<Field> fields;
  for (auto const& name : names) {
    auto const* known = find(table, name);
    fields.push_back(known ? *known : unknown_field(name));
  }
  return fields;
}

void collect_filter_fields(json::value const& filter, std::vector<std::string>& names) {
  auto const* list = filter.if_array();
  if (!list || list->empty() || !(*list)[0].is_string()) return;
  auto const op = std::string_view((*list)[0].get_string());
  auto const is_nested = op == "&" || op == "|" || op == "!";
  for (std::size_t i = 1; i < list->size(); ++i) {
    if (is_nested) {
      collect_filter_fields((*list)[i], names);
    } else if (i == 1 && (*list)[i].is_string()) {
      names.emplace_back(std::string_view((*list)[i].get_string()));
    }
  }
}

Failure bad_filter(std::string_view why) {
  return fail(ErrorCode::WrongInput, "Invalid filter: {}", why);
}

// Fields that hold the name of a host: a short one stands for them, too.
bool is_hostname(std::string_view field, Row const& row) {
  return (field == "name" && (row.instance || row.node)) || (field == "pnode" && row.instance) ||
         (field == "node" && row.node);
}

bool is_equal(json::value const& have, json::value const& wanted, bool is_hostname) {
  if (have.is_number() && wanted.is_number()) {
    return have.to_number<double>() == wanted.to_number<double>();
  }
  if (have == wanted || !is_hostname) return have == wanted;
  return have.is_string() && wanted.is_string() &&
         have.get_string().starts_with(std::string(wanted.get_string()) + ".");
}

// In the words of Ganeti, which is written in Haskell here.
Result<void> check_types(json::value const& have, json::value const& wanted) {
  auto const is_mixed =
      (have.is_string() && wanted.is_number()) || (have.is_number() && wanted.is_string());
  if (!is_mixed) return {};
  return fail_as(ErrorClass::Name, ErrorCode::WrongInput,
                 "Invalid types in comparison, trying to compare {} with '{} {}'; {}",
                 json::serialize(have), wanted.is_string() ? "QuotedString" : "NumericValue",
                 json::serialize(wanted),
                 have.is_string() ? "texts stand between quotation marks"
                                  : "numbers stand without quotation marks");
}

// Of what isn't there nothing can be said: neither that it is so nor that it isn't.
using Verdict = std::optional<bool>;

Result<bool> compare(std::string_view op, Cell const& cell, json::value const& wanted,
                     bool is_hostname) {
  auto const& have = cell.value;
  if (op == "==" || op == "=" || op == "!=") {
    TRY(check_types(have, wanted));
    return (op == "!=") != is_equal(have, wanted, is_hostname);
  }
  if (op == "=[]") {
    auto const* list = have.if_array();
    return list && std::ranges::find(*list, wanted) != list->end();
  }
  if (op == "=~") {
    if (!wanted.is_string()) return bad_filter("=~ needs a pattern");
    RE2 const pattern(re2::StringPiece(wanted.get_string().data(), wanted.get_string().size()),
                      RE2::Quiet);
    if (!pattern.ok()) return bad_filter(pattern.error());
    return have.is_string() &&
           RE2::PartialMatch({have.get_string().data(), have.get_string().size()}, pattern);
  }
  if (op != "<" && op != "<=" && op != ">" && op != ">=") {
    return bad_filter(fmt::format("unknown operator '{}'", op));
  }
  TRY(check_types(have, wanted));
  auto const order = [&]() -> std::optional<int> {
    if (have.is_number() && wanted.is_number()) {
      auto const a = have.to_number<double>();
      auto const b = wanted.to_number<double>();
      return a < b ? -1 : a > b ? 1 : 0;
    }
    if (have.is_string() && wanted.is_string())
      return have.get_string().compare(wanted.get_string());
    return std::nullopt;
  }();
  if (!order) return false;
  if (op == "<") return *order < 0;
  if (op == "<=") return *order <= 0;
  if (op == ">") return *order > 0;
  return *order >= 0;
}

Result<Verdict> matches_at(json::value const& filter, FieldTable const& table, Row const& row,
                           std::size_t depth) {
  if (filter.is_null()) return Verdict(true);
  auto const* list = filter.if_array();
  if (depth > filter_depth_max) return bad_filter("it is nested too deeply");
  if (!list || list->empty() || !(*list)[0].is_string()) {
    return bad_filter("expected [operator, ...]");
  }
  auto const op = std::string_view((*list)[0].get_string());
  if (op == "&" || op == "|") {
    auto const decides = op == "|";
    Verdict verdict = !decides;
    for (std::size_t i = 1; i < list->size(); ++i) {
      auto const one = TRY(matches_at((*list)[i], table, row, depth + 1));
      if (one == decides) return one;
      if (!one) verdict = std::nullopt;
    }
    return verdict;
  }
  if (list->size() < 2) return bad_filter(fmt::format("'{}' has nothing to look at", op));
  if (op == "!") {
    auto const one = TRY(matches_at((*list)[1], table, row, depth + 1));
    return one ? Verdict(!*one) : Verdict();
  }
  if (!(*list)[1].is_string()) return bad_filter("a field name is missing");
  auto const name = std::string_view((*list)[1].get_string());
  auto const* field = find(table, name);
  if (!field) {
    return fail_as(ErrorClass::Name, ErrorCode::WrongInput, "Can't find field named '{}'", name);
  }
  auto const cell = field->cell(row);
  if (cell.status != Status::Normal || (op == "?" && cell.value.is_null())) return Verdict();
  if (op == "?") {
    auto const& value = cell.value;
    if (value.is_bool()) return Verdict(value.get_bool());
    return fail_as(ErrorClass::Name, ErrorCode::WrongInput,
                   "Unexpected value '{}' in boolean context; compare the field, as in {} == {}",
                   json::serialize(value), name, json::serialize(value));
  }
  if (list->size() != 3) return bad_filter("expected [operator, field, value]");
  return Verdict(TRY(compare(op, cell, (*list)[2], is_hostname(name, row))));
}

// Clients are shown 1 where Ganeti shows 1, not 1.0.
void shorten_numbers(json::value& value) {
  constexpr double whole_max = 1e15;
  if (value.is_double()) {
    auto const number = value.get_double();
    if (std::abs(number) < whole_max && number == std::trunc(number)) {
      value = static_cast<std::int64_t>(number);
    }
  } else if (auto* list = value.if_array()) {
    for (auto& item : *list) shorten_numbers(item);
  } else if (auto* object = value.if_object()) {
    for (auto& [key, item] : *object) shorten_numbers(item);
  }
}

// All of a kind in the order of their names, or those named.
template <class Map, class Lookup>
Result<std::vector<typename Map::mapped_type::element_type*>> chosen(Request const& request,
                                                                     std::string_view kind,
                                                                     Map const& map,
                                                                     Lookup lookup) {
  std::vector<typename Map::mapped_type::element_type*> objects;
  if (request.names.empty()) {
    objects.reserve(map.size());
    for (auto const& [id, object] : map) objects.push_back(object.get());
    sort_naturally(objects, [](auto const* one) -> auto& { return one->name; });
    return objects;
  }
  for (auto const& name : request.names) {
    auto const found = lookup(name);
    if (!found) return fail(ErrorCode::UnknownEntity, "{} name {} not found", kind, name);
    objects.push_back(found->get());
  }
  return objects;
}

// One row an export. Of a node that can't tell there is one that says so.
void add_exports(model::Cluster const& cluster, Live const& live, model::Node const& node,
                 std::vector<Row>& rows) {
  Row const row{.cluster = &cluster, .live = &live, .node = &node};
  auto const answer = live.exports.find(node.uuid);
  if (answer == live.exports.end() || !answer->second) return rows.push_back(row);
  for (auto const& name : *answer->second) rows.emplace_back(row).export_name = &name;
}

// What rows point at must outlive them: objects are shared with the cluster.
Result<std::vector<Row>> rows_of(Request const& request, model::Cluster const& cluster,
                                 Live const& live, std::vector<json::object> const& objects) {
  std::vector<Row> rows;
  if (request.what == "instance") {
    auto const lookup = [&](auto const& name) { return cluster.instance(name); };
    for (auto const* one : TRY(chosen(request, "Instance", cluster.instances(), lookup))) {
      rows.push_back(row_of(cluster, live, *one));
    }
  } else if (request.what == "node") {
    auto const lookup = [&](auto const& name) { return cluster.node(std::string_view(name)); };
    for (auto const* one : TRY(chosen(request, "Node", cluster.nodes(), lookup))) {
      rows.push_back({.cluster = &cluster, .live = &live, .node = one});
    }
  } else if (request.what == "group") {
    auto const lookup = [&](auto const& name) { return cluster.group(name); };
    for (auto const* one : TRY(chosen(request, "NodeGroup", cluster.groups(), lookup))) {
      rows.push_back({.cluster = &cluster, .live = &live, .group = one});
    }
  } else if (request.what == "network") {
    auto const lookup = [&](auto const& name) { return cluster.network(name); };
    auto const users = std::make_shared<NetworkUsers>(cluster);
    for (auto const* one : TRY(chosen(request, "Network", cluster.networks(), lookup))) {
      rows.push_back({.cluster = &cluster, .live = &live, .network = one, .network_users = users});
    }
  } else if (request.what == "export") {
    auto const lookup = [&](auto const& name) { return cluster.node(std::string_view(name)); };
    std::set<NodeId> seen;  // named twice it has its exports once
    for (auto const* one : TRY(chosen(request, "Node", cluster.nodes(), lookup))) {
      if (seen.insert(one->uuid).second) add_exports(cluster, live, *one, rows);
    }
  } else {
    for (auto const& object : objects) {
      rows.push_back({.cluster = &cluster, .live = &live, .object = &object});
    }
  }
  return rows;
}

}  // namespace

Result<Request> parse_request(json::object const& body) {
  struct Parsed {
    std::string what;
    std::optional<std::vector<std::string>> fields;
    std::optional<std::vector<std::string>> names;
    json::value qfilter;
    static schema::Fields table() {
      using schema::field;
      static constexpr schema::Field rows[] = {field<&Parsed::what>("what", "Which resource."),
                                               field<&Parsed::fields>("fields", "Which columns."),
                                               field<&Parsed::names>("names", "Which rows."),
                                               field<&Parsed::qfilter>("qfilter", "A filter.")};
      return rows;
    }
  };
  Parsed parsed;
  TRY(schema::decode_object(Parsed::table(), &parsed, json::value(body), "",
                            schema::UnknownKeys::Refuse));
  Request request{parsed.what, parsed.fields.value_or(std::vector<std::string>()),
                  parsed.names.value_or(std::vector<std::string>()), parsed.qfilter};
  if (request.fields.size() > fields_max) {
    return fail(ErrorCode::WrongInput, "At most {} fields", fields_max);
  }
  return request;
}

Result<Needs> needs_of(Request const& request) {
  auto const& table = *TRY(table_of(request.what));
  auto names = request.fields;
  collect_filter_fields(request.filter, names);
  auto const is_live = std::ranges::any_of(names, [&](auto const& name) {
    auto const* field = find(table, name);
    return field && field->is_live;
  });
  return Needs{.running = is_live && request.what == "instance",
               .facts = is_live && request.what == "node",
               .exports = is_live && request.what == "export"};
}

Result<json::value> run(Request const& request, model::Cluster const& cluster, Live const& live,
                        std::vector<json::object> const& objects) {
  auto const& table = *TRY(table_of(request.what));
  auto const fields = resolve(table, request.fields);
  auto const rows = TRY(rows_of(request, cluster, live, objects));
  // Thousands of small values, made and dropped together.
  auto const storage = json::make_shared_resource<json::monotonic_resource>();
  json::array data(storage);
  data.reserve(rows.size());
  for (auto const& row : rows) {
    if (!TRY(matches(request.filter, table, row))) continue;
    json::array cells(storage);
    cells.reserve(fields.size());
    for (auto const& field : fields) {
      auto cell = field.cell(row);
      if (field.kind != "timestamp") shorten_numbers(cell.value);
      cells.emplace_back(std::move(cell).wire(storage));
    }
    data.emplace_back(std::move(cells));
  }
  json::array definitions;
  for (auto const& field : fields) definitions.push_back(field.wire());
  json::object answer(storage);
  answer["fields"] = std::move(definitions);
  answer["data"] = std::move(data);
  return json::value(std::move(answer));
}

Result<json::value> fields_of(std::string const& what, std::vector<std::string> const& names) {
  auto const& table = *TRY(table_of(what));
  json::array definitions;
  for (auto const& field : names.empty() ? table : resolve(table, names)) {
    if (names.empty() && field.is_own) continue;
    definitions.push_back(field.wire());
  }
  json::object answer;
  answer["fields"] = std::move(definitions);
  return json::value(std::move(answer));
}

Result<bool> matches(json::value const& filter, FieldTable const& table, Row const& row) {
  return TRY(matches_at(filter, table, row, 0)).value_or(false);
}

}  // namespace flotte::query
