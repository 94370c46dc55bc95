#include "node/hypervisor/kvm/vnc.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/result.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class VncOnANode : public ::testing::Test {
 protected:
  VncOnANode() { fs::create_directories(directory_); }
  ~VncOnANode() override { fs::remove_all(directory_); }

  std::string write(std::string const& name, std::string_view text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }
  static std::string judged(json::object const& hvparams) {
    auto const checked = check_vnc_on_node(hvparams);
    return checked ? "" : checked.error().message;
  }

  fs::path const directory_ = fs::temp_directory_path() / fmt::format("flotte-vnc-{}", ::getpid());
};

TEST_F(VncOnANode, is_bound_to_what_the_node_has) {
  EXPECT_EQ(judged({{"vnc_bind_address", ""}, {"vnc_password_file", "/nosuch"}}), "");
  EXPECT_EQ(judged({{"vnc_bind_address", "0.0.0.0"}}), "");
  EXPECT_EQ(judged({{"vnc_bind_address", directory_.string()}}), "");
  EXPECT_THAT(judged({{"vnc_bind_address", "/nosuch"}}), HasSubstr("there is no directory"));
  EXPECT_THAT(judged({{"vnc_bind_address", "192.0.2.77"}}),
              EndsWith("192.0.2.77 is no address of this node"));
  EXPECT_THAT(judged({{"vnc_bind_address", "nosuch0"}}), HasSubstr("no such interface"));
}

TEST_F(VncOnANode, needs_each_of_its_certificates) {
  json::object const hvparams{
      {"vnc_bind_address", "0.0.0.0"}, {"vnc_tls", true}, {"vnc_x509_path", directory_.string()}};
  for (auto const* file : {"ca-cert.pem", "server-cert.pem", "server-key.pem"}) {
    EXPECT_THAT(judged(hvparams), HasSubstr(fmt::format("/{} on this node", file)));
    write(file, "");
  }
  EXPECT_EQ(judged(hvparams), "");
}

TEST_F(VncOnANode, has_the_first_line_of_a_file_for_a_password) {
  EXPECT_EQ(read_vnc_password(write("one", "secret\r\nmore\n")).value(), "secret");
  EXPECT_EQ(read_vnc_password(write("two", "secret")).value(), "secret");
  EXPECT_THAT(read_vnc_password(write("none", "\nsecret\n")).error().message,
              HasSubstr("the first line"));
  EXPECT_FALSE(read_vnc_password(directory_ / "nosuch"));
  EXPECT_NE(judged({{"vnc_bind_address", "0.0.0.0"},
                    {"vnc_password_file", (directory_ / "nosuch").string()}}),
            "");
}

}  // namespace
}  // namespace flotte::node
