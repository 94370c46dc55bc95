#include "controller/remote_settings.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace flotte::controller {
namespace {

using ::testing::HasSubstr;

RemoteSettings parsed(std::string_view arguments) {
  auto const settings = parse_remote_settings(arguments, Paths());
  EXPECT_TRUE(settings) << settings.error().message;
  return settings.value_or(RemoteSettings());
}

TEST(RemoteSettings, what_is_usual) {
  RemoteSettings const usual{.certificate_file = "/var/lib/ganeti/rapi.pem", .key_file = ""};
  EXPECT_EQ(parsed(""), usual);
  EXPECT_EQ(parsed(" -f -d --syslog "), usual);
}

TEST(RemoteSettings, options_as_people_write_them) {
  for (auto const* text :
       {"-p 5081 -b ::1", "-p5081 -b::1", "--port=5081 --bind=::1", "--port 5081 --bind ::1"}) {
    auto const settings = parsed(text);
    EXPECT_EQ(settings.port, 5081) << text;
    EXPECT_EQ(settings.address, "::1") << text;
  }
  auto const settings =
      parsed("--no-ssl --require-authentication -C /c.pem -K /k.pem --max-clients 7");
  EXPECT_FALSE(settings.has_tls);
  EXPECT_TRUE(settings.requires_authentication);
  EXPECT_EQ(settings.certificate_file, "/c.pem");
  EXPECT_EQ(settings.key_file, "/k.pem");
  EXPECT_EQ(settings.connections_max, 7U);
}

TEST(RemoteSettings, what_is_wrong_is_named) {
  std::pair<std::string_view, std::string_view> const cases[] = {
      {"--nosuch", "no option '--nosuch'"},
      {"-p", "-p needs a value"},
      {"-p 0", "--port: '0' is no port"},
      {"-p 65536", "--port: '65536' is no port"},
      {"-b localhost", "--bind: 'localhost' is no address"},
      {"-i eth0", "--interface: listening on an interface is not built yet"},
      {"--ssl-chain /x", "--ssl-chain: "},
      {"--max-clients 0", "--max-clients: "},
      {"--no-ssl=1", "no option '--no-ssl=1'"},
  };
  for (auto const& [text, why] : cases) {
    auto const settings = parse_remote_settings(text, Paths());
    ASSERT_FALSE(settings) << text;
    EXPECT_THAT(settings.error().message, HasSubstr(std::string(why)));
  }
}

// The default of Debian's package.
TEST(RemoteSettings, where_nothing_is_said_it_is_for_this_machine_and_accounts) {
  auto const root = ::testing::TempDir() + "/flotte-rapi-settings";
  std::filesystem::create_directories(root + "/etc/default");
  auto const file = root + "/etc/default/ganeti";
  for (auto const* contents : {"", "NODED_ARGS=\"\"\n"}) {
    std::ofstream(file) << contents;
    auto const settings = remote_settings(Paths(root)).value();
    EXPECT_EQ(settings.address, "127.0.0.1");
    EXPECT_TRUE(settings.requires_authentication);
  }
  std::ofstream(file) << "RAPI_ARGS=\"-p 5081\"\n";
  EXPECT_FALSE(remote_settings(Paths(root))->requires_authentication);
  std::ofstream(file) << "RAPI_ARGS=\"-b $IP\"\n";
  EXPECT_FALSE(remote_settings(Paths(root)));
  std::filesystem::remove_all(root);
}

TEST(RemoteSettings, below_a_prefix_only_where_a_port_is_named) {
  Paths const paths("/srv/private");
  EXPECT_FALSE(parse_remote_settings("", paths)->is_on);
  EXPECT_FALSE(parse_remote_settings("-b 127.0.0.1", paths)->is_on);
  auto const settings = parse_remote_settings("-p 5081", paths);
  EXPECT_TRUE(settings->is_on);
  EXPECT_EQ(settings->address, "127.0.0.1");
  EXPECT_EQ(settings->certificate_file, "/srv/private/var/lib/ganeti/rapi.pem");
}

}  // namespace
}  // namespace flotte::controller
