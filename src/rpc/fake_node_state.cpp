// What an ordinary node has.
#include "rpc/fake_node.h"

namespace flotte::rpc {
namespace {

constexpr std::int64_t gibi = 1024;

OsDefinition os_definition(std::string name, std::vector<std::string> variants) {
  OsDefinition os;
  os.name = std::move(name);
  os.path = "/srv/ganeti/os/" + os.name;
  os.variants = std::move(variants);
  os.api_versions = {20, 15, 10};
  return os;
}

}  // namespace

FakeNodeState FakeNodeState::ordinary() {
  FakeNodeState state;
  state.facts.memory_total = {16 * gibi};
  state.facts.memory_free = {15 * gibi};
  state.facts.memory_node = {1 * gibi};
  state.facts.cpu_total = 8;
  state.facts.boot_id = "11111111-2222-3333-4444-555555555555";
  state.facts.volume_groups = {{"xenvg", {1024 * gibi}, {1024 * gibi}}};
  state.facts.file_total = {1024 * gibi};
  state.facts.file_free = {1024 * gibi};
  state.facts.accelerator = "kvm";
  state.facts.accelerator_reason = "a fake node";
  state.facts.software_version = "fake";
  state.operating_systems = {os_definition("debootstrap", {"default", "bookworm"}),
                             os_definition("noop", {})};
  state.bridges = {"br0"};
  return state;
}

std::string fake_disk_key(model::Disk const& disk) {
  return fmt::format("{}:{}", schema::name_of(disk.dev_type), fmt::join(disk.logical_id, "/"));
}

}  // namespace flotte::rpc
