#include "node/programs/allowed_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AllowedPrograms : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(paths_.etc());
    program("kvm-tcg");
  }
  void TearDown() override { fs::remove_all(paths_.root()); }

  std::string program(std::string const& name) const {
    auto const path = paths_.root() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  void allow(std::string const& lines) const {
    std::ofstream(paths_.allowed_programs_file()) << lines;
  }
  std::string refusal(std::string const& path) const {
    auto const allowed = require_allowed(paths_, path);
    return allowed ? "" : allowed.error().message;
  }
  std::string refusal_of(std::vector<std::string> argv) const {
    argv.insert(argv.begin(), own_);
    auto const allowed = require_qemu_allowed(paths_, argv);
    return allowed ? "" : allowed.error().message;
  }

  Paths const paths_{
      (fs::temp_directory_path() / fmt::format("flotte-allowed-{}", ::getpid())).string()};
  std::string const own_ = paths_.root() + "/kvm-tcg";
};

TEST_F(AllowedPrograms, are_debians_qemus_from_the_start) {
  for (auto const* path : {"/usr/bin/kvm", "/usr/bin/qemu-system-x86_64"}) {
    if (!fs::exists(path)) continue;
    EXPECT_EQ(refusal(path), "") << path;
  }
  EXPECT_THAT(refusal("/usr/bin/qemu-system-nosuch"), HasSubstr("No such file or directory"));
}

TEST_F(AllowedPrograms, are_no_others_and_the_refusal_says_what_to_do_where) {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  EXPECT_EQ(
      refusal(own_),
      fmt::format("Root does not run {} on {}: only /usr/bin/kvm, /usr/bin/qemu-system-* and "
                  "what {} names there; if that is what you want, add the line {} to that file",
                  own_, host, paths_.allowed_programs_file(), own_));
  for (auto const* path : {"/usr/bin/../../tmp/x", "/usr/bin/qemu-system-/../../../tmp/x",
                           "/usr/bin//kvm", "usr/bin/kvm", "", "/usr/bin/qemu-system-x/y"}) {
    EXPECT_THAT(refusal(path), HasSubstr("Root does not run")) << path;
  }
}

TEST_F(AllowedPrograms, are_what_the_list_adds) {
  allow("# our own\n\n" + own_ + " \nrelative\n" + paths_.root() + "/qemu-*\n");
  EXPECT_EQ(refusal(own_), "");
  EXPECT_EQ(refusal(program("qemu-9.2")), "");
  EXPECT_THAT(refusal(program("other")), HasSubstr("Root does not run"));
  EXPECT_THAT(refusal("relative"), HasSubstr("Root does not run"));
  EXPECT_THAT(refusal("# our own"), HasSubstr("Root does not run"));
}

TEST_F(AllowedPrograms, and_their_list_must_be_roots_alone) {
  allow(own_ + "\n");
  ::chmod(paths_.allowed_programs_file().c_str(), 0666);
  EXPECT_THAT(refusal(own_), HasSubstr("everybody can change " + paths_.allowed_programs_file()));
  ::chmod(paths_.allowed_programs_file().c_str(), 0644);
  ::chmod(own_.c_str(), 0777);
  EXPECT_THAT(refusal(own_), HasSubstr("everybody can change " + own_));
  if (::geteuid() != 0) return;
  ::chmod(own_.c_str(), 0755);
  ASSERT_EQ(::chown(paths_.allowed_programs_file().c_str(), 12345, 12345), 0);
  EXPECT_THAT(refusal(own_), HasSubstr("belongs to user 12345"));
}

TEST_F(AllowedPrograms, are_asked_for_whatever_makes_qemu_run_something) {
  allow(own_ + "\n/usr/lib/qemu/qemu-bridge-helper\n");
  for (auto const& argv : std::vector<std::vector<std::string>>{
           {"-netdev", "tap,id=a,script=/tmp/x"},
           {"-netdev", "tap,id=a,script=no,downscript=/tmp/x"},
           {"--netdev", "bridge,br=br0,helper=/tmp/x --use-vnet"},
           {"-nic", "tap,script=/tmp/x"},
           {"-net", "nic", "-net", "tap,script=/tmp/x"},
           {"-netdev", "user,guestfwd=tcp:10.0.2.100:1234-cmd:/tmp/x arg"},
           {"-incoming", "exec:/tmp/x"},
           {"--incoming", "exec:cat /tmp/x"},
           {"-plugin", "/tmp/x"},
           {"-plugin", "file=/tmp/x,arg=1"},
           {"-readconfig", "/tmp/x"},
           // With arguments, and for a shell.
           {"-incoming", "exec:" + own_ + " -netdev tap,script=/tmp/x"},
           {"-incoming", "exec:" + own_ + ";/tmp/x"},
           {"-netdev", "bridge,br=br0,helper=" + own_ + " --version; /tmp/x"},
           {"-netdev", "user,guestfwd=tcp:10.0.2.100:1234-cmd:" + own_ + " -plugin /tmp/x"},
           // In JSON.
           {"-netdev", R"({"type":"tap","id":"e","script":"/tmp/x"})"},
           {"-netdev", R"({"type":"bridge","id":"e","helper":"/tmp/x"})"},
           {"-netdev",
            R"({"type":"user","id":"e","guestfwd":[{"str":"tcp:1.2.3.4:5-cmd:/tmp/x"}]})"},
           {"-netdev", R"({"type":"tap","script":"/tmp/x)"}}) {
    EXPECT_THAT(refusal_of(argv), HasSubstr("Root does not run"))
        << fmt::format("{}", fmt::join(argv, " "));
  }
  EXPECT_EQ(refusal_of({"-m", "128", "-netdev", "tap,script=no,downscript=no", "-device",
                        "virtio-net,id=script", "-smbios", "type=1,serial=a,,script=/tmp/x"}),
            "");
  EXPECT_EQ(refusal_of({"-netdev", R"({"type":"tap","id":"e","script":")" + own_ + R"("})"}), "");
}

TEST_F(AllowedPrograms, are_named_where_they_can_be_seen) {
  allow(own_ + "\n");
  EXPECT_THAT(refusal_of({"-netdev", "tap,id=e", "-set", "netdev.e.script=/tmp/x"}),
              HasSubstr("-set is not taken"));
  EXPECT_THAT(refusal_of({"--set", "netdev.e.helper=/tmp/x"}), HasSubstr("-set is not taken"));
  EXPECT_THAT(refusal_of({"-run-with", "user=root"}), HasSubstr("-run-with is not taken"));
}

TEST_F(AllowedPrograms, are_run_by_nobody_who_is_root) {
  allow(own_ + "\n");
  EXPECT_EQ(refusal_of({"-runas", "flotte-vm"}), "");
  EXPECT_THAT(refusal_of({"-runas", "root"}), HasSubstr("does not run as root"));
  for (auto const* root : {"0:0", "00:0", "0x0:0", "0"}) {
    EXPECT_THAT(refusal_of({"-runas", root}), HasSubstr("does not run as root")) << root;
  }
  EXPECT_EQ(refusal_of({"-runas", "1000:0"}), "");
  EXPECT_THAT(refusal_of({"-runas", "alice", "-runas", "flotte-vm"}), HasSubstr("told twice"));
}

}  // namespace
}  // namespace flotte::node
