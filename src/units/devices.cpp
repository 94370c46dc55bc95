#include "units/devices.h"

#include <algorithm>
#include <filesystem>

#include "base/ip.h"
#include "base/text.h"
#include "jobs/unit.h"
#include "model/address_pool.h"
#include "model/disk_templates.h"
#include "model/nic_rules.h"
#include "model/params.h"
#include "units/network_rules.h"

namespace flotte::units {
namespace {

constexpr int mac_tries_max = 64;
constexpr std::size_t mac_octets = 6;

Result<void> refuse_unknown_keys(json::object const& given,
                                 std::set<std::string_view> const& known) {
  for (auto const& [key, value] : given) {
    if (known.contains(std::string_view(key))) continue;
    return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput,
                   "Unknown parameter '{}'; known are {}", std::string_view(key),
                   fmt::join(known, ", "));
  }
  return {};
}

Result<MiB> size_of(json::object const& given, std::size_t index) {
  auto const* size = given.if_contains("size");
  if (!size) {
    return fail(ErrorCode::WrongInput, "Missing required parameter 'size'; give it to disk {}",
                index);
  }
  if (size->is_int64() && size->get_int64() > 0) {
    // As large as a text may say, and no larger.
    TRY(parse_size(std::to_string(size->get_int64())));
    return MiB{size->get_int64()};
  }
  if (size->is_string()) return parse_size(std::string_view(size->get_string()));
  return fail(ErrorCode::WrongInput, "Invalid disk size '{}' of disk {}",
              size->is_int64() ? std::to_string(size->get_int64()) : "?", index);
}

Result<void> set_mode(model::Disk& disk, json::object const& given, std::size_t index) {
  auto const mode = text_in(given, "mode");
  if (!mode) return {};
  auto const known = schema::enum_from<model::DiskMode>(*mode);
  if (!known) {
    return fail(ErrorCode::WrongInput, "Invalid disk access mode '{}' of disk {}: rw or ro", *mode,
                index);
  }
  disk.mode = *known;
  return {};
}

// mode, link, vlan, antispoof; `bridge` is the old way to say the first two.
json::object nic_params_in(json::object const& given) {
  json::object params;
  for (auto const* key : {"mode", "link", "vlan", "antispoof"}) {
    auto const* value = given.if_contains(key);
    if (value && value->is_string()) params[key] = text_in(given, key).value_or("");
  }
  if (auto const bridge = text_in(given, "bridge")) {
    params["mode"] = "bridged";
    params["link"] = *bridge;
  }
  return params;
}

constexpr std::string_view pool = "pool";

bool is_routed_without_ip(model::Settings const& settings, model::Nic const& nic) {
  return !nic.ip && !nic.network &&
         model::text_of(model::filled_nicparams(settings, nic), "mode") == "routed";
}

// How NICs get into a network from that node.
Result<json::object> connection_params(model::Cluster const& cluster, model::Node const& node,
                                       model::Network const& network, bool is_new_instance) {
  auto const group = cluster.find(node.group);
  if (auto const* found = group ? group->connection(network.uuid) : nullptr) {
    return json::object{{"mode", json::string_view(found->mode)},
                        {"link", json::string_view(found->link)},
                        {"vlan", json::string_view(found->vlan)}};
  }
  auto const hint = fmt::format("'gnt-network connect {} {}' connects it", network.name,
                                group ? group->name : "GROUP");
  if (is_new_instance) {
    return fail(ErrorCode::WrongInput,
                "No netparams found for network {}. Probably not connected to node's {} "
                "nodegroup; {}",
                network.name, node.name, hint);
  }
  return fail(ErrorCode::WrongInput,
              "No netparams found for the network {}, probably not connected; {}", network.name,
              hint);
}

// An address, or a word in whichever case; null: none.
std::optional<std::string> ip_in(json::object const& given) {
  auto const text = text_in(given, "ip");
  if (!text) return std::nullopt;
  auto const word = lower_case(*text);
  if (word == "none") return std::nullopt;
  return word == "auto" || word == pool ? word : *text;
}

// What a network's connection says in place of who describes a NIC.
std::optional<std::string_view> connection_key_in(json::object const& given) {
  for (auto const* key : {"mode", "link", "vlan", "bridge"}) {
    if (text_in(given, key)) return key;
  }
  return std::nullopt;
}

Failure routed_without_ip(std::size_t index) {
  return fail(ErrorCode::WrongInput,
              "Cannot set the NIC IP address to None on a routed NIC if not attached to a network: "
              "give nic/{} one (ip=)",
              index);
}

// A key that says "none" takes the value away.
void set_text(std::optional<std::string>& place, json::object const& given, std::string_view key) {
  if (given.contains(key)) place = text_in(given, key);
}

// A number is an index: who gives it wouldn't find the device by its name.
Result<void> set_name(std::optional<std::string>& place, json::object const& given,
                      std::string_view kind) {
  set_text(place, given, "name");
  if (!place) return {};
  auto const digits = place->find_first_of("+-") == 0 ? place->substr(1) : *place;
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return {};
  return fail(ErrorCode::WrongInput, "Invalid name '{}'. Purely numeric {} names are not allowed",
              *place, kind);
}

}  // namespace

void give_to(model::Disk& disk, std::string const& old_owner, std::string const& new_owner) {
  if (model::is_volume(disk.dev_type)) return;
  std::filesystem::path const path = disk.logical_id.back();
  auto const directory = path.parent_path();
  if (directory.filename() != old_owner) return;
  disk.logical_id.back() = directory.parent_path() / new_owner / path.filename();
}

std::optional<std::string> text_in(json::object const& given, std::string_view key) {
  auto const* value = given.if_contains(key);
  if (!value || !value->is_string() || value->get_string() == "none") return std::nullopt;
  return std::string(std::string_view(value->get_string()));
}

template <class Device>
Result<void> check_names(std::vector<Device> const& devices, std::string_view kind) {
  std::set<std::string> taken;
  for (auto const& device : devices) {
    if (!device.name || taken.insert(*device.name).second) continue;
    return fail(ErrorCode::ResourceNotUnique, "{} name '{}' already used", kind, *device.name);
  }
  return {};
}
template Result<void> check_names(std::vector<model::Disk> const&, std::string_view);
template Result<void> check_names(std::vector<model::Nic> const&, std::string_view);

Result<std::vector<rpc::NicSpec>> nic_specs(model::Cluster const& cluster, model::Node const& node,
                                            std::vector<json::object> const& nics) {
  std::vector<rpc::NicSpec> specs;
  for (auto const& given : nics) {
    model::Nic nic;
    nic.ip = ip_in(given);
    nic.nicparams = TRY(model::enforce_nic(nic_params_in(given)));
    if (auto const name = text_in(given, "network")) {
      auto const network = TRY(cluster.network(*name));
      nic.network = network->uuid;
      nic.nicparams = TRY(connection_params(cluster, node, *network, true));
      if (nic.ip == pool) nic.ip.reset();
    }
    auto spec = nic_spec(cluster, nic);
    if (model::text_of(spec.params, "mode") == "routed" && !nic.ip && !nic.network) {
      return fail(ErrorCode::WrongInput,
                  "Routed nic mode requires an ip address if not attached to a network; give the "
                  "NIC one (ip=)");
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

rpc::NicSpec nic_spec(model::Cluster const& cluster, model::Nic const& nic) {
  rpc::NicSpec spec{.nic = nic, .params = model::filled_nicparams(cluster.settings(), nic)};
  if (auto const network = nic.network ? cluster.find(*nic.network) : nullptr) {
    for (auto const& [name, value] : network_variables(*network)) {
      spec.network[name] = json::string_view(value);
    }
  }
  return spec;
}

PoolWishes pool_wishes(std::vector<json::object> const& nics, model::Cluster const& cluster) {
  PoolWishes wishes;
  for (auto const& given : nics) {
    auto const ip = ip_in(given);
    if (ip && ip != pool) wishes.named.insert(*ip);
    if (ip != pool) continue;
    auto const network = cluster.network(text_in(given, "network").value_or(""));
    if (!network) continue;
    // No instance has more.
    auto& count = wishes.counts[(*network)->uuid];
    count = std::min(count + 1, nics_max);
  }
  return wishes;
}

DrawnAddresses draw_addresses(PoolWishes const& wishes, model::Cluster const& cluster,
                              jobs::NodeReader& nodes) {
  // More than all jobs that are under way at a time could have claimed.
  constexpr std::size_t looked_at_max = 10'000;
  DrawnAddresses drawn;
  for (auto const& [id, count] : wishes.counts) {
    auto const network = cluster.find(id);
    if (!network) continue;
    // What can't be a pool is told where an address of it is asked for.
    auto const addresses = model::AddressPool::create(*network, cluster.addresses_in(id));
    if (!addresses) continue;
    std::vector<std::string> claims;
    for (auto const& address : addresses->free(looked_at_max)) {
      if (!wishes.named.contains(address)) claims.push_back(address_claim(id, address));
    }
    for (auto const& claim : nodes.claim_some_of(claims, count)) {
      drawn[id].push_back(claim.substr(claim.rfind('/') + 1));
    }
  }
  return drawn;
}

Result<model::Disk> DeviceMaker::disk(model::Instance const& owner, json::object const& given,
                                      std::size_t index, FileStorage const& files) {
  TRY(refuse_unknown_keys(given, {"size", "mode", "vg", "name", "spindles", "metavg"}));
  TRY(check_spindles(owner, given));
  model::Disk disk;
  disk.uuid = DiskId(random_.uuid());
  disk.dev_type = owner.disk_template;
  disk.size = TRY(size_of(given, index));
  TRY(set_name(disk.name, given, "disk"));
  TRY(set_mode(disk, given, index));
  disk.logical_id = TRY(logical_id(owner, given, index, files));
  return disk;
}

// Where a node keeps instances on disks of their own, they are counted.
Result<void> DeviceMaker::check_spindles(model::Instance const& owner,
                                         json::object const& given) const {
  if (!text_in(given, "spindles")) return {};
  auto const& nodes = cluster_.nodes();
  auto const node = nodes.find(owner.primary_node);
  auto const filled = node == nodes.end() ? model::filled_ndparams(cluster_)
                                          : model::filled_ndparams(cluster_, *node->second);
  if (model::is_true(filled, "exclusive_storage")) {
    return fail(ErrorCode::WrongInput, "Spindles of disks are not built yet; leave spindles= out");
  }
  return fail(
      ErrorCode::WrongInput,
      "Spindles in instance disks cannot be specified when exclusive storage is not active");
}

Result<void> DeviceMaker::change(model::Disk& disk, json::object const& given, std::size_t index) {
  TRY(refuse_unknown_keys(given, {"mode", "name"}));
  TRY(set_mode(disk, given, index));
  TRY(set_name(disk.name, given, "disk"));
  return {};
}

Result<std::vector<std::string>> DeviceMaker::logical_id(model::Instance const& owner,
                                                         json::object const& given,
                                                         std::size_t index,
                                                         FileStorage const& files) {
  auto const& settings = cluster_.settings();
  auto const volume = random_.uuid();
  if (model::is_volume(owner.disk_template)) {
    auto const vg = text_in(given, "vg").value_or(settings.volume_group_name);
    if (vg.empty()) {
      return fail(ErrorCode::WrongInput,
                  "The cluster has no volume group; name one with vg=… for disk {}", index);
    }
    return std::vector{vg, fmt::format("{}.disk{}", volume, index)};
  }
  if (given.contains("vg")) {
    return fail(ErrorCode::WrongInput, "vg= is for template plain, disk {} is {}", index,
                schema::name_of(owner.disk_template));
  }
  auto const base = model::directory_of(settings, owner.disk_template);
  if (base.empty()) {
    return fail(ErrorCode::WrongState, "The cluster has no directory for template {}",
                schema::name_of(owner.disk_template));
  }
  if (files.below.starts_with('/') || files.below.find("..") != std::string::npos) {
    return fail(ErrorCode::WrongInput, "File storage directory path not absolute or outside: {}",
                files.below);
  }
  auto const directory = files.below.empty() ? base : fmt::format("{}/{}", base, files.below);
  return std::vector{files.driver, fmt::format("{}/{}/{}.{}.disk{}", directory, owner.name, volume,
                                               schema::name_of(owner.disk_template), index)};
}

Result<model::Nic> DeviceMaker::nic(model::Instance const& owner, json::object const& given,
                                    std::size_t index) {
  model::Nic nic;
  nic.uuid = NicId(random_.uuid());
  auto all = given;
  if (!text_in(all, "mac")) all["mac"] = "auto";
  TRY(take(owner, nic, all, index));
  if (is_routed_without_ip(cluster_.settings(), nic)) return routed_without_ip(index);
  if (!owner.primary_node.empty()) TRY(connect(owner, nic, index));
  return nic;
}

Result<void> DeviceMaker::change(model::Instance const& owner, model::Nic& nic,
                                 json::object const& given, std::size_t index) {
  if (text_in(given, "mac") == "auto") {
    return fail(ErrorCode::WrongInput,
                "'auto' is not a valid MAC address when modifying an existing NIC; mac=generate "
                "makes a new one");
  }
  auto const before = nic;
  TRY(take(owner, nic, given, index));
  if (nic.network && nic.network == before.network && connection_key_in(given)) {
    return fail(ErrorCode::WrongInput,
                "Not allowed to change link or mode of a NIC that is connected to a network; "
                "network=none takes it out of its network");
  }
  if (is_routed_without_ip(cluster_.settings(), nic)) return routed_without_ip(index);
  if (nic.network != before.network && !given.contains("mac") &&
      mac_prefix(nic.network) != mac_prefix(before.network)) {
    nic.mac = TRY(mac(owner, nic, "generate"));
  }
  auto const is_elsewhere = nic.ip != before.ip || nic.network != before.network;
  // Who names its network again has it as it is connected now.
  return is_elsewhere || given.contains("network") ? connect(owner, nic, index) : Result<void>();
}

Result<void> DeviceMaker::take(model::Instance const& owner, model::Nic& nic,
                               json::object const& given, std::size_t index) {
  TRY(refuse_unknown_keys(
      given, {"mac", "ip", "mode", "link", "vlan", "name", "bridge", "network", "antispoof"}));
  TRY(take_network(owner, nic, given));
  TRY(set_name(nic.name, given, "NIC"));
  TRY(take_ip(nic, given));
  auto const params = TRY(model::enforce_nic(nic_params_in(given)));
  nic.nicparams = model::overlay(nic.nicparams, params);
  if (auto const wanted = text_in(given, "mac"); wanted && *wanted != nic.mac) {
    nic.mac = TRY(mac(owner, nic, *wanted));
  }
  auto const filled = model::filled_nicparams(cluster_.settings(), nic);
  TRY(model::check_nic(filled));
  if (model::text_of(filled, "mode") == "routed" && !model::text_of(params, "vlan").empty()) {
    return fail(ErrorCode::WrongInput,
                "nic/{}: a routed NIC has no VLAN; vlan= is for mode bridged or openvswitch",
                index);
  }
  return {};
}

Result<void> DeviceMaker::take_network(model::Instance const& owner, model::Nic& nic,
                                       json::object const& given) {
  if (!given.contains("network")) return {};
  auto const name = text_in(given, "network");
  nic.network.reset();
  if (!name) return {};
  nic.network = TRY(cluster_.network(*name))->uuid;
  auto const key = connection_key_in(given);
  if (!key) return {};
  auto const is_new_instance = !cluster_.find(owner.uuid);
  return fail(ErrorCode::WrongInput, "{}; its connection to the node group says the {}",
              is_new_instance ? "If network is given, no mode or link is allowed to be passed"
                              : "If network is given mode or link should not",
              *key);
}

Result<void> DeviceMaker::take_ip(model::Nic& nic, json::object const& given) {
  if (given.contains("ip")) nic.ip = ip_in(given);
  if (!nic.ip || model::is_ip(*nic.ip)) return {};
  if (*nic.ip == "auto") {
    return fail(ErrorCode::WrongInput,
                "IP address set to auto but name checks have been skipped; it would be the "
                "address of the name");
  }
  if (*nic.ip != pool) return fail(ErrorCode::WrongInput, "Invalid IP address '{}'", *nic.ip);
  if (nic.network) return {};
  return fail(ErrorCode::WrongInput, "if ip=pool, parameter network must be passed too");
}

Result<void> DeviceMaker::connect(model::Instance const& owner, model::Nic& nic,
                                  std::size_t index) {
  if (!nic.network) return refuse_address_of_network(owner, nic);
  auto const is_new_instance = !cluster_.find(owner.uuid);
  auto const network = TRY(cluster_.network(nic.network->text()));
  auto const node = TRY(cluster_.node(owner.primary_node));
  auto const params = TRY(connection_params(cluster_, *node, *network, is_new_instance));
  nic.nicparams = model::overlay(nic.nicparams, params);
  if (is_new_instance) {
    notes_.push_back(fmt::format("NIC/{} inherits netparams ['{}', '{}', '{}']", index,
                                 model::text_of(params, "mode"), model::text_of(params, "link"),
                                 model::text_of(params, "vlan")));
  }
  return choose_address(owner, nic, index, *network);
}

Result<void> DeviceMaker::choose_address(model::Instance const& owner, model::Nic& nic,
                                         std::size_t index, model::Network const& network) {
  if (!nic.ip) return {};
  auto const is_new_instance = !cluster_.find(owner.uuid);
  auto const another_has = [&](std::string const& address) {
    return std::ranges::any_of(owner.nics, [&](model::Nic const& other) {
      return other.uuid != nic.uuid && other.network == nic.network && other.ip == address;
    });
  };
  if (*nic.ip == pool) {
    auto const drawn = choice_.drawn.find(network.uuid);
    nic.ip.reset();
    for (auto const& address :
         drawn == choice_.drawn.end() ? std::vector<std::string>() : drawn->second) {
      if (!nic.ip && !another_has(address)) nic.ip = address;
    }
    if (nic.ip) {
      notes_.push_back(fmt::format("Chose IP {} from network {}", *nic.ip, network.name));
      return {};
    }
    return fail(ErrorCode::WrongState,
                "Unable to get a free IP{} from the address pool; {} is full",
                is_new_instance ? fmt::format(" for NIC {}", index) : "", network.network);
  }
  auto const is_kept = choice_.checks_conflicts && model::is_external(network, *nic.ip);
  if (is_in_ipv4_network(*nic.ip, network.network) && !is_kept && !another_has(*nic.ip) &&
      !cluster_.other_with_address(network.uuid, *nic.ip, owner.uuid)) {
    if (!is_new_instance) {
      notes_.push_back(fmt::format("Reserving IP {} in network {}", *nic.ip, network.name));
    }
    return {};
  }
  auto const says = is_new_instance
                        ? fmt::format(
                              "IP address {} already in use or does not belong "
                              "to network {}",
                              *nic.ip, network.name)
                        : fmt::format("IP {} not available in network {}", *nic.ip, network.name);
  auto const* const hint =
      is_kept            ? "; it is externally reserved, --no-conflicts-check takes it all the same"
      : is_ipv6(*nic.ip) ? "; of a network there are IPv4 addresses only"
                         : "";
  return fail(ErrorCode::ResourceNotUnique, "{}{}", says, hint);
}

// An address of a network that is connected there belongs into that network.
Result<void> DeviceMaker::refuse_address_of_network(model::Instance const& owner,
                                                    model::Nic const& nic) {
  if (!nic.ip || !choice_.checks_conflicts) return {};
  auto const group = cluster_.group_of(owner.primary_node);
  if (!group) return {};
  for (auto const& connection : group->networks) {
    auto const network = cluster_.find(connection.network);
    if (!network || !is_in_ipv4_network(*nic.ip, network->network)) continue;
    return fail(ErrorCode::WrongState,
                "The requested IP address ({}) belongs to network {}, but the target NIC does not.",
                *nic.ip, network->name);
  }
  return {};
}

std::string DeviceMaker::mac_prefix(std::optional<NetworkId> const& network) const {
  auto const known = network ? cluster_.find(*network) : nullptr;
  return known && known->mac_prefix ? *known->mac_prefix : cluster_.settings().mac_prefix;
}

bool DeviceMaker::mac_is_used(model::Instance const& owner, std::string_view mac) const {
  return std::ranges::find(owner.nics, mac, &model::Nic::mac) != owner.nics.end() ||
         cluster_.other_with_mac(mac, owner.uuid);
}

std::vector<std::string> nic_claims(std::vector<model::Nic> const& nics) {
  std::vector<std::string> claims;
  for (auto const& nic : nics) {
    claims.push_back("mac/" + lower_case(nic.mac));
    if (nic.network && nic.ip) claims.push_back(address_claim(*nic.network, *nic.ip));
  }
  return claims;
}

Result<std::string> DeviceMaker::mac(model::Instance const& owner, model::Nic const& nic,
                                     std::string wanted) {
  if (wanted == "auto" || wanted == "generate") {
    for (int i = 0; i < mac_tries_max; ++i) {
      auto made = fmt::format("{}:{:02x}:{:02x}:{:02x}", mac_prefix(nic.network),
                              random_.below(256), random_.below(256), random_.below(256));
      if (!mac_is_used(owner, made)) return made;
    }
    return fail(ErrorCode::InsufficientResources, "Can't generate an unused MAC address");
  }
  wanted = lower_case(std::move(wanted));
  if (!model::is_octets(wanted, mac_octets))
    return fail(ErrorCode::WrongInput, "Invalid MAC address '{}'", wanted);
  if (mac_is_used(owner, wanted)) {
    return fail(ErrorCode::ResourceNotUnique, "MAC address '{}' already in use in cluster", wanted);
  }
  return wanted;
}

}  // namespace flotte::units
