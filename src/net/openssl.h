// OpenSSL's objects with owners, and its errors as text. Inside net only: tls.cpp,
// certificates.cpp.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"

namespace flotte::net {

template <auto free_function>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
template <class T, auto free_function>
using Openssl = std::unique_ptr<T, OpensslDeleter<free_function>>;
using Certificate = Openssl<X509, X509_free>;

// The last error of this thread, e.g. "no start line"; clears the others.
std::string openssl_error();

std::string certificate_common_name(X509 const* certificate);
// DNS names and IP addresses of the extension subjectAltName.
std::vector<std::string> certificate_names(X509 const* certificate);
// Lower-case.
std::string in_hex(std::span<unsigned char const> bytes);
// "2026-11-29 10:36:16 UTC"
std::string date_text(WallTime time);
// Lower-case hex of the DER form's digest.
std::string certificate_digest(X509 const* certificate, EVP_MD const* algorithm);

}  // namespace flotte::net
