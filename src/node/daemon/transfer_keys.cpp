#include "node/daemon/transfer_keys.h"

#include <algorithm>

#include "net/domain_signatures.h"
#include "node/daemon/state_files.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::int64_t protocol_version = 0;
constexpr net::Days validity{1};
constexpr mode_t mode_secret = 0600;
constexpr mode_t mode_directory = 0700;
constexpr std::string_view extension = ".pem";
constexpr std::size_t magic_bytes_min = 5;
constexpr std::size_t magic_bytes_max = 100;
constexpr std::size_t host_bytes_max = 253;
constexpr std::int64_t port_max = 65535;
// What socat expects of a host that it finds no name of.
constexpr char const* name_of_any = "ganeti.example.com";

std::string handshake(std::int64_t version) {
  return fmt::format("{}:Hi, I'm Ganeti", version);
}

std::string disk_text(std::size_t index, rpc::PeerDisk const& disk) {
  return fmt::format("{}:{}:{}:{}", index, disk.host, disk.port, disk.magic);
}

bool consists_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

Result<void> check_disk(std::size_t index, rpc::PeerDisk const& disk, std::string_view secret) {
  auto const wrong = [&](std::string_view why) {
    return fail(ErrorCode::WrongInput, "Error in data for disk {}: {}", index, why);
  };
  if (disk.host.empty() || disk.magic.empty() || disk.port == 0) {
    return wrong("Missing destination host, port or magic");
  }
  if (!net::is_signed_for_domain(secret, disk_text(index, disk),
                                 {disk.signature.hmac, disk.signature.salt})) {
    return wrong("HMAC is wrong");
  }
  if (disk.host.size() > host_bytes_max || !consists_of(disk.host, ".:-_")) {
    return wrong("its host is neither a name nor an address");
  }
  if (disk.port < 1 || disk.port > port_max) return wrong("its port is none");
  auto const is_magic = disk.magic.size() >= magic_bytes_min &&
                        disk.magic.size() <= magic_bytes_max && consists_of(disk.magic, "-_.");
  if (!is_magic) return wrong("its magic is none");
  return {};
}

}  // namespace

Result<std::string> TransferKeys::secret() const {
  auto text = sys::read_file(paths_.domain_secret());
  while (text && !text->empty() && (text->back() == '\n' || text->back() == '\r')) {
    text->pop_back();
  }
  if (text && !text->empty()) return *text;
  return fail(ErrorCode::WrongState,
              "This cluster has no domain secret in {}; 'gnt-cluster renew-crypto "
              "--new-cluster-domain-secret' makes one, --cluster-domain-secret=FILE takes that of "
              "another cluster",
              paths_.domain_secret());
}

Result<std::string> TransferKeys::path_of(std::string const& name) const {
  if (is_path_component(name) && consists_of(name, "-")) {
    return fmt::format("{}/{}{}", paths_.transfer_keys(), name, extension);
  }
  return fail(ErrorCode::WrongInput, "'{}' is no name of a key", name);
}

Result<net::CertifiedKey> TransferKeys::make(std::string const& node_name,
                                             std::string const& address) const {
  return net::make_self_signed_rsa({node_name, {address, name_of_any}}, clock_.wall(), validity);
}

Result<rpc::TransferKey> TransferKeys::create(rpc::TransferKeyCreate const& call) {
  auto const secret = TRY(this->secret());
  auto const path = TRY(path_of(call.key_name));
  remove_expired();
  auto pem = load(call.key_name);
  if (!pem) {
    auto const made = TRY(make(call.node_name, call.address));
    TRY(sys::make_directories(paths_.transfer_keys(), mode_directory));
    TRY(write_state_file(path, made.pem(), mode_secret));
    pem = made.pem();
  }
  auto const signature = [&](std::string_view text) {
    auto const made = net::sign_for_domain(secret, text, random_);
    return rpc::DomainSignature{made.hmac, made.salt};
  };
  return rpc::TransferKey{signature(handshake(protocol_version)), signature(call.key_name),
                          TRY(net::sign_certificate(secret, *pem, random_))};
}

Result<void> TransferKeys::remove(std::string const& name) {
  return remove_state_file(TRY(path_of(name)));
}

Result<std::string> TransferKeys::load(std::string const& name) const {
  auto const pem = sys::read_file(TRY(path_of(name)));
  auto const facts = pem ? net::inspect_certificate(*pem) : Result<net::CertificateFacts>();
  if (pem && facts && facts->not_after > clock_.wall()) return *pem;
  return fail(ErrorCode::UnknownEntity,
              "There is no key {} on this node, or its day is over: prepare the export again",
              name);
}

void TransferKeys::remove_expired() const {
  for (auto const& file : sys::names_in(paths_.transfer_keys())) {
    if (!file.ends_with(extension)) continue;
    auto const path = fmt::format("{}/{}", paths_.transfer_keys(), file);
    auto const pem = sys::read_file(path);
    auto const facts = pem ? net::inspect_certificate(*pem) : Result<net::CertificateFacts>();
    if (pem && facts && facts->not_after <= clock_.wall()) std::ignore = remove_state_file(path);
  }
}

Result<std::string> TransferKeys::sign_certificate(std::string const& pem) {
  return net::sign_certificate(TRY(secret()), pem, random_);
}

Result<rpc::DomainSignature> TransferKeys::sign_disk(std::size_t index, rpc::PeerDisk const& disk) {
  auto const made = net::sign_for_domain(TRY(secret()), disk_text(index, disk), random_);
  return rpc::DomainSignature{made.hmac, made.salt};
}

Result<rpc::PeerCertificate> TransferKeys::check(rpc::TransferSendCheck const& call) const {
  auto const secret = TRY(this->secret());
  if (!net::is_signed_for_domain(secret, call.key_name,
                                 {call.key_signature.hmac, call.key_signature.salt})) {
    return fail(ErrorCode::WrongInput, "HMAC for X509 key name is wrong");
  }
  TRY(load(call.key_name));
  auto const certificate = net::read_signed_certificate(secret, call.certificate, clock_.wall());
  if (!certificate) {
    return fail(ErrorCode::WrongInput, "Unable to load destination X509 CA ({})",
                certificate.error().message);
  }
  for (std::size_t i = 0; i < call.disks.size(); ++i) {
    TRY(check_disk(i, call.disks[i], secret));
  }
  return rpc::PeerCertificate{*certificate};
}

Result<rpc::PeerCertificate> TransferKeys::check(rpc::TransferReceiveCheck const& call) const {
  auto const secret = TRY(this->secret());
  if (!net::is_signed_for_domain(secret, handshake(call.version),
                                 {call.handshake.hmac, call.handshake.salt})) {
    return fail(ErrorCode::WrongInput,
                "Invalid handshake: Hash didn't match, clusters don't share the same domain "
                "secret; copy {} of one to the other, and 'gnt-cluster renew-crypto "
                "--cluster-domain-secret=FILE' there",
                paths_.domain_secret());
  }
  if (call.version != protocol_version) {
    return fail(ErrorCode::WrongInput,
                "Invalid handshake: Clusters don't have the same remote import/export protocol "
                "(local={}, remote={})",
                protocol_version, call.version);
  }
  auto const certificate = net::read_signed_certificate(secret, call.certificate, clock_.wall());
  if (!certificate) {
    return fail(ErrorCode::WrongInput, "Unable to load source X509 CA ({})",
                certificate.error().message);
  }
  return rpc::PeerCertificate{*certificate};
}

}  // namespace flotte::node
