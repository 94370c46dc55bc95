#include "net/domain_signatures.h"

#include <gmock/gmock.h>

#include "net/certificates.h"

namespace flotte::net {
namespace {

using testing::HasSubstr;

constexpr std::string_view secret = "8b5b1f5c0a";
constexpr std::string_view handshake = "0:Hi, I'm Ganeti";
WallTime const now = WallTime(std::chrono::seconds(1'800'000'000));

TEST(DomainSignatures, are_ganetis) {
  // Made with Python's hmac.
  DomainSignature const made{"dd687a93fa0831ade2b683081761d66dc498af96", "0123456789abcdef"};
  EXPECT_TRUE(is_signed_for_domain(secret, handshake, made));
}

TEST(DomainSignatures, are_of_this_text_secret_and_salt) {
  SeededRandom random(1);
  auto const made = sign_for_domain(secret, "text", random);
  EXPECT_EQ(made.salt.size(), 16U);
  EXPECT_TRUE(is_signed_for_domain(secret, "text", made));
  EXPECT_FALSE(is_signed_for_domain("another", "text", made));
  EXPECT_FALSE(is_signed_for_domain(secret, "texts", made));
  EXPECT_FALSE(is_signed_for_domain(secret, "text", {made.hmac, made.salt + "0"}));
  EXPECT_FALSE(is_signed_for_domain(secret, "text", {made.hmac.substr(1), made.salt}));
  EXPECT_FALSE(is_signed_for_domain(secret, "text", {"", made.salt}));
  // What stands in the salt must not be able to stand for the beginning of a text.
  auto const shifted = sign_for_domain(secret, "b:c", random);
  EXPECT_FALSE(is_signed_for_domain(secret, "c", {shifted.hmac, shifted.salt + "b:"}));
  EXPECT_FALSE(is_signed_for_domain(secret, shifted.salt + "b:c", {shifted.hmac, ""}));
}

class SignedCertificate : public testing::Test {
 protected:
  std::string why(std::string const& shown, std::string_view by = secret, WallTime at = now) {
    auto const read = read_signed_certificate(by, shown, at);
    return read ? "" : read.error().message;
  }

  SeededRandom random{2};
  CertifiedKey made = *make_self_signed_rsa({.common_name = "node1"}, now, Days(1));
  std::string text = *sign_certificate(secret, made.certificate_pem, random);
};

TEST_F(SignedCertificate, is_read) {
  EXPECT_TRUE(text.starts_with("X-Ganeti-Signature: ")) << text;
  EXPECT_EQ(*read_signed_certificate(secret, text, now), made.certificate_pem);
  // A key beside it is not part of it.
  EXPECT_EQ(*read_signed_certificate(secret, *sign_certificate(secret, made.pem(), random), now),
            made.certificate_pem);
}

TEST_F(SignedCertificate, is_refused_where_something_is_wrong) {
  EXPECT_THAT(why(text, "another"), HasSubstr("don't share the same domain secret"));
  EXPECT_THAT(why(made.certificate_pem), HasSubstr("Couldn't find X509 signature"));
  EXPECT_THAT(why(made.certificate_pem + text), HasSubstr("Couldn't find X509 signature"));
  EXPECT_THAT(why(text.substr(0, text.size() / 2)), HasSubstr("Not a certificate"));
  EXPECT_THAT(why(""), HasSubstr("Couldn't find X509 signature"));
  EXPECT_THAT(why("X-Ganeti-Signature: abc\n\n" + made.certificate_pem),
              HasSubstr("Couldn't find X509 signature"));
  auto const other = make_self_signed_rsa({.common_name = "node1"}, now, Days(1));
  EXPECT_THAT(why(text.substr(0, text.find("---")) + other->certificate_pem),
              HasSubstr("don't share the same domain secret"));
}

TEST_F(SignedCertificate, has_its_time) {
  EXPECT_EQ(why(text, secret, now + std::chrono::hours(24)), "");
  EXPECT_THAT(why(text, secret, now + std::chrono::hours(25)), HasSubstr("is expired"));
  EXPECT_THAT(why(text, secret, now - std::chrono::hours(25)), HasSubstr("not yet valid"));
}

}  // namespace
}  // namespace flotte::net
