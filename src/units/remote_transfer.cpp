#include "units/remote_transfer.h"

#include <charconv>

#include "units/instance_names.h"

namespace flotte::units {
namespace {

namespace json = boost::json;

std::optional<std::string> text_in(json::array const& list, std::size_t index) {
  if (index >= list.size() || !list[index].is_string()) return std::nullopt;
  return std::string(std::string_view(list[index].get_string()));
}

// Ganeti says it as a number, its client may as a text.
std::int64_t port_in(json::array const& list, std::size_t index) {
  if (index >= list.size()) return 0;
  std::int64_t port = 0;
  if (auto const* number = list[index].if_int64()) return *number;
  if (auto const text = text_in(list, index)) {
    auto const* end = text->data() + text->size();
    if (std::from_chars(text->data(), end, port).ptr != end) return 0;
  }
  return port;
}

Result<rpc::PeerDisk> read_disk(json::value const& from, std::size_t index) {
  constexpr std::size_t parts = 5;
  auto const* list = from.if_array();
  auto const host = list ? text_in(*list, 0) : std::nullopt;
  auto const magic = list ? text_in(*list, 2) : std::nullopt;
  auto const hmac = list ? text_in(*list, 3) : std::nullopt;
  auto const salt = list ? text_in(*list, 4) : std::nullopt;
  if (!list || list->size() != parts || !host || !magic || !hmac || !salt) {
    return fail(ErrorCode::WrongInput,
                "Error in data for disk {}: Invalid data: it is [host, port, magic, hmac, salt]",
                index);
  }
  return rpc::PeerDisk{*host, port_in(*list, 1), *magic, {*hmac, *salt}};
}

}  // namespace

Result<rpc::TransferSendCheck> read_destination(opcodes::BackupExport const& op) {
  if (!op.x509_key_name) {
    return fail(ErrorCode::WrongInput, "Missing X509 key name for encryption");
  }
  if (!op.destination_x509_ca) {
    return fail(ErrorCode::WrongInput, "Missing destination X509 CA");
  }
  auto const& key = *op.x509_key_name;
  auto const name = text_in(key, 0);
  auto const hmac = text_in(key, 1);
  auto const salt = text_in(key, 2);
  if (key.size() != 3 || !name || !hmac || !salt) {
    return fail(ErrorCode::WrongInput, "Invalid data for X509 key name: it is [name, hmac, salt]");
  }
  auto const* disks = op.target_node.if_array();
  if (!disks) {
    return fail(ErrorCode::WrongInput,
                "The target of a remote export is a list with [host, port, magic, hmac, salt] of "
                "each disk");
  }
  rpc::TransferSendCheck check{.key_name = *name,
                               .key_signature = {*hmac, *salt},
                               .certificate = *op.destination_x509_ca,
                               .compress = op.compress};
  for (auto const& disk : *disks) {
    check.disks.push_back(TRY(read_disk(disk, check.disks.size())));
  }
  return check;
}

Result<rpc::TransferReceiveCheck> read_source(opcodes::InstanceCreate const& op) {
  if (!op.source_handshake) return fail(ErrorCode::WrongInput, "Missing source handshake");
  if (!op.source_x509_ca) return fail(ErrorCode::WrongInput, "Missing source X509 CA");
  if (op.source_instance_name.value_or("").empty()) {
    return fail(ErrorCode::WrongInput, "Missing source instance name");
  }
  TRY(normalized_name(*op.source_instance_name));
  auto const& handshake = *op.source_handshake;
  auto const* version = handshake.empty() ? nullptr : handshake[0].if_int64();
  auto const hmac = text_in(handshake, 1);
  auto const salt = text_in(handshake, 2);
  if (handshake.size() != 3 || !version || !hmac || !salt) {
    return fail(ErrorCode::WrongInput,
                "Invalid handshake: Invalid data: it is [version, hmac, salt]");
  }
  return rpc::TransferReceiveCheck{*version, {*hmac, *salt}, *op.source_x509_ca, op.compress};
}

}  // namespace flotte::units
