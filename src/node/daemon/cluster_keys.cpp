#include "node/daemon/cluster_keys.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "net/certificates.h"
#include "node/daemon/membership.h"
#include "node/daemon/state_files.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {

using Reload = std::function<Result<void>()>;

constexpr mode_t mode_secret = 0600;
constexpr mode_t mode_public = 0644;
constexpr mode_t mode_ssconf = 0444;
constexpr std::size_t domain_secret_bytes_max = 4096;

// Common names have 64 bytes at most, a cluster's name may be longer.
Result<net::CertifiedKey> new_authority(WallTime now) {
  return net::make_authority("flotte-cluster-ca", now);
}

Result<void> write_node_certificate(Paths const& paths, net::CertifiedKey const& authority,
                                    Membership const& member, WallTime now) {
  auto const made =
      TRY(net::issue_certificate(authority, {member.node_uuid.text(), {member.node_name}}, now));
  return write_state_file(paths.node_certificate(), made.pem(), mode_secret);
}

Result<void> write_controller_certificate(Paths const& paths, net::CertifiedKey const& authority,
                                          WallTime now) {
  auto const made =
      TRY(net::issue_certificate(authority, {std::string(rpc::controller_name)}, now));
  return write_state_file(paths.controller_certificate(), made.pem(), mode_secret,
                          Owner::controller());
}

Result<void> write_rapi_pem(Paths const& paths, std::string_view pem) {
  return write_state_file(paths.rapi_certificate(), pem, mode_secret, Owner::controller());
}

Result<void> write_rapi_certificate(Paths const& paths, Membership const& member, WallTime now) {
  auto const made =
      TRY(net::make_self_signed_rsa({"ganeti.example.com", {member.cluster_name, member.node_name}},
                                    now, net::certificate_validity));
  return write_rapi_pem(paths, made.pem());
}

Result<void> write_secret(std::string const& path, std::string const& text) {
  return write_state_file(path, text + "\n", mode_secret);
}

// The one line of a text; lines without anything are none, as for Ganeti.
Result<std::string> one_line(std::string_view text) {
  std::string found;
  for (std::size_t begin = 0; begin < text.size();) {
    auto const end = std::min(text.find_first_of("\r\n", begin), text.size());
    auto const line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    if (!found.empty()) {
      return fail(ErrorCode::WrongInput, "A cluster domain secret is one line; there are more");
    }
    found = line;
  }
  if (found.empty()) {
    return fail(ErrorCode::WrongInput, "A cluster domain secret is one line; there is none");
  }
  if (found.size() > domain_secret_bytes_max) {
    return fail(ErrorCode::WrongInput, "A cluster domain secret has {} bytes at most; there are {}",
                domain_secret_bytes_max, found.size());
  }
  if (!std::ranges::all_of(found, [](char c) { return c >= ' ' && c < 0x7f; })) {
    return fail(ErrorCode::WrongInput, "A cluster domain secret is printable ASCII");
  }
  return found;
}

Result<std::string> required_file(std::string const& path) {
  if (auto text = TRY(read_state_file(path))) return std::move(*text);
  return fail(ErrorCode::EnvironmentError,
              "{} is missing: certificates can't be signed without it; "
              "--new-cluster-certificate makes a new one",
              path);
}

Result<net::CertifiedKey> authority_in_use(Paths const& paths) {
  return net::CertifiedKey{.certificate_pem = TRY(required_file(paths.cluster_ca())),
                           .key_pem = TRY(required_file(authority_key_file(paths)))};
}

// Key and certificate from the text of one file.
net::CertifiedKey split_pem(std::string const& pem) {
  auto const begin = std::min(pem.find("-----BEGIN CERTIFICATE-----"), pem.size());
  return {.certificate_pem = pem.substr(begin), .key_pem = pem.substr(0, begin)};
}

// Both sides know each other at each moment: first both authorities are trusted, then certificates
// of the next one are shown, then the last one is forgotten. Whoever is killed in between leaves
// files that fit together, and the next authority's file, with which it is done again.
Result<void> change_authority(Paths const& paths, net::CertifiedKey const& next,
                              Membership const& member, WallTime now, Reload const& reload) {
  auto const trusted = TRY(read_state_file(paths.cluster_ca())).value_or("");
  if (trusted.find(next.certificate_pem) == std::string::npos) {
    TRY(write_state_file(paths.cluster_ca(), next.certificate_pem + trusted, mode_public));
  }
  TRY(reload());
  // With several nodes each must have come so far before the first goes on, here and below.
  TRY(write_node_certificate(paths, next, member, now));
  TRY(write_certificate_digest(paths, member));
  TRY(reload());
  TRY(write_controller_certificate(paths, next, now));
  TRY(write_state_file(authority_key_file(paths), next.key_pem, mode_secret));
  TRY(write_state_file(paths.cluster_ca(), next.certificate_pem, mode_public));
  TRY(reload());
  return remove_state_file(next_authority_file(paths));
}

Result<void> renew_authority(Paths const& paths, Membership const& member, WallTime now,
                             Reload const& reload) {
  // One that was begun is as new.
  if (!TRY(read_state_file(next_authority_file(paths)))) {
    auto const next = TRY(new_authority(now));
    TRY(write_state_file(next_authority_file(paths), next.pem(), mode_secret));
  }
  return finish_renewal(paths, member, now, reload);
}

Result<void> renew_node_certificates(Paths const& paths, Membership const& member, WallTime now,
                                     Reload const& reload) {
  auto const authority = TRY(authority_in_use(paths));
  TRY(write_node_certificate(paths, authority, member, now));
  TRY(write_certificate_digest(paths, member));
  TRY(reload());
  return write_controller_certificate(paths, authority, now);
}

Result<void> check_wish(Paths const& paths, rpc::RenewCrypto const& wish, WallTime now) {
  auto const wrong_file = [](std::string_view what, std::string const& file, Error const& error) {
    return fail_as(ErrorClass::Prereq, error.code, "{} {}: {}", what, file, error.message);
  };
  if (wish.rapi_certificate && !wish.rapi_file.empty()) {
    if (auto const checked = net::check_server_certificate(wish.rapi_pem, now); !checked) {
      return wrong_file("Unable to load X509 certificate from", wish.rapi_file, checked.error());
    }
  }
  if (wish.domain_secret && !wish.domain_secret_file.empty()) {
    if (auto const checked = one_line(wish.domain_secret_text); !checked) {
      return wrong_file("Can't load new cluster domain secret from", wish.domain_secret_file,
                        checked.error());
    }
  }
  if (wish.node_certificates && !wish.cluster_certificate) TRY(authority_in_use(paths));
  return {};
}

}  // namespace

std::string authority_key_file(Paths const& paths) {
  return paths.lib() + "/ca.key";
}
std::string next_authority_file(Paths const& paths) {
  return paths.lib() + "/ca-next.pem";
}

Result<void> make_keys(Paths const& paths, Membership const& member, Random& random, WallTime now) {
  auto const authority = TRY(new_authority(now));
  TRY(remove_state_file(next_authority_file(paths)));
  TRY(write_state_file(authority_key_file(paths), authority.key_pem, mode_secret));
  TRY(write_state_file(paths.cluster_ca(), authority.certificate_pem, mode_public));
  TRY(write_node_certificate(paths, authority, member, now));
  TRY(write_controller_certificate(paths, authority, now));
  TRY(write_rapi_certificate(paths, member, now));
  TRY(write_secret(paths.hmac_key(), net::random_secret(random)));
  return write_secret(paths.domain_secret(), net::random_secret(random));
}

Result<void> write_certificate_digest(Paths const& paths, Membership const& member) {
  auto const shown = TRY(read_state_file(paths.node_certificate())).value_or("");
  auto const file = paths.lib() + "/ssconf_master_candidates_certs";
  auto const line =
      fmt::format("{}={}\n", member.node_uuid.text(), TRY(net::inspect_certificate(shown)).sha1);
  if (TRY(read_state_file(file)) == line) return {};
  return write_state_file(file, line, mode_ssconf);
}

Result<std::vector<std::string>> renew_keys(Paths const& paths, Membership const& member,
                                            rpc::RenewCrypto const& wish, Random& random,
                                            WallTime now, Reload const& reload) {
  TRY(check_wish(paths, wish, now));
  if (wish.dry_run) return std::vector<std::string>();
  std::vector<std::string> files;
  if (wish.domain_secret) {
    TRY(write_secret(paths.domain_secret(), wish.domain_secret_file.empty()
                                                ? net::random_secret(random)
                                                : TRY(one_line(wish.domain_secret_text))));
    files.push_back(paths.domain_secret());
  }
  if (wish.hmac_key) {
    TRY(write_secret(paths.hmac_key(), net::random_secret(random)));
    files.push_back(paths.hmac_key());
  }
  if (wish.rapi_certificate) {
    TRY(wish.rapi_file.empty() ? write_rapi_certificate(paths, member, now)
                               : write_rapi_pem(paths, wish.rapi_pem));
    files.push_back(paths.rapi_certificate());
  }
  if (wish.cluster_certificate) {
    TRY(renew_authority(paths, member, now, reload));
    files.push_back(paths.cluster_ca());
  } else if (wish.node_certificates) {
    TRY(renew_node_certificates(paths, member, now, reload));
  }
  if (wish.cluster_certificate || wish.node_certificates) {
    files.push_back(paths.node_certificate());
    files.push_back(paths.controller_certificate());
  }
  return files;
}

Result<void> finish_renewal(Paths const& paths, Membership const& member, WallTime now,
                            Reload const& reload) {
  if (auto const begun = TRY(read_state_file(next_authority_file(paths)))) {
    TRY(change_authority(paths, split_pem(*begun), member, now, reload));
  }
  return write_certificate_digest(paths, member);
}

}  // namespace flotte::node
