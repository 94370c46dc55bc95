#include "net/openssl.h"

#include <arpa/inet.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <array>

namespace flotte::net {
namespace {

// With its length: a NUL inside must not end a name.
std::string text_of(ASN1_STRING const* text) {
  auto const* data = reinterpret_cast<char const*>(ASN1_STRING_get0_data(text));
  return std::string(data, static_cast<std::size_t>(ASN1_STRING_length(text)));
}

std::string address_of(ASN1_OCTET_STRING const* address) {
  auto const family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
  return text.data();
}

}  // namespace

std::string openssl_error() {
  auto const number = ERR_peek_last_error();
  ERR_clear_error();
  auto const* reason = ERR_reason_error_string(number);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", number);
}

std::string certificate_common_name(X509 const* certificate) {
  auto* subject = X509_get_subject_name(certificate);
  auto const index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
}

std::vector<std::string> certificate_names(X509 const* certificate) {
  Openssl<GENERAL_NAMES, GENERAL_NAMES_free> const entries(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> names;
  for (int i = 0; entries && i < sk_GENERAL_NAME_num(entries.get()); ++i) {
    auto const* entry = sk_GENERAL_NAME_value(entries.get(), i);
    if (entry->type == GEN_DNS) names.push_back(text_of(entry->d.dNSName));
    if (entry->type == GEN_IPADD) names.push_back(address_of(entry->d.iPAddress));
  }
  return names;
}

std::string in_hex(std::span<unsigned char const> bytes) {
  std::string hex;
  for (auto const byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::string date_text(WallTime time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::string certificate_digest(X509 const* certificate, EVP_MD const* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, algorithm, digest.data(), &size) != 1) return {};
  return in_hex(std::span(digest).first(size));
}

}  // namespace flotte::net
