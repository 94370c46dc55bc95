// Programs of Ganeti of which no command is built yet: who calls one is told so, and mistakes in
// what was typed are Ganeti's.
#include "cli/command.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

std::vector<Option> job_options() {
  return without(submit_options(), {"dry-run"});
}
std::vector<Option> table_options() {
  return without(list_options(), {"units", "filter", "json"});
}
std::vector<Option> fields_options() {
  return without(list_fields_options(), {"json"});
}

std::string lists(std::string const& what, std::string const& fields) {
  return "Lists the " + what +
         ". The available fields can be shown using the \"list-fields\" command (see the man page "
         "for details). The default list is (in order): " +
         fields + ".";
}

}  // namespace

Program backup_program() {
  auto const import_options = known_options({"B/backend-parameters=",
                                             "disk=",
                                             "t/disk-template=",
                                             "file-storage-dir=",
                                             "file-driver=",
                                             "H/hypervisor-parameters=",
                                             "I/iallocator=",
                                             "net=",
                                             "n/node=",
                                             "g/node-group=",
                                             "ip-check",
                                             "no-ip-check",
                                             "name-check",
                                             "no-name-check",
                                             "no-conflicts-check",
                                             "no-nics",
                                             "no-wait-for-sync",
                                             "O/os-parameters=",
                                             "os-parameters-private=",
                                             "os-parameters-secret=",
                                             "s/os-size=",
                                             "opportunistic-locking",
                                             "tags=",
                                             "identify-defaults",
                                             "src-dir=",
                                             "src-node=",
                                             "compress=",
                                             "ignore-ipolicy",
                                             "helper-startup-timeout=",
                                             "helper-shutdown-timeout="});
  auto const export_options = known_options(
      {"f/force", "n/node=", "transport-compression=", "noshutdown",
       "shutdown-timeout=", "remove-instance", "ignore-remove-failures", "zero-free-space",
       "zeroing-timeout-fixed=", "zeroing-timeout-per-mib=", "long-sleep"});
  return {"gnt-backup",
          {{"export", "-n <node-name> [opts...] <instance-name>", 1, 1,
            with(export_options, {submit_options()}), "Exports an instance to an image"},
           {"import", "[...] -t disk-type -n node[:secondary-node] <instance-name>", 1, 1,
            with(import_options, {submit_options()}), "Imports an instance from an exported image"},
           {"list", "", 0, 0,
            with(known_options({"n/node="}), {without(list_options(), {"filter", "json"})}),
            "Lists instance exports available in the ganeti cluster"},
           {"list-fields", "[fields...]", 0, many, fields_options(),
            "Lists all available fields for exports"},
           {"remove", "<instance-name>", 1, 1, submit_options(),
            "Remove exports of named instance from the filesystem."}},
          {}};
}

Program network_program() {
  auto const addresses =
      known_options({"gateway=", "add-reserved-ips=", "m/mac-prefix=", "network6=", "gateway6="});
  auto const tags = with(known_options({"from="}), {job_options()});
  return {"gnt-network",
          {{"add", "<network-name>", 1, 1,
            with(known_options({"network=", "no-conflicts-check", "tags="}),
                 {addresses, submit_options()}),
            "Add a new IP network to the cluster"},
           {"add-tags", "<network> <tag>...", 1, many, tags, "Add tags to the given network"},
           {"connect", "<network> [<group>...]", 1, many,
            with(known_options({"no-conflicts-check", "N/nic-parameters="}), {priority_option()}),
            "Map a given network to the specified node group with given mode and link (netparams)"},
           {"disconnect", "<network> [<group>...]", 1, many, priority_option(),
            "Unmap a given network from a specified node group"},
           {"info", "[<network>...]", 0, many, {}, "Show information about the network(s)"},
           {"list", "[<network-name>...]", 0, many, table_options(),
            lists("IP networks in the cluster",
                  "name, network, gateway, mac_prefix, group_list, tags")},
           {"list-fields", "[<fields>...]", 0, many, fields_options(),
            "Lists all available fields for networks"},
           {"list-tags", "<network>", 1, 1, {}, "List the tags of the given network"},
           {"modify", "<network>", 1, 1,
            with(known_options({"remove-reserved-ips="}), {addresses, submit_options()}),
            "Alters the parameters of a network"},
           {"remove", "[--dry-run] <network>", 1, 1,
            with(known_options({"f/force"}), {submit_options()}),
            "Remove an (empty) network from the cluster"},
           {"remove-tags", "<network> <tag>...", 1, many, tags, "Remove tags from given network"}},
          {}};
}

Program storage_program() {
  return {"gnt-storage",
          {{"diagnose", "", 0, 0, priority_option(), "Diagnose all ExtStorage providers"},
           {"info", "", 0, many, priority_option(), "Show info about ExtStorage providers"}},
          {{"show", "info"}}};
}

Program filter_program() {
  auto const rule = known_options({"priority=", "predicates=", "action="});
  return {
      "gnt-filter",
      {{"add", "", 0, 0, rule, "Adds a new filter rule"},
       {"delete", "<filter-uuid>", 1, 1, {}, "Removes a filter"},
       {"info", "[<filter-uuid>...]", 0, many, {}, "Shows information about the filter(s)"},
       {"list", "[<filter-uuid>...]", 0, many, table_options(),
        lists("job filter rules", "uuid, watermark, priority, predicates, action, reason_trail")},
       {"list-fields", "[<fields>...]", 0, many, fields_options(),
        "Lists all available fields for filters"},
       {"replace", "<filter-uuid>", 1, 1, rule, "Replaces a filter"}},
      {}};
}

}  // namespace flotte::cli
