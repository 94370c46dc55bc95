// Keys that disks are sent to other clusters with, and what the cluster domain secret signs and
// vouches for (docs/ganeti.md, "Moves between clusters"). Keys lie below <run>/crypto, a file each
// with key and certificate, for a day.
//
// Thread-safe: a key is written once, and replaced by nobody.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/paths.h"
#include "base/random.h"
#include "net/certificates.h"
#include "rpc/node_calls.h"

namespace flotte::node {

class TransferKeys {
 public:
  TransferKeys(Paths const& paths, Clock& clock) : paths_(paths), clock_(clock) {}

  // See the calls of these names. WrongState: this cluster has no domain secret.
  Result<rpc::TransferKey> create(rpc::TransferKeyCreate const& call);
  Result<void> remove(std::string const& name);
  Result<rpc::PeerCertificate> check(rpc::TransferSendCheck const& call) const;
  Result<rpc::PeerCertificate> check(rpc::TransferReceiveCheck const& call) const;

  // Key and certificate, as PEM. UnknownEntity: it is gone, or its day is over.
  Result<std::string> load(std::string const& name) const;
  // A key for one call, whose certificate has all names that this node may be looked for by.
  Result<net::CertifiedKey> make(std::string const& node_name, std::string const& address) const;
  Result<std::string> sign_certificate(std::string const& pem);
  Result<rpc::DomainSignature> sign_disk(std::size_t index, rpc::PeerDisk const& disk);

 private:
  Result<std::string> secret() const;
  Result<std::string> path_of(std::string const& name) const;
  void remove_expired() const;

  Paths const& paths_;
  Clock& clock_;
  SystemRandom random_;
};

}  // namespace flotte::node
