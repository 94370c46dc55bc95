#include "cli/remote.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flotte::cli {
namespace {

// An ssh on PATH that keeps what it was asked and gives the line to a shell, as sshd does; `/`
// there is `other/` here.
constexpr auto ssh_script = R"sh(#!/bin/sh
here=$(dirname "$0")
for line; do :; done
printf '%s\n' "$*" > "$here/asked"
case $* in *root@node3*)
  echo 'ssh: connect to host node3 port 22: No route to host' >&2
  exit 255
esac
exec sh -c "$(printf %s "$line" | sed "s#^tar -C / -xpPf#tar -C $here/other -xpf#")"
)sh";

class RemoteBySsh : public testing::Test {
 protected:
  RemoteBySsh() {
    std::string pattern = testing::TempDir() + "remote-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(directory_ / "other");
    std::ofstream(directory_ / "ssh") << ssh_script;
    std::filesystem::permissions(directory_ / "ssh", std::filesystem::perms::owner_all);
    ::setenv("PATH", (directory_.string() + ":" + path_).c_str(), 1);
  }
  ~RemoteBySsh() override {
    ::setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(directory_);
  }
  std::string asked() const {
    std::ifstream file(directory_ / "asked");
    std::string line;
    std::getline(file, line);
    return line;
  }

  std::filesystem::path directory_;

 private:
  std::string path_ = std::getenv("PATH");
};

TEST(Remote, commands_run_here_or_by_ssh_at_the_node_s_port) {
  EXPECT_EQ(command_on({.name = "node1", .is_here = true}, "ls 'a b'"), "ls 'a b'");
  EXPECT_EQ(command_on({.name = "node2.lab.test", .ssh_port = 51083}, "ls 'a b'"),
            "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=10 -p 51083 "
            "root@node2.lab.test 'ls '\\''a b'\\'''");
}

TEST(Remote, files_go_to_the_same_path_whatever_their_name) {
  EXPECT_EQ(copy_to({.name = "node2", .ssh_port = 2222}, "/etc/it's"),
            "tar -C / -cPf - '/etc/it'\\''s' | ssh -oBatchMode=yes -oStrictHostKeyChecking=yes "
            "-oConnectTimeout=10 -p 2222 root@node2 'tar -C / -xpPf -'");
}

TEST(Remote, what_both_streams_said_and_how_it_ended) {
  auto const said = run("echo out; echo err >&2; exit 3");
  EXPECT_EQ(said.output, "out\nerr\n");
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_EQ(run("kill -9 $$").exit_code, 137);
  EXPECT_EQ(run("cat").output, "");
}

TEST_F(RemoteBySsh, the_other_shell_gets_the_line_as_it_was_typed) {
  auto const said = run(command_on({.name = "node2", .ssh_port = 51083},
                                   "printf '%s|' 'a  b' \"it's\" '$HOME'; echo err >&2; exit 3"));
  EXPECT_EQ(said.output, "a  b|it's|$HOME|err\n");
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_NE(asked().find("-p 51083 root@node2 "), std::string::npos) << asked();
}

TEST_F(RemoteBySsh, who_can_not_be_reached_is_told) {
  auto const said = run(command_on({.name = "node3"}, "true"));
  EXPECT_EQ(said.output, "ssh: connect to host node3 port 22: No route to host\n");
  EXPECT_EQ(said.exit_code, 255);
  EXPECT_EQ(run(copy_to({.name = "node3"}, directory_ / "ssh")).exit_code, 255);
}

TEST_F(RemoteBySsh, a_file_arrives_whole_with_its_mode) {
  auto const path = directory_ / "it's a file";
  std::ofstream(path) << "one\ntwo\n";
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  auto const said = run(copy_to({.name = "node2", .ssh_port = 2222}, path));
  ASSERT_EQ(said.exit_code, 0) << said.output;
  auto const arrived = directory_ / "other" / path.relative_path();
  std::ifstream file(arrived);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "one\ntwo\n");
  EXPECT_EQ(std::filesystem::status(arrived).permissions(), std::filesystem::perms{0640});
  EXPECT_NE(asked().find("-p 2222 root@node2 "), std::string::npos) << asked();
}

}  // namespace
}  // namespace flotte::cli
