#include "net/domain_signatures.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "net/certificates.h"
#include "net/openssl.h"

namespace flotte::net {
namespace {

constexpr std::size_t salt_bytes = 8;
// Ganeti takes what is two and a half minutes off.
constexpr std::chrono::seconds clock_skew_max{150};
constexpr std::string_view header = "X-Ganeti-Signature:";

std::string hmac_of(std::string_view secret, std::string_view salt, std::string_view text) {
  auto const message = fmt::format("{}{}", salt, text);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<unsigned char const*>(message.data()), message.size(), digest.data(),
       &size);
  return in_hex(std::span(digest).first(size));
}

bool is_alphanumeric(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::string_view without_spaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// Of the line that has the header; it stands before the certificate.
Result<DomainSignature> signature_in(std::string_view text) {
  while (!text.empty() && !text.starts_with("---")) {
    auto const end = std::min(text.find('\n'), text.size());
    auto const line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(header)) continue;
    auto const value = without_spaces(line.substr(header.size()));
    auto const slash = value.find('/');
    if (slash == std::string_view::npos) break;
    return DomainSignature{std::string(value.substr(slash + 1)),
                           std::string(value.substr(0, slash))};
  }
  return fail(ErrorCode::WrongInput, "Couldn't find X509 signature");
}

}  // namespace

DomainSignature sign_for_domain(std::string_view secret, std::string_view text, Random& random) {
  auto const salt = random_secret(random, salt_bytes);
  return {hmac_of(secret, salt, text), salt};
}

bool is_signed_for_domain(std::string_view secret, std::string_view text,
                          DomainSignature const& signature) {
  auto const expected = hmac_of(secret, signature.salt, text);
  return !signature.salt.empty() && is_alphanumeric(signature.salt) &&
         signature.hmac.size() == expected.size() &&
         CRYPTO_memcmp(signature.hmac.data(), expected.data(), expected.size()) == 0;
}

Result<std::string> sign_certificate(std::string_view secret, std::string_view pem,
                                     Random& random) {
  auto const certificate = TRY(normalized_certificate(pem));
  auto const signature = sign_for_domain(secret, certificate, random);
  return fmt::format("{} {}/{}\n\n{}", header, signature.salt, signature.hmac, certificate);
}

Result<std::string> read_signed_certificate(std::string_view secret, std::string_view text,
                                            WallTime now) {
  auto const signature = TRY(signature_in(text));
  auto certificate = TRY(normalized_certificate(text));
  if (!is_signed_for_domain(secret, certificate, signature)) {
    return fail(ErrorCode::WrongInput,
                "X509 certificate signature is invalid: the clusters don't share the same domain "
                "secret");
  }
  auto const facts = TRY(inspect_certificate(certificate));
  if (facts.not_before > now + clock_skew_max) {
    return fail(ErrorCode::WrongInput,
                "Certificate not yet valid (valid from {} on, here it is {}): are the clocks of "
                "both clusters right?",
                date_text(facts.not_before), date_text(now));
  }
  if (facts.not_after + clock_skew_max < now) {
    return fail(ErrorCode::WrongInput,
                "Certificate is expired (valid until {}, here it is {}): prepare the export "
                "again, and look at the clocks of both clusters",
                date_text(facts.not_after), date_text(now));
  }
  return certificate;
}

}  // namespace flotte::net
