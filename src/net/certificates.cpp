#include "net/certificates.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "net/openssl.h"

namespace flotte::net {
namespace {

using Key = Openssl<EVP_PKEY, EVP_PKEY_free>;
using Bio = Openssl<BIO, BIO_free_all>;
using Names = Openssl<GENERAL_NAMES, GENERAL_NAMES_free>;

constexpr std::size_t common_name_bytes_max = 64;  // RFC 5280, ub-common-name
constexpr std::size_t name_bytes_max = 253;        // of a host
constexpr auto back_dated = std::chrono::hours(24);

Failure openssl_failed(std::string_view what) {
  return fail(ErrorCode::InternalError, "Can't {}: {}", what, openssl_error());
}

Result<void> check_name(std::string_view name, std::size_t bytes_max) {
  if (name.empty() || name.size() > bytes_max) {
    return fail(ErrorCode::WrongInput, "A certificate's name must have 1 to {} bytes: '{}'",
                bytes_max, name);
  }
  if (!std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
    return fail(ErrorCode::WrongInput, "A certificate's name must be printable ASCII");
  }
  return {};
}

bool set_time(ASN1_TIME* field, WallTime time) {
  auto const seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  return ASN1_TIME_set(field, seconds) != nullptr;
}

WallTime time_from(ASN1_TIME const* field) {
  tm parts{};
  ASN1_TIME_to_tm(field, &parts);
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] &= 0x7f;  // positive
  bytes[0] |= 0x40;  // of full length
  Openssl<BIGNUM, BN_free> const number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int kind, char const* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  Openssl<X509_EXTENSION, X509_EXTENSION_free> const extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Built as objects: in OpenSSL's text form a comma in a name would begin another name.
bool add_name(GENERAL_NAMES* names, std::string const& name) {
  std::array<unsigned char, 16> address{};
  int address_size = 0;
  if (inet_pton(AF_INET, name.c_str(), address.data()) == 1) address_size = 4;
  if (inet_pton(AF_INET6, name.c_str(), address.data()) == 1) address_size = 16;

  Openssl<GENERAL_NAME, GENERAL_NAME_free> entry(GENERAL_NAME_new());
  Openssl<ASN1_STRING, ASN1_STRING_free> value(
      ASN1_STRING_type_new(address_size > 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!entry || !value) return false;
  auto const is_set =
      address_size > 0 ? ASN1_STRING_set(value.get(), address.data(), address_size)
                       : ASN1_STRING_set(value.get(), name.data(), static_cast<int>(name.size()));
  if (is_set != 1) return false;
  GENERAL_NAME_set0_value(entry.get(), address_size > 0 ? GEN_IPADD : GEN_DNS, value.release());
  if (sk_GENERAL_NAME_push(names, entry.get()) <= 0) return false;
  static_cast<void>(entry.release());
  return true;
}

bool add_names(X509* certificate, Subject const& subject) {
  Names const names(GENERAL_NAMES_new());
  if (!names || !add_name(names.get(), subject.common_name)) return false;
  for (auto const& name : subject.names) {
    if (name != subject.common_name && !add_name(names.get(), name)) return false;
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

// Version, serial, validity, subject and key; neither issuer nor signature.
Result<Certificate> blank_certificate(Subject const& subject, EVP_PKEY* key, WallTime now,
                                      Days validity) {
  TRY(check_name(subject.common_name, common_name_bytes_max));
  for (auto const& name : subject.names) TRY(check_name(name, name_bytes_max));
  Certificate certificate(X509_new());
  if (!certificate) return openssl_failed("make a certificate");
  auto* raw = certificate.get();
  auto const* name = reinterpret_cast<unsigned char const*>(subject.common_name.c_str());
  auto const is_filled = X509_set_version(raw, X509_VERSION_3) == 1 && set_random_serial(raw) &&
                         set_time(X509_getm_notBefore(raw), now - back_dated) &&
                         set_time(X509_getm_notAfter(raw), now + validity) &&
                         X509_set_pubkey(raw, key) == 1 &&
                         X509_NAME_add_entry_by_NID(X509_get_subject_name(raw), NID_commonName,
                                                    MBSTRING_UTF8, name, -1, -1, 0) == 1;
  if (!is_filled) return openssl_failed("fill in a certificate");
  return certificate;
}

Result<std::string> contents(BIO* bio) {
  char* data = nullptr;
  auto const size = BIO_get_mem_data(bio, &data);
  if (size <= 0) return openssl_failed("write PEM");
  return std::string(data, static_cast<std::size_t>(size));
}

Result<CertifiedKey> to_pem(X509* certificate, EVP_PKEY* key) {
  Bio const certificate_text(BIO_new(BIO_s_mem()));
  Bio const key_text(BIO_new(BIO_s_secmem()));
  if (!certificate_text || !key_text ||
      PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return openssl_failed("write PEM");
  }
  return CertifiedKey{TRY(contents(certificate_text.get())), TRY(contents(key_text.get()))};
}

Bio reader(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<Certificate> read_certificate(std::string_view pem) {
  auto const bio = reader(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) {
    return fail(ErrorCode::WrongInput, "Not a certificate in PEM form: {}", openssl_error());
  }
  return certificate;
}

Result<Key> read_key(std::string_view pem) {
  auto const bio = reader(pem);
  auto const no_passphrase = [](char*, int, int, void*) { return -1; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return fail(ErrorCode::WrongInput, "Not a private key in PEM form: {}", openssl_error());
  return key;
}

Result<void> sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
      X509_sign(certificate, issuer_key, EVP_sha256()) == 0) {
    return openssl_failed("sign a certificate");
  }
  return {};
}

constexpr char const* both_ends = "serverAuth,clientAuth";

}  // namespace

Result<CertifiedKey> make_authority(std::string const& common_name, WallTime now, Days validity) {
  Key const key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("make a key");
  auto const certificate =
      TRY(blank_certificate({.common_name = common_name}, key.get(), now, validity));
  auto* raw = certificate.get();
  if (!add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(raw, raw, NID_subject_key_identifier, "hash")) {
    return openssl_failed("extend a certificate");
  }
  TRY(sign(raw, raw, key.get()));
  return to_pem(raw, key.get());
}

Result<CertifiedKey> issue_certificate(CertifiedKey const& authority, Subject const& subject,
                                       WallTime now, Days validity) {
  auto const issuer = TRY(read_certificate(authority.certificate_pem));
  auto const issuer_key = TRY(read_key(authority.key_pem));
  Key const key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("make a key");
  auto const certificate = TRY(blank_certificate(subject, key.get(), now, validity));
  auto* raw = certificate.get();
  if (!add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(raw, issuer.get(), NID_ext_key_usage, both_ends) ||
      !add_extension(raw, issuer.get(), NID_subject_key_identifier, "hash") ||
      !add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always") ||
      !add_names(raw, subject)) {
    return openssl_failed("extend a certificate");
  }
  TRY(sign(raw, issuer.get(), issuer_key.get()));
  return to_pem(raw, key.get());
}

Result<CertifiedKey> make_self_signed_rsa(Subject const& subject, WallTime now, Days validity) {
  Key const key(EVP_RSA_gen(2048));
  if (!key) return openssl_failed("make a key");
  auto const certificate = TRY(blank_certificate(subject, key.get(), now, validity));
  auto* raw = certificate.get();
  if (!add_extension(raw, raw, NID_ext_key_usage, both_ends) ||
      !add_extension(raw, raw, NID_subject_key_identifier, "hash") || !add_names(raw, subject)) {
    return openssl_failed("extend a certificate");
  }
  TRY(sign(raw, raw, key.get()));
  return to_pem(raw, key.get());
}

Result<std::string> normalized_certificate(std::string_view pem) {
  auto const certificate = TRY(read_certificate(pem));
  Bio const text(BIO_new(BIO_s_mem()));
  if (!text || PEM_write_bio_X509(text.get(), certificate.get()) != 1) {
    return openssl_failed("write PEM");
  }
  return contents(text.get());
}

Result<CertificateFacts> inspect_certificate(std::string_view pem) {
  auto const certificate = TRY(read_certificate(pem));
  auto const* raw = certificate.get();
  return CertificateFacts{
      .common_name = certificate_common_name(raw),
      .names = certificate_names(raw),
      .sha1 = certificate_digest(raw, EVP_sha1()),
      .sha256 = certificate_digest(raw, EVP_sha256()),
      .not_before = time_from(X509_get0_notBefore(raw)),
      .not_after = time_from(X509_get0_notAfter(raw)),
  };
}

Result<void> check_server_certificate(std::string_view pem, WallTime now) {
  auto const certificate = TRY(read_certificate(pem));
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return fail(ErrorCode::WrongInput,
                "The private key is encrypted, and nobody is there to type its passphrase when a "
                "daemon starts");
  }
  auto const key = TRY(read_key(pem));
  auto* raw = certificate.get();
  if (X509_check_private_key(raw, key.get()) != 1) {
    static_cast<void>(openssl_error());
    return fail(ErrorCode::WrongInput,
                "The private key does not belong to the certificate (of '{}') that stands first",
                certificate_common_name(raw));
  }
  if (auto const until = time_from(X509_get0_notAfter(raw)); until < now) {
    return fail(ErrorCode::WrongInput, "The certificate expired on {}", date_text(until));
  }
  if (auto const from = time_from(X509_get0_notBefore(raw)); from > now) {
    return fail(ErrorCode::WrongInput, "The certificate is not valid before {}", date_text(from));
  }
  // What TLS itself refuses, as a key that is too short.
  Openssl<SSL_CTX, SSL_CTX_free> const context(SSL_CTX_new(TLS_server_method()));
  if (!context) return openssl_failed("try a certificate");
  if (SSL_CTX_use_certificate(context.get(), raw) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return fail(ErrorCode::WrongInput, "TLS does not take the certificate: {}", openssl_error());
  }
  return {};
}

std::string random_secret(Random& random, std::size_t bytes) {
  std::vector<std::uint8_t> secret(bytes);
  random.fill(secret);
  return in_hex(secret);
}

}  // namespace flotte::net
