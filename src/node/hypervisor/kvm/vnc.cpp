#include "node/hypervisor/kvm/vnc.h"

#include <sys/stat.h>

#include "model/params.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using model::is_true;
using model::text_of;

bool is_directory(std::string const& path) {
  struct stat seen{};
  return ::stat(path.c_str(), &seen) == 0 && S_ISDIR(seen.st_mode);
}

Result<void> check_address(std::string const& address) {
  if (address.starts_with('/')) {
    if (is_directory(address)) return {};
    return fail(ErrorCode::EnvironmentError,
                "Parameter vnc_bind_address: there is no directory {} on this node", address);
  }
  auto const is_ip = address.find_first_not_of("0123456789.") == std::string::npos ||
                     address.find(':') != std::string::npos;
  if (is_ip ? sys::can_listen_at(address) : !sys::address_of(address).empty()) return {};
  if (is_ip) {
    return fail(ErrorCode::EnvironmentError,
                "Parameter vnc_bind_address: {} is no address of this node", address);
  }
  return fail(ErrorCode::EnvironmentError,
              "Parameter vnc_bind_address: the network interface {} of this node has no address, "
              "or there is no such interface",
              address);
}

Result<void> check_certificates(std::string const& directory) {
  if (directory.empty()) return {};
  for (auto const* file : {"ca-cert.pem", "server-cert.pem", "server-key.pem"}) {
    auto const path = fmt::format("{}/{}", directory, file);
    if (!sys::exists(path)) {
      return fail(ErrorCode::EnvironmentError,
                  "Parameter vnc_x509_path: there is no file {} on this node", path);
    }
  }
  return {};
}

}  // namespace

Result<std::string> read_vnc_password(std::string const& file) {
  constexpr std::size_t bytes_max = 4096;
  auto const text = sys::read_file(file, bytes_max);
  if (!text) {
    return fail(ErrorCode::EnvironmentError, "Parameter vnc_password_file: {}",
                text.error().message);
  }
  auto password = text->substr(0, text->find_first_of("\r\n"));
  if (!password.empty()) return password;
  return fail(ErrorCode::EnvironmentError,
              "Parameter vnc_password_file: the first line of {} is empty; it must be the password",
              file);
}

Result<void> check_vnc_on_node(boost::json::object const& hvparams) {
  auto const address = text_of(hvparams, "vnc_bind_address");
  if (address.empty()) return {};
  TRY(check_address(address));
  if (auto const file = text_of(hvparams, "vnc_password_file"); !file.empty()) {
    TRY(read_vnc_password(file));
  }
  return is_true(hvparams, "vnc_tls") ? check_certificates(text_of(hvparams, "vnc_x509_path"))
                                      : Result<void>();
}

}  // namespace flotte::node
