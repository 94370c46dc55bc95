#include "net/certificates.h"

#include <gmock/gmock.h>

namespace flotte::net {
namespace {

WallTime const now = WallTime(std::chrono::seconds(1'800'000'000));

TEST(Certificates, say_who_and_how_long) {
  auto const authority = make_authority("cluster.example.com", now);
  ASSERT_TRUE(authority) << authority.error().message;
  auto const node = issue_certificate(
      *authority, {.common_name = "node1", .names = {"node1.example.com", "10.0.0.1", "fe80::1"}},
      now, Days(30));
  ASSERT_TRUE(node) << node.error().message;
  auto const facts = inspect_certificate(node->pem());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->common_name, "node1");
  EXPECT_EQ(facts->names,
            (std::vector<std::string>{"node1", "node1.example.com", "10.0.0.1", "fe80::1"}));
  EXPECT_EQ(facts->sha1.size(), 40U);
  EXPECT_EQ(facts->sha256.size(), 64U);
  EXPECT_EQ(facts->not_before, now - Days(1));
  EXPECT_EQ(facts->not_after, now + Days(30));
  EXPECT_NE(inspect_certificate(authority->pem())->sha1, facts->sha1);
}

TEST(Certificates, of_rsa_have_ganetis_form) {
  auto const made = make_self_signed_rsa({.common_name = "ganeti.example.com"}, now, Days(1825));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_EQ(inspect_certificate(made->pem())->common_name, "ganeti.example.com");
}

TEST(Certificates, refuse_odd_names) {
  auto const authority = *make_authority("ca", now);
  for (auto const* name : {"", "a b", "a\nb", "\xc3\xa9"}) {
    EXPECT_FALSE(issue_certificate(authority, {.common_name = name}, now)) << name;
    EXPECT_FALSE(issue_certificate(authority, {.common_name = "a", .names = {name}}, now)) << name;
  }
  EXPECT_FALSE(issue_certificate(authority, {.common_name = std::string(65, 'a')}, now));
  // A comma begins no second name.
  auto const made = issue_certificate(authority, {.common_name = "a,DNS:b"}, now);
  EXPECT_EQ(inspect_certificate(made->pem())->names, std::vector<std::string>{"a,DNS:b"});
}

TEST(Certificates, refuse_what_is_none) {
  EXPECT_FALSE(inspect_certificate(""));
  EXPECT_FALSE(
      inspect_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
  EXPECT_FALSE(
      issue_certificate({.certificate_pem = "x", .key_pem = "y"}, {.common_name = "a"}, now));
}

TEST(Certificates, for_a_server_are_checked_whole) {
  auto const wrong_with = [](std::string const& pem, WallTime when = now) {
    auto const checked = check_server_certificate(pem, when);
    return checked ? "" : checked.error().message;
  };
  auto const made = *make_self_signed_rsa({.common_name = "web"}, now, Days(30));
  auto const other = *make_self_signed_rsa({.common_name = "other"}, now, Days(30));
  EXPECT_EQ(wrong_with(made.pem()), "");
  EXPECT_EQ(wrong_with(made.certificate_pem + made.key_pem), "");
  EXPECT_EQ(wrong_with(made.pem() + other.certificate_pem), "") << "the chain follows";
  auto const ec = *issue_certificate(*make_authority("ca", now), {.common_name = "web"}, now);
  EXPECT_EQ(wrong_with(ec.pem()), "");

  EXPECT_THAT(wrong_with(""), ::testing::StartsWith("Not a certificate in PEM form"));
  EXPECT_THAT(wrong_with("no PEM\n"), ::testing::StartsWith("Not a certificate in PEM form"));
  EXPECT_THAT(wrong_with(made.key_pem), ::testing::StartsWith("Not a certificate in PEM form"));
  EXPECT_THAT(wrong_with(made.certificate_pem),
              ::testing::StartsWith("Not a private key in PEM form"));
  EXPECT_THAT(wrong_with(made.pem().substr(0, made.pem().size() / 4) + made.certificate_pem),
              ::testing::StartsWith("Not a"));
  EXPECT_EQ(wrong_with(made.key_pem + other.certificate_pem),
            "The private key does not belong to the certificate (of 'other') that stands first");
  EXPECT_EQ(wrong_with(made.pem(), now + Days(31)),
            "The certificate expired on 2027-02-14 08:00:00 UTC");
  EXPECT_EQ(wrong_with(made.pem(), now - Days(2)),
            "The certificate is not valid before 2027-01-14 08:00:00 UTC");
  EXPECT_THAT(wrong_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE "
                         "KEY-----\n" +
                         made.certificate_pem),
              ::testing::StartsWith("The private key is encrypted"));
}

TEST(Secret, is_hex_of_the_size_asked_for) {
  SystemRandom random;
  auto const secret = random_secret(random);
  EXPECT_EQ(secret.size(), 40U);
  EXPECT_EQ(secret.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(secret, random_secret(random));
}

}  // namespace
}  // namespace flotte::net
