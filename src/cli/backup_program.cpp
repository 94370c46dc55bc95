// gnt-backup: exports of instances.
#include "cli/command.h"
#include "cli/instance_creation.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> export_instance(Call& call) {
  auto const& arguments = call.arguments;
  auto const node = arguments.value("node");
  if (!node) {
    return stop(Error{ErrorCode::WrongInput,
                      "Target node must be specified; -n NODE, see 'gnt-node list'"});
  }
  auto op = OK(opcode(call, "OP_BACKUP_EXPORT"));
  op["instance_name"] = text_value(arguments.positional()[0]);
  op["target_node"] = text_value(*node);
  op["compress"] = text_value(arguments.value_or("transport-compression", "none"));
  op["shutdown"] = !arguments.has("noshutdown");
  op["shutdown_timeout"] =
      GIVEN(parse_count(arguments.value_or("shutdown-timeout", "120"), "--shutdown-timeout"));
  op["remove_instance"] = arguments.has("remove-instance");
  op["ignore_remove_failures"] = arguments.has("ignore-remove-failures");
  op["long_sleep"] = arguments.has("long-sleep");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> remove_export(Call& call) {
  auto op = OK(opcode(call, "OP_BACKUP_REMOVE"));
  op["instance_name"] = text_value(call.arguments.positional()[0]);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// On the nodes that are named, or all.
Outcome<int> list_exports(Call& call) {
  return list_named(call, "export", "node,export", call.arguments.values("node"));
}

Outcome<int> list_export_fields(Call& call) {
  return list_fields(call, "export");
}

}  // namespace

Program backup_program() {
  return {
      "gnt-backup",
      {{"export", "-n <node-name> [opts...] <instance-name>", 1, 1,
        with({{'f', "force", false, "No effect: nothing is asked"},
              {'n', "node", true, "The node that keeps the export"},
              {0, "transport-compression", true, "How what is copied between nodes is compressed"},
              {0, "noshutdown", false, "Do not shut it down: what is exported is as after a crash"},
              integer({0, "shutdown-timeout", true, "Seconds before the plug is pulled"}),
              {0, "remove-instance", false, "Remove it afterwards"},
              {0, "ignore-remove-failures", false, "Go on when a part can not be removed"},
              {0, "long-sleep", false, "Leave it shut down for the copy where it must be"}},
             {not_built_options(
                  {"zero-free-space", "zeroing-timeout-fixed=", "zeroing-timeout-per-mib="}),
              submit_options()}),
        "Exports an instance to an image", export_instance},
       {"import", "[...] -t disk-type -n node[:secondary-node] <instance-name>", 1, 1,
        with(import_options(), {submit_options()}), "Imports an instance from an exported image",
        import_instance},
       {"list", "", 0, 0,
        with({{'n', "node", true, "Only exports on this node"}},
             {without(list_options(), {"filter"})}),
        "Lists instance exports available in the ganeti cluster", list_exports},
       {"list-fields", "[fields...]", 0, many, list_fields_options(),
        "Lists all available fields for exports", list_export_fields},
       {"remove", "<instance-name>", 1, 1, submit_options(),
        "Remove exports of named instance from the filesystem.", remove_export}},
      {}};
}

}  // namespace flotte::cli
