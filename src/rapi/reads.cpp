#include "rapi/reads.h"

#include <algorithm>

#include "base/text.h"
#include "rapi/live_query.h"
#include "rapi/os_list.h"
#include "rapi/rows.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

// What is told of each object, in this order.
Fields const& instance_fields() {
  static Fields const fields = {"name",
                                "admin_state",
                                "os",
                                "pnode",
                                "snodes",
                                "disk_template",
                                "nic.ips",
                                "nic.macs",
                                "nic.modes",
                                "nic.uuids",
                                "nic.names",
                                "nic.links",
                                "nic.networks",
                                "nic.networks.names",
                                "nic.bridges",
                                "network_port",
                                "disk.sizes",
                                "disk.spindles",
                                "disk_usage",
                                "disk.uuids",
                                "disk.names",
                                "beparams",
                                "hvparams",
                                "oper_state",
                                "oper_ram",
                                "oper_vcpus",
                                "status",
                                "custom_hvparams",
                                "custom_beparams",
                                "custom_nicparams",
                                "custom_osparams",
                                "ctime",
                                "mtime",
                                "uuid",
                                "serial_no",
                                "tags",
                                "hypervisor"};
  return fields;
}
Fields const& node_fields() {
  static Fields const fields = {"name",       "offline",        "master_candidate",
                                "drained",    "dtotal",         "dfree",
                                "sptotal",    "spfree",         "mtotal",
                                "mnode",      "mfree",          "pinst_cnt",
                                "sinst_cnt",  "ctotal",         "cnos",
                                "cnodes",     "csockets",       "pip",
                                "sip",        "role",           "pinst_list",
                                "sinst_list", "master_capable", "vm_capable",
                                "ndparams",   "group.uuid",     "ctime",
                                "mtime",      "uuid",           "serial_no",
                                "tags"};
  return fields;
}
Fields const& group_fields() {
  static Fields const fields = {"alloc_policy", "name",
                                "node_cnt",     "node_list",
                                "ipolicy",      "custom_ipolicy",
                                "diskparams",   "custom_diskparams",
                                "ndparams",     "custom_ndparams",
                                "ctime",        "mtime",
                                "uuid",         "serial_no",
                                "tags"};
  return fields;
}
Fields const& network_fields() {
  static Fields const fields = {
      "name",       "network",        "gateway", "network6",   "gateway6",  "mac_prefix",
      "free_count", "reserved_count", "map",     "group_list", "inst_list", "external_reservations",
      "ctime",      "mtime",          "uuid",    "serial_no",  "tags"};
  return fields;
}
Fields const& job_fields() {
  static Fields const fields = {"id",       "ops",         "status",   "summary",
                                "opstatus", "received_ts", "start_ts", "end_ts"};
  return fields;
}
Fields const& one_job_fields() {
  static Fields const fields = [] {
    auto all = job_fields();
    all.insert(all.end(), {"oplog", "opresult"});
    return all;
  }();
  return fields;
}

json::array array_of(std::vector<json::object> dicts) {
  json::array all;
  all.reserve(dicts.size());
  for (auto& dict : dicts) all.emplace_back(std::move(dict));
  return all;
}

// "?bulk=1": all of each; otherwise where each is found.
Granted<json::value> list(Services const& services, RemoteCall const& call, std::string_view what,
                          Fields const& fields, std::string_view below, std::string_view key) {
  auto const is_bulk = flag_in(call.query, "bulk");
  if (!is_bulk) return tl::unexpected(is_bulk.error());
  if (*is_bulk) return rows(services, what, fields).map(array_of);
  std::string_view const name_field = what == "job" ? "id" : "name";
  auto found = rows(services, what, {name_field});
  if (!found) return tl::unexpected(found.error());
  json::array all;
  for (auto& row : *found) {
    auto const& name = row[name_field];
    auto const last =
        name.is_string() ? std::string(name.get_string()) : fmt::format("{}", name.get_int64());
    all.push_back(json::object{{key, name}, {"uri", fmt::format("{}/{}", below, last)}});
  }
  return all;
}

Granted<json::object> one(Services const& services, std::string_view what, Fields const& fields,
                          std::string const& name) {
  auto found = rows(services, what, fields, {name});
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return refuse(404, "");
  return std::move(found->front());
}

json::object with_memory(json::object instance) {
  auto* beparams = instance["beparams"].if_object();
  if (beparams) (*beparams)["memory"] = (*beparams)["maxmem"];
  return instance;
}

// --- Of the API itself

Granted<json::value> nothing(Services const&, RemoteCall const&) {
  return json::value(nullptr);
}
Granted<json::value> version(Services const&, RemoteCall const&) {
  return json::value(2);
}
Granted<json::value> features(Services const&, RemoteCall const&) {
  return json::value(json::array{"instance-create-reqv1", "instance-reinstall-reqv1",
                                 "node-migrate-reqv1", "node-evac-res1"});
}

// --- The cluster

Granted<json::value> info(Services const& services, RemoteCall const&) {
  auto dict = cluster_dict(*services.seams.config.snapshot(), services.queue.is_drained(),
                           services.watcher_paused_until());
  auto& known = dict.get_object();
  // Under the names of before, too.
  for (auto const& [name, other] :
       {std::pair("volume_group_name", "vg_name"), {"drbd_usermode_helper", "drbd_helper"}}) {
    if (auto const* value = known.if_contains(name)) known[other] = json::value(*value);
  }
  return dict;
}

Granted<json::value> tags(Services const& services, std::string_view what, RemoteCall const& call) {
  auto found = one(services, what, {"tags"}, call.place(0));
  if (!found) return tl::unexpected(found.error());
  return std::move((*found)["tags"]);
}
Granted<json::value> cluster_tags(Services const& services, RemoteCall const&) {
  auto const snapshot = services.seams.config.snapshot();
  auto const& all = snapshot->settings().tags;
  return json::value(json::array(all.begin(), all.end()));
}

// --- Objects

Granted<json::value> instances(Services const& services, RemoteCall const& call) {
  auto all = list(services, call, "instance", instance_fields(), "/2/instances", "id");
  if (!all) return all;
  for (auto& instance : all->as_array()) {
    if (instance.get_object().contains("beparams")) {
      instance = with_memory(std::move(instance.get_object()));
    }
  }
  return all;
}
Granted<json::value> instance(Services const& services, RemoteCall const& call) {
  return one(services, "instance", instance_fields(), call.place(0)).map(with_memory);
}
Granted<json::value> console(Services const& services, RemoteCall const& call) {
  auto found = one(services, "instance", {"console", "oper_state"}, call.place(0));
  if (!found) return tl::unexpected(found.error());
  if ((*found)["oper_state"] != true) return refuse(503, "Instance console unavailable");
  return std::move((*found)["console"]);
}

Granted<json::value> nodes(Services const& services, RemoteCall const& call) {
  return list(services, call, "node", node_fields(), "/2/nodes", "id");
}
Granted<json::value> node(Services const& services, RemoteCall const& call) {
  auto found = one(services, "node", node_fields(), call.place(0));
  if (!found) return tl::unexpected(found.error());
  (*found)["secondary_ip"] = json::value((*found)["sip"]);
  return *std::move(found);
}
Granted<json::value> role(Services const& services, RemoteCall const& call) {
  static constexpr std::pair<char, std::string_view> roles[] = {{'M', "master"},
                                                                {'C', "master-candidate"},
                                                                {'D', "drained"},
                                                                {'O', "offline"},
                                                                {'R', "regular"}};
  auto found = one(services, "node", {"role"}, call.place(0));
  if (!found) return tl::unexpected(found.error());
  auto const& letter = (*found)["role"].get_string();
  for (auto const& [short_name, name] : roles) {
    if (letter.size() == 1 && letter[0] == short_name) return json::value(name);
  }
  return refuse(500, "The node has the role '{}', which has no name here",
                std::string_view(letter));
}

Granted<json::value> groups(Services const& services, RemoteCall const& call) {
  return list(services, call, "group", group_fields(), "/2/groups", "name");
}
Granted<json::value> group(Services const& services, RemoteCall const& call) {
  return one(services, "group", group_fields(), call.place(0));
}

Granted<json::value> networks(Services const& services, RemoteCall const& call) {
  return list(services, call, "network", network_fields(), "/2/networks", "name");
}
Granted<json::value> network(Services const& services, RemoteCall const& call) {
  return one(services, "network", network_fields(), call.place(0));
}

template <char const* What>
Granted<json::value> tags_of(Services const& services, RemoteCall const& call) {
  return tags(services, What, call);
}
constexpr char a_node[] = "node";
constexpr char a_group[] = "group";
constexpr char a_network[] = "network";
constexpr char an_instance[] = "instance";

// --- Jobs

Granted<json::value> job_list(Services const& services, RemoteCall const& call) {
  auto const is_bulk = flag_in(call.query, "bulk");
  if (is_bulk && !*is_bulk) {
    json::array all;
    for (auto const id : services.queue.ids()) {
      all.push_back(
          json::object{{"id", number(id)}, {"uri", fmt::format("/2/jobs/{}", number(id))}});
    }
    return json::value(std::move(all));
  }
  return list(services, call, "job", job_fields(), "/2/jobs", "id");
}
Granted<JobId> known_job(Services const& services, std::string const& place) {
  auto const id = whole_number(place);
  if (!id) return refuse(404, "");
  auto const job = services.queue.job(JobId{*id}, jobs::JobQueue::Logs::Without);
  if (!job) return refuse(404, "");
  return JobId{*id};
}
Granted<json::value> job(Services const& services, RemoteCall const& call) {
  auto const id = known_job(services, call.place(0));
  if (!id) return tl::unexpected(id.error());
  return one(services, "job", one_job_fields(), std::to_string(number(*id)));
}
Granted<json::value> cancel(Services const& services, RemoteCall const& call) {
  auto const id = known_job(services, call.place(0));
  if (!id) return tl::unexpected(id.error());
  auto const answer = services.queue.cancel(*id);
  return json::value(json::array{answer.ok, answer.text});
}

// --- Queries

// The address has no other blanks than spaces.
json::array split(std::string_view text) {
  json::array parts;
  for (auto const part : parts_at_commas(text)) parts.emplace_back(trimmed(part));
  return parts;
}

Granted<std::string_view> resource(RemoteCall const& call) {
  static constexpr std::string_view built[] = {"instance", "node", "group", "network",
                                               "export",   "job",  "lock"};
  static constexpr std::string_view not_built[] = {"filter"};
  auto const& name = call.place(0);
  if (auto const* found = std::ranges::find(built, name); found != std::end(built)) return *found;
  if (std::ranges::find(not_built, name) != std::end(not_built)) {
    return refuse(501, "Queries of '{}' are not built yet", name);
  }
  return refuse(404, "There is no resource '{}'; one of {} is", name, fmt::join(built, ", "));
}

Granted<json::value> run(Services const& services, RemoteCall const& call, json::array fields,
                         json::value filter) {
  auto const what = resource(call);
  if (!what) return tl::unexpected(what.error());
  return query(services, *what, std::move(fields), {}, std::move(filter));
}

Granted<json::value> query_by_path(Services const& services, RemoteCall const& call) {
  auto const fields = text_in(call.query, "fields");
  if (!fields) return refuse(400, "Missing 'fields' query argument");
  return run(services, call, split(*fields), nullptr);
}

Granted<json::value> query_by_body(Services const& services, RemoteCall const& call) {
  auto const* body = call.body ? call.body->if_object() : nullptr;
  if (!body) return refuse(400, "Body contents: a dict is expected");
  json::array fields;
  if (auto const* given = body->if_contains("fields")) {
    if (!given->is_array()) return refuse(400, "'fields' must be a list");
    fields = given->get_array();
  } else if (auto const named = text_in(call.query, "fields")) {
    fields = split(*named);
  } else {
    return refuse(400, "Missing 'fields' query argument");
  }
  for (auto const* name : {"qfilter", "filter"}) {
    auto const* filter = body->if_contains(name);
    if (filter && !filter->is_null()) return run(services, call, std::move(fields), *filter);
  }
  return run(services, call, std::move(fields), nullptr);
}

Granted<json::value> query_fields(Services const&, RemoteCall const& call) {
  auto const what = resource(call);
  if (!what) return tl::unexpected(what.error());
  json::object body{{"what", *what}};
  if (auto const fields = text_in(call.query, "fields")) body["fields"] = split(*fields);
  auto answer = run_query_fields(body);
  if (!answer) return tl::unexpected(refusal_of(answer.error()));
  return *std::move(answer);
}

Granted<json::value> filters(Services const&, RemoteCall const&) {
  return refuse(501, "Filters of jobs (gnt-filter) are not built yet");
}

constexpr Read::Traits plain_list{.is_list = true};
constexpr Read::Traits shared_list{.is_list = true, .is_shared = true};
constexpr Read::Traits with_body{.has_body = true};
constexpr Read::Traits not_built{.is_built = false};

constexpr Read table[] = {
    {"GET", "/", "", Access::Everybody, "Nothing.", nothing},
    {"GET", "/2", "", Access::Everybody, "Nothing.", nothing},
    {"GET", "/version", "", Access::Everybody, "The version of this interface.", version},
    {"GET", "/2/features", "", Access::Everybody, "What it can beyond its version.", features},
    {"GET", "/2/info", "cluster.info", Access::Everybody, "Tells of the cluster.", info},
    {"GET", "/2/os", "os.list", Access::Everybody, "The OS definitions, with their variants.",
     list_os, shared_list},
    {"GET", "/2/tags", "tags.get", Access::Everybody, "The cluster's tags.", cluster_tags},
    {"GET", "/2/instances", "instances.list", Access::Everybody, "All instances.", instances,
     shared_list},
    {"GET", "/2/instances/{name}", "instances.query", Access::Everybody, "One instance.", instance},
    {"GET", "/2/instances/{name}/tags", "tags.get", Access::Everybody, "An instance's tags.",
     tags_of<an_instance>},
    {"GET", "/2/instances/{name}/console", "instances.query.console", Access::Account,
     "How its console is reached.", console},
    {"GET", "/2/nodes", "nodes.list", Access::Everybody, "All nodes.", nodes, shared_list},
    {"GET", "/2/nodes/{name}", "nodes.query", Access::Everybody, "One node.", node},
    {"GET", "/2/nodes/{name}/role", "nodes.role.query", Access::Everybody, "A node's role.", role},
    {"GET", "/2/nodes/{name}/tags", "tags.get", Access::Everybody, "A node's tags.",
     tags_of<a_node>},
    {"GET", "/2/groups", "groups.list", Access::Everybody, "All node groups.", groups, plain_list},
    {"GET", "/2/groups/{name}", "groups.query", Access::Everybody, "One node group.", group},
    {"GET", "/2/groups/{name}/tags", "tags.get", Access::Everybody, "A node group's tags.",
     tags_of<a_group>},
    {"GET", "/2/networks", "networks.list", Access::Everybody, "All networks.", networks,
     plain_list},
    {"GET", "/2/networks/{name}", "networks.query", Access::Everybody, "One network.", network},
    {"GET", "/2/networks/{name}/tags", "tags.get", Access::Everybody, "A network's tags.",
     tags_of<a_network>},
    {"GET", "/2/jobs", "jobs.list", Access::Everybody, "All jobs that are not archived.", job_list,
     plain_list},
    {"GET", "/2/jobs/{job}", "jobs.query", Access::Everybody, "One job.", job},
    {"DELETE", "/2/jobs/{job}", "jobs.cancel", Access::Account, "Cancels a job.", cancel},
    {"GET", "/2/query/{resource}", "query.all", Access::Account, "Lists objects.", query_by_path},
    {"PUT", "/2/query/{resource}", "query.all", Access::Account, "Lists those of a filter.",
     query_by_body, with_body},
    {"GET", "/2/query/{resource}/fields", "query.all", Access::Everybody,
     "Lists the fields of a list.", query_fields},
    {"GET", "/2/filters", "filter.list", Access::Everybody, "Not built yet.", filters, not_built},
    {"POST", "/2/filters", "filter.create", Access::Account, "Not built yet.", filters, not_built},
    {"GET", "/2/filters/{uuid}", "filter.query", Access::Everybody, "Not built yet.", filters,
     not_built},
    {"PUT", "/2/filters/{uuid}", "filter.modify", Access::Account, "Not built yet.", filters,
     not_built},
    {"DELETE", "/2/filters/{uuid}", "filter.remove", Access::Account, "Not built yet.", filters,
     not_built},
};

}  // namespace

std::span<Read const> reads() {
  return table;
}

}  // namespace flotte::rapi
