#include "cli/instance_transfer.h"

#include <algorithm>

#include "cli/instance_selection.h"
#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

struct Subject {
  std::string name;
  std::string disk_template;
  std::string node;
  bool should_run = false;
};

Outcome<Subject> subject_of(Call& call) {
  auto const& name = call.arguments.positional()[0];
  OK(check_exists(call, name).map([] { return 0; }));
  auto const answer = OK(call.session.post(
      "query", {{"what", "instance"},
                {"fields", json::array{"name", "disk_template", "pnode", "admin_state"}},
                {"names", json::array{text_value(name)}}}));
  auto const& row = answer.at("data").at(0);
  auto const cell = [&](std::size_t i) { return python_text(row.at(i).at(1)); };
  return Subject{cell(0), cell(1), cell(2), cell(3) == "up"};
}

tl::unexpected<CommandError> refuse(ErrorCode code, std::string text) {
  return stop(Error{code, std::move(text)});
}

tl::unexpected<CommandError> not_built(Call const& call, Subject const& subject) {
  return stop(fmt::format("{} {} of an instance with '{}' disks is not built yet", call.program,
                          call.command, subject.disk_template));
}

// Those with a mirror, or with disks that other nodes reach, too.
bool may_change_node(std::string const& disk_template) {
  return disk_template != "plain" && disk_template != "file";
}

Outcome<int> refuse_layout(Subject const& subject, std::string_view what) {
  return refuse(ErrorCode::WrongState,
                fmt::format("Instance's disk layout '{}' does not allow {}; 'gnt-instance move -n "
                            "NODE {}' copies such disks, which is not built yet",
                            subject.disk_template, what, subject.name));
}

Outcome<int> failover(Call& call) {
  auto const subject = OK(subject_of(call));
  if (!may_change_node(subject.disk_template)) return refuse_layout(subject, "failovers");
  return not_built(call, subject);
}

Outcome<int> migrate(Call& call) {
  auto const subject = OK(subject_of(call));
  auto const fails_over =
      call.arguments.has("allow-failover") && !subject.should_run && !call.arguments.has("cleanup");
  if (!may_change_node(subject.disk_template)) {
    return refuse_layout(subject, fails_over ? "failovers" : "migrations");
  }
  return not_built(call, subject);
}

Outcome<int> move(Call& call) {
  auto const subject = OK(subject_of(call));
  auto const target = call.arguments.value("node");
  if (!target) {
    return refuse(ErrorCode::WrongInput,
                  fmt::format("Parameter 'OP_INSTANCE_MOVE.target_node' fails validation; name the "
                              "node that it moves to: 'gnt-instance move -n NODE {}'",
                              subject.name));
  }
  auto const nodes = call.session.post("query", {{"what", "node"},
                                                 {"fields", json::array{"name"}},
                                                 {"names", json::array{text_value(*target)}}});
  if (!nodes) {
    return refuse(ErrorCode::UnknownEntity,
                  fmt::format("Node '{}' not known; see 'gnt-node list'", *target));
  }
  if (subject.disk_template != "plain" && subject.disk_template != "file" &&
      subject.disk_template != "diskless") {
    return refuse(ErrorCode::WrongState,
                  fmt::format("Instance disk 0 has disk type {} and is not suitable for copying",
                              subject.disk_template));
  }
  if (python_text(nodes->at("data").at(0).at(0).at(1)) == subject.node) {
    return refuse(ErrorCode::WrongState,
                  fmt::format("Instance {} is already on the node {}; name another one of "
                              "'gnt-node list'",
                              subject.name, subject.node));
  }
  return not_built(call, subject);
}

Outcome<int> replace_disks(Call& call) {
  auto const& arguments = call.arguments;
  for (auto const& index : split(arguments.value_or("disks", "0"), ',')) {
    if (!parse_count(index, "--disks")) {
      return refuse(ErrorCode::WrongInput,
                    fmt::format("Invalid disk index passed: invalid literal for int() with base "
                                "10: '{}'; disks are counted from 0, as in --disks=0,1",
                                index));
    }
  }
  auto const modes = {"on-primary", "on-secondary", "auto", "new-secondary", "iallocator"};
  if (std::ranges::count_if(modes, [&](auto const* mode) { return arguments.has(mode); }) != 1) {
    return refuse(ErrorCode::WrongInput,
                  "One and only one of the -p, -s, -a, -n and -I options must be passed");
  }
  if (arguments.has("auto") && arguments.has("disks")) {
    return refuse(ErrorCode::WrongInput, "Cannot specify disks when using automatic mode");
  }
  auto const subject = OK(subject_of(call));
  if (subject.disk_template == "drbd") return not_built(call, subject);
  return refuse(
      ErrorCode::InternalError,
      fmt::format("The instance has a strange layout, expected one secondary but found 0; "
                  "only mirrored disks are replaced, 'gnt-instance recreate-disks {}' "
                  "makes lost ones anew, empty",
                  subject.name));
}

Option target_node() {
  return {'n', "target-node", true, "The node that it goes to"};
}
Option force() {
  return {'f', "force", false, "Don't ask"};
}
Option iallocator() {
  return {'I', "iallocator", true, "What chooses the node"};
}
Option ignore_ipolicy() {
  return {0, "ignore-ipolicy", false, "Accept what the policy forbids"};
}
Option shutdown_timeout() {
  return integer({0, "shutdown-timeout", true, "Seconds"});
}

}  // namespace

Command failover_command() {
  return {"failover",
          "[-f] <instance-name>",
          1,
          1,
          with({force(),
                {0, "ignore-consistency", false, "Go on though a disk is not in sync"},
                shutdown_timeout(),
                target_node(),
                iallocator(),
                ignore_ipolicy(),
                {0, "cleanup", false, "End one that broke off"}},
               {submit_options()}),
          "Stops the instance, changes its primary node and (if it was originally running) starts "
          "it on the new node (the secondary for mirrored instances or any node for shared "
          "storage).",
          nullptr,
          true,
          failover};
}

Command migrate_command() {
  return {"migrate",
          "[-f] <instance-name>",
          1,
          1,
          with({force(),
                {0, "non-live", false, "Stop it meanwhile"},
                choice({0, "migration-mode", true, "live or non-live"}, {"live", "non-live"}),
                {0, "cleanup", false, "End one that broke off"},
                target_node(),
                iallocator(),
                {0, "allow-failover", false, "Fail over where it can't be migrated"},
                ignore_ipolicy(),
                {0, "ignore-hvversions", false, "Accept another QEMU there"},
                {0, "no-runtime-changes", false, "Leave its memory as it is"}},
               {submit_options()}),
          "Migrate instance to its secondary node (only for mirrored instances)",
          nullptr,
          true,
          migrate};
}

Command move_command() {
  return {"move",
          "[-f] <instance-name>",
          1,
          1,
          with({force(),
                {'n', "node", true, "The node that it goes to"},
                {0, "compress", true, "How what is copied is compressed"},
                shutdown_timeout(),
                {0, "ignore-consistency", false, "Go on though it can't be stopped"},
                ignore_ipolicy()},
               {submit_options()}),
          "Move instance to an arbitrary node (only for instances of type file and lv)",
          nullptr,
          true,
          move};
}

Command replace_disks_command() {
  return {"replace-disks",
          "[-s|-p|-a|-n NODE|-I NAME] <instance-name>",
          1,
          1,
          with({{'a', "auto", false, "Those that are broken"},
                {0, "disks", true, "Only these: 0,1"},
                iallocator(),
                {0, "early-release", false, "Give up the old node early"},
                {'n', "new-secondary", true, "The new secondary node"},
                {'p', "on-primary", false, "On the primary node"},
                {'s', "on-secondary", false, "On the secondary node"},
                ignore_ipolicy()},
               {submit_options()}),
          "Replaces disks for the instance",
          nullptr,
          true,
          replace_disks};
}

}  // namespace flotte::cli
