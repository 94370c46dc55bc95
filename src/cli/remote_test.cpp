#include "cli/remote.h"

#include <gtest/gtest.h>

namespace flotte::cli {
namespace {

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

}  // namespace
}  // namespace flotte::cli
