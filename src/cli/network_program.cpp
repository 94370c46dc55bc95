// gnt-network: networks, which addresses of them instances may have, and through which groups
// (docs/ganeti.md, "Networks").
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "base/lookup.h"
#include "cli/command.h"
#include "cli/network_info.h"
#include "cli/tags.h"
#include "cli/values.h"
#include "model/params.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

std::string const& name_given(Call const& call) {
  return call.arguments.positional()[0];
}

json::array addresses(std::string const& text) {
  return text.empty() ? json::array() : text_values(split_escaped(text));
}

// What both `add` and `modify` know of.
void put_addresses(Call const& call, json::object& op) {
  for (auto const& [option, field] :
       {std::pair{"gateway", "gateway"}, std::pair{"network6", "network6"},
        std::pair{"gateway6", "gateway6"}, std::pair{"mac-prefix", "mac_prefix"}}) {
    if (auto const text = call.arguments.value(option)) op[field] = text_value(*text);
  }
  if (auto const text = call.arguments.value("add-reserved-ips")) {
    op["add_reserved_ips"] = addresses(*text);
  }
}

Outcome<int> add(Call& call) {
  auto const network = call.arguments.value("network");
  if (!network) return stop(Error{ErrorCode::WrongInput, "The --network option must be given"});
  auto op = OK(opcode(call, "OP_NETWORK_ADD"));
  op["network_name"] = text_value(name_given(call));
  op["network"] = text_value(*network);
  put_addresses(call, op);
  op["conflicts_check"] = !call.arguments.has("no-conflicts-check");
  if (auto const tags = call.arguments.value("tags")) op["tags"] = text_values(split(*tags, ','));
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> modify(Call& call) {
  auto op = OK(opcode(call, "OP_NETWORK_SET_PARAMS"));
  op["network_name"] = text_value(name_given(call));
  auto const before = op.size();
  put_addresses(call, op);
  if (auto const text = call.arguments.value("remove-reserved-ips")) {
    op["remove_reserved_ips"] = addresses(*text);
  }
  if (op.size() == before) return stop("Please give at least one of the parameters.");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> remove(Call& call) {
  auto op = OK(opcode(call, "OP_NETWORK_REMOVE"));
  op["network_name"] = text_value(name_given(call));
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> rename(Call& call) {
  auto op = OK(opcode(call, "OP_NETWORK_RENAME"));
  op["network_name"] = text_value(name_given(call));
  op["new_name"] = text_value(call.arguments.positional()[1]);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// Those named after the network, or all.
Outcome<std::vector<std::string>> wanted_groups(Call& call) {
  auto const& words = call.arguments.positional();
  std::vector<std::string> groups(words.begin() + 1, words.end());
  if (!groups.empty()) return groups;
  for (auto const& group : OK(rows_of(call, "group", {"uuid"}, {}))) {
    groups.push_back(python_text(group.at("uuid")));
  }
  return groups;
}

// Mode, link and VLAN. What isn't given is not the cluster's, but what Ganeti has built in.
Outcome<json::object> connection(Call const& call) {
  auto const& arguments = call.arguments;
  auto const text = arguments.value_or("nic-parameters", "");
  auto const typed = GIVEN(parse_pairs(text, arguments.spelled("nic-parameters")));
  auto const given = GIVEN(model::enforce(model::nic_params(), typed));
  if (given.contains("antispoof")) {
    return stop(Error{ErrorCode::WrongInput,
                      "A network is connected with a mode, a link and a VLAN; antispoof is said "
                      "of each NIC, or of all by gnt-cluster modify"});
  }
  auto how = model::defaults(model::nic_params());
  for (auto const& [name, value] : given) {
    if (!value.is_null()) how[name] = value;
  }
  return how;
}

Outcome<int> connect(Call& call) {
  auto const how = OK(connection(call));
  for (auto const& group : OK(wanted_groups(call))) {
    auto op = OK(opcode(call, "OP_NETWORK_CONNECT"));
    op["group_name"] = text_value(group);
    op["network_name"] = text_value(name_given(call));
    op["network_mode"] = known_at(how, "mode");
    op["network_link"] = known_at(how, "link");
    op["network_vlan"] = known_at(how, "vlan");
    op["conflicts_check"] = !call.arguments.has("no-conflicts-check");
    OK(call.session.run(json::array{std::move(op)}));
  }
  return 0;
}

Outcome<int> disconnect(Call& call) {
  for (auto const& group : OK(wanted_groups(call))) {
    auto op = OK(opcode(call, "OP_NETWORK_DISCONNECT"));
    op["group_name"] = text_value(group);
    op["network_name"] = text_value(name_given(call));
    OK(call.session.run(json::array{std::move(op)}));
  }
  return 0;
}

constexpr auto default_fields = "name,network,gateway,mac_prefix,group_list,tags";

Outcome<int> network_list(Call& call) {
  return list(call, "network", default_fields);
}
Outcome<int> network_list_fields(Call& call) {
  return list_fields(call, "network");
}

json::array users_of(json::object const& network, json::array const& instances) {
  json::array users;
  for (auto const& one : instances) {
    auto const& networks = one.at("nic.networks").as_array();
    if (std::ranges::find(networks, network.at("uuid")) != networks.end()) users.push_back(one);
  }
  return users;
}

Outcome<int> info(Call& call) {
  auto const networks = OK(rows_of(
      call, "network",
      {"name", "uuid", "serial_no", "network", "gateway", "network6", "gateway6", "mac_prefix",
       "free_count", "reserved_count", "map", "external_reservations", "group_list", "inst_list"},
      call.arguments.positional()));
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(networks).c_str());
    return 0;
  }
  auto const is_used = [](json::value const& network) {
    return !network.at("inst_list").as_array().empty();
  };
  json::array instances;
  if (std::ranges::any_of(networks, is_used)) {
    instances = OK(rows_of(call, "instance", {"name", "nic.ips", "nic.networks"}, {}));
  }
  for (auto const& network : networks) {
    auto const& fields = network.as_object();
    std::fputs(network_text(fields, users_of(fields, instances)).c_str(), stdout);
  }
  return 0;
}

std::vector<Option> address_options() {
  return {{0, "gateway", true, "The IPv4 gateway"},
          {0, "add-reserved-ips", true, "Addresses no instance is to have, separated by commas"},
          {'m', "mac-prefix", true, "First three octets of the MAC addresses of its NICs"},
          {0, "network6", true, "The IPv6 subnet: 2001:db8::/64"},
          {0, "gateway6", true, "The IPv6 gateway"}};
}

std::vector<Option> add_options() {
  return with(
      {{0, "network", true, "The IPv4 subnet: 192.0.2.0/24"},
       {0, "no-conflicts-check", false, "Do not reserve the addresses of nodes that lie in it"},
       {0, "tags", true, "Tags, separated by commas"}},
      {address_options(), submit_options()});
}

std::vector<Option> modify_options() {
  return with({{0, "remove-reserved-ips", true,
                "Reserved addresses that instances may have again, separated by commas"}},
              {address_options(), submit_options()});
}

std::vector<Option> connect_options() {
  return with({{0, "no-conflicts-check", false,
                "Do not look whether instances have addresses of it already"},
               {'N', "nic-parameters", true, "How: mode=bridged,link=br0,vlan=.7"}},
              {priority_option()});
}

std::string list_help() {
  return "Lists the IP networks in the cluster. The available fields can be shown using the "
         "\"list-fields\" command (see the man page for details). The default list is (in order): "
         "name, network, gateway, mac_prefix, group_list, tags.";
}

}  // namespace

Program network_program() {
  std::vector<Option> const json_option{{0, "json", false, "Print JSON"}};
  return {"gnt-network",
          {
              {"add", "<network-name>", 1, 1, add_options(), "Add a new IP network to the cluster",
               add},
              {"add-tags", "<network> <tag>...", 1, many, tag_options(),
               "Add tags to the given network", add_tags},
              {"connect", "<network> [<group>...]", 1, many, connect_options(),
               "Map a given network to the specified node group with given mode and link "
               "(netparams)",
               connect},
              {"disconnect", "<network> [<group>...]", 1, many, priority_option(),
               "Unmap a given network from a specified node group", disconnect},
              {"info", "[<network>...]", 0, many, json_option,
               "Show information about the network(s)", info},
              {"list", "[<network-name>...]", 0, many, without(list_options(), {"units", "filter"}),
               list_help(), network_list},
              {"list-fields", "[<fields>...]", 0, many, list_fields_options(),
               "Lists all available fields for networks", network_list_fields},
              {"list-tags", "<network>", 1, 1, {}, "List the tags of the given network", list_tags},
              {"modify", "<network>", 1, 1, modify_options(), "Alters the parameters of a network",
               modify},
              {"remove", "[--dry-run] <network>", 1, 1,
               with({{'f', "force", false, "No effect: nothing is asked, and one in use stays"}},
                    {submit_options()}),
               "Remove an (empty) network from the cluster", remove},
              {"remove-tags", "<network> <tag>...", 1, many, tag_options(),
               "Remove tags from given network", remove_tags},
              {"rename", "[--dry-run] <old-name> <new-name>", 2, 2, submit_options(),
               "Rename a network", rename},
          },
          {}};
}

}  // namespace flotte::cli
