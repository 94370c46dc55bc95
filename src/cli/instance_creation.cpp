#include "cli/instance_creation.h"

#include "base/text.h"
#include "cli/print.h"
#include "cli/values.h"
#include "model/params.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

// "0:size=10G,vg=x" into place 0 of the list.
Outcome<json::array> numbered(Call& call, std::string const& option) {
  json::array list;
  for (auto const& text : call.arguments.values(option)) {
    auto const [index, pairs] = GIVEN(parse_named_pairs(text, call.arguments.spelled(option)));
    if (index.empty() || index.find_first_not_of("0123456789") != std::string::npos ||
        index.size() > 2) {
      // Ganeti's words first, Python's among them.
      return stop(
          Error{ErrorCode::WrongInput,
                fmt::format("Invalid {} index passed: invalid literal for int() with base 10: "
                            "'{}'; a number and a colon come first, as in --{} 0:{}",
                            option == "disk" ? "disk" : "NIC", index, option,
                            option == "disk" ? "size=10G" : "link=br0")});
    }
    auto const at = static_cast<std::size_t>(whole_number(index).value_or(0));
    while (list.size() <= at) list.push_back(nullptr);
    list[at] = pairs;
  }
  return list;
}

Outcome<void> check_types(json::object const& hvparams) {
  auto const checked = model::check_hypervisor_types(hvparams);
  if (!checked) return stop(checked.error());
  return {};
}

Outcome<json::array> disks_of(Call& call) {
  auto const wrong = [](std::string text) {
    return stop(Error{ErrorCode::WrongInput, std::move(text)});
  };
  auto disks = OK(numbered(call, "disk"));
  auto const size_of_one = call.arguments.value("os-size");
  if (call.arguments.value_or("disk-template", "") == "diskless") {
    if (disks.empty() && !size_of_one) return disks;
    return wrong("Diskless instance but disk information passed");
  }
  // A size of 0 is none.
  auto const has_size = size_of_one && GIVEN(parse_size(*size_of_one)).value != 0;
  if (disks.empty() && !has_size)
    return wrong("No disk information specified; give it with --disk 0:size=10G or -s 10G");
  if (!disks.empty() && size_of_one) {
    return wrong("Please use either the '--disk' or '-s' option");
  }
  if (size_of_one) disks.push_back(json::object{{"size", text_value(*size_of_one)}});
  for (std::size_t i = 0; i < disks.size(); ++i) {
    // One that was left out in the numbering.
    if (disks[i].is_null()) {
      return wrong(fmt::format("Missing disk size; give it with --disk {}:size=10G", i));
    }
    auto& disk = disks[i].as_object();
    auto* size = disk.if_contains("size");
    if (disk.contains("adopt")) {
      if (size) return wrong(fmt::format("Only one of 'size' and 'adopt' allowed (disk {})", i));
      disk["size"] = 0;
    } else if (!size) {
      return wrong(
          fmt::format("Missing size or adoption source for disk {0}; give it with --disk "
                      "{0}:size=10G or --disk {0}:adopt=VOLUME",
                      i));
    } else if (size->is_string()) {
      *size = OK(disk_size(*size));
    }
  }
  return disks;
}

Outcome<void> check_hypervisor(Call& call, std::string const& name) {
  if (schema::enum_from<model::HypervisorKind>(name)) return {};
  std::string enabled;
  auto const cluster = OK(call.session.get("cluster"));
  for (auto const& one : cluster.at("enabled_hypervisors").as_array()) {
    enabled += (enabled.empty() ? "" : ",") + python_text(one);
  }
  return stop(Error{
      ErrorCode::WrongState,
      fmt::format("Selected hypervisor ({}) not enabled in the cluster ({})", name, enabled)});
}

// What a new machine is told of itself, whatever it is made of.
Outcome<json::object> creation_of(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(opcode(call, "OP_INSTANCE_CREATE"));
  op["instance_name"] = text_value(arguments.positional()[0]);
  auto const disk_template = arguments.value("disk-template");
  if (disk_template) op["disk_template"] = text_value(*disk_template);
  auto nics = OK(numbered(call, "net"));
  if (arguments.has("no-nics") && !nics.empty())
    return stop("Please don't use --no-nics and --net");
  for (auto& nic : nics) {
    if (nic.is_null()) nic = json::object();
  }
  op["nics"] = std::move(nics);
  if (auto const hypervisor = arguments.value("hypervisor-parameters")) {
    auto const [name, params] = GIVEN(parse_named_pairs(*hypervisor, "-H"));
    OK(check_hypervisor(call, name).map([] { return 0; }));
    OK(check_types(params).map([] { return 0; }));
    op["hypervisor"] = text_value(name);
    op["hvparams"] = params;
  }
  for (auto const& [option, field] :
       {std::pair{"backend-parameters", "beparams"}, std::pair{"os-parameters", "osparams"},
        std::pair{"os-parameters-private", "osparams_private"},
        std::pair{"os-parameters-secret", "osparams_secret"}}) {
    OK((put_pairs(call, op, option, field).map([] { return 0; })));
  }
  if (auto const node = arguments.value("node")) {
    auto const colon = node->find(':');
    op["pnode"] = text_value(node->substr(0, colon));
    if (colon != std::string::npos) op["snode"] = text_value(node->substr(colon + 1));
  }
  if (auto const directory = arguments.value("file-storage-dir")) {
    op["file_storage_dir"] = text_value(*directory);
  }
  if (auto const driver = arguments.value("file-driver")) op["file_driver"] = text_value(*driver);
  if (auto const tags = arguments.value("tags")) {
    json::array list;
    for (auto const& tag : split(*tags, ',')) list.push_back(text_value(tag));
    op["tags"] = std::move(list);
  }
  op["ignore_ipolicy"] = arguments.has("ignore-ipolicy");
  op["conflicts_check"] = !arguments.has("no-conflicts-check");
  op["name_check"] = arguments.has("name-check");
  op["ip_check"] = arguments.has("ip-check");
  return op;
}

// Those that both commands have, in their order.
std::vector<Option> common_creation_options(std::string no_nics) {
  return {{'B', "backend-parameters", true, "Backend parameters: memory=512M,vcpus=2"},
          {0, "disk", true, "A disk: 0:size=10G,vg=vms"},
          disk_template_option("Disk template"),
          {0, "file-storage-dir", true, "Directory below the file storage"},
          choice({0, "file-driver", true, "Driver of file disks"}, {"blktap", "blktap2", "loop"}),
          {'H', "hypervisor-parameters", true, "Hypervisor and parameters: kvm:acpi=no"},
          {'I', "iallocator", true, "What chooses the node", false},
          {0, "net", true, "A NIC: 0:link=br0"},
          {'n', "node", true, "The node"},
          {'g', "node-group", true, "The node group", false},
          {0, "ip-check", false, "Refuse an address that answers"},
          {0, "no-ip-check", false, "No effect: that is the default"},
          {0, "name-check", false, "Resolve the name first"},
          {0, "no-name-check", false, "No effect: that is the default"},
          {0, "no-conflicts-check", false, "Take reserved addresses, and those of other networks"},
          {0, "no-nics", false, std::move(no_nics)},
          {0, "no-wait-for-sync", false, "No effect: there are no mirrors yet"},
          {'O', "os-parameters", true, "OS parameters"},
          {0, "os-parameters-private", true, "OS parameters kept from lists"},
          {0, "os-parameters-secret", true, "OS parameters that are not stored"},
          size({'s', "os-size", true, "One disk of this size"}),
          {0, "opportunistic-locking", false, "Take the locks that are free", false},
          {0, "tags", true, "Tags, separated by commas"},
          {0, "ignore-ipolicy", false, "Accept what the policy forbids"},
          {0, "helper-startup-timeout", true, "Seconds", false},
          {0, "helper-shutdown-timeout", true, "Seconds", false}};
}

}  // namespace

Outcome<std::int64_t> disk_size(json::value const& given) {
  auto const text = python_text(given);
  auto const fault = size_fault(text);
  if (!fault) return GIVEN(parse_size(text)).value;
  return stop(Error{ErrorCode::WrongInput,
                    fmt::format("{}; '{}' should be a number and M, G or T behind it, as in "
                                "size=10G",
                                *fault, text),
                    ErrorClass::Generic});
}

Outcome<void> put_pairs(Call& call, json::object& op, std::string const& option,
                        std::string const& field) {
  auto const text = call.arguments.value(option);
  if (!text) return {};
  auto pairs = GIVEN(parse_pairs(*text, call.arguments.spelled(option)));
  // These are the same for every guest, so that a slip is told before there is a job; but Ganeti
  // leaves it to the job where several instances are meant.
  if (call.command != "startup") {
    if (field == "beparams") GIVEN(model::enforce_backend(pairs));
    if (field == "hvparams") OK(check_types(pairs).map([] { return 0; }));
  }
  op[field] = std::move(pairs);
  return {};
}

Option disk_template_option(std::string help) {
  std::vector<std::string> names;
  for (auto const& [kind, name] : schema::EnumNames<model::DiskTemplate>::names) {
    names.emplace_back(name);
  }
  return choice({'t', "disk-template", true, std::move(help)}, std::move(names));
}

std::vector<Option> creation_options() {
  return with(common_creation_options("No NIC"),
              {{{0, "forthcoming", false, "Only reserve it", false},
                {0, "commit", false, "Make a forthcoming one real", false},
                {0, "no-start", false, "Do not start it"},
                {'o', "os-type", true, "The OS: name+variant"},
                {0, "force-variant", false, "Accept an unlisted variant"},
                {0, "no-install", false, "Do not run the OS scripts"},
                {'c', "communication", true, "A NIC for metad", false}}});
}

std::vector<Option> import_options() {
  return with(common_creation_options("No effect: without --net it has those of the export"),
              {{{0, "identify-defaults", false, "Leave what is the default to the cluster", false},
                {0, "src-dir", true, "The export: its name, or a directory"},
                {0, "src-node", true, "The node that has the export"},
                {0, "compress", true, "How what is copied between nodes is compressed"}}});
}

Outcome<int> create_instance(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(creation_of(call));
  op["mode"] = "create";
  op["disks"] = OK(disks_of(call));
  auto& nics = op["nics"].as_array();
  if (nics.empty() && !arguments.has("no-nics")) nics.push_back(json::object());
  if (auto const os = arguments.value("os-type")) op["os_type"] = text_value(*os);
  op["start"] = !arguments.has("no-start");
  op["no_install"] = arguments.has("no-install");
  op["force_variant"] = arguments.has("force-variant");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// What isn't given is as the export has it. It is not started: who restores a machine may want to
// look at it first, or its original runs elsewhere.
Outcome<int> import_instance(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(creation_of(call));
  op["mode"] = "import";
  if (arguments.has("disk") || arguments.has("os-size")) op["disks"] = OK(disks_of(call));
  op["start"] = false;
  op["no_install"] = false;
  op["compress"] = text_value(arguments.value_or("compress", "none"));
  if (auto const path = arguments.value("src-dir")) op["src_path"] = text_value(*path);
  if (auto const node = arguments.value("src-node")) op["src_node"] = text_value(*node);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

}  // namespace flotte::cli
