#include "units/remote_transfer.h"

#include <gmock/gmock.h>

namespace flotte::units {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

opcodes::BackupExport sent() {
  opcodes::BackupExport op;
  op.mode = "remote";
  op.compress = "lzop";
  op.x509_key_name = json::array{"x509-1", "hmac", "salt"};
  op.destination_x509_ca = "signed";
  op.target_node = json::array{json::array{"192.0.2.1", 4000, "magic0", "h0", "s0"},
                               json::array{"192.0.2.1", "4001", "magic1", "h1", "s1"}};
  return op;
}

opcodes::InstanceCreate received() {
  opcodes::InstanceCreate op;
  op.mode = "remote-import";
  op.source_handshake = json::array{0, "hmac", "salt"};
  op.source_x509_ca = "signed";
  op.source_instance_name = "web1";
  return op;
}

template <class Op, class Read>
std::string why(Op op, Read read, void (*change)(Op&)) {
  change(op);
  auto const done = read(op);
  return done ? "" : done.error().message;
}

TEST(RemoteTransfer, says_where_disks_go) {
  auto const read = read_destination(sent());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->key_name, "x509-1");
  EXPECT_EQ(read->key_signature.hmac, "hmac");
  EXPECT_EQ(read->certificate, "signed");
  EXPECT_EQ(read->compress, "lzop");
  ASSERT_EQ(read->disks.size(), 2U);
  EXPECT_EQ(read->disks[1].host, "192.0.2.1");
  EXPECT_EQ(read->disks[0].port, 4000);
  EXPECT_EQ(read->disks[1].port, 4001);
  EXPECT_EQ(read->disks[1].magic, "magic1");
  EXPECT_EQ(read->disks[1].signature.salt, "s1");
}

TEST(RemoteTransfer, names_what_is_wrong_with_a_destination) {
  using Op = opcodes::BackupExport;
  EXPECT_THAT(why<Op>(sent(), read_destination, [](Op& op) { op.x509_key_name.reset(); }),
              HasSubstr("Missing X509 key name"));
  EXPECT_THAT(why<Op>(sent(), read_destination, [](Op& op) { op.destination_x509_ca.reset(); }),
              HasSubstr("Missing destination X509 CA"));
  for (auto* change : {+[](Op& op) { op.x509_key_name = json::array{"x509-1", "hmac"}; },
                       +[](Op& op) { op.x509_key_name = json::array{1, "hmac", "salt"}; }}) {
    EXPECT_THAT(why<Op>(sent(), read_destination, change),
                HasSubstr("Invalid data for X509 key name"));
  }
  EXPECT_THAT(why<Op>(sent(), read_destination, [](Op& op) { op.target_node = "node1"; }),
              HasSubstr("is a list with"));
  for (auto* change :
       {+[](Op& op) { op.target_node.get_array()[1] = "node1"; },
        +[](Op& op) { op.target_node.get_array()[1].get_array().pop_back(); },
        +[](Op& op) { op.target_node.get_array()[1].get_array()[0] = json::array(); },
        +[](Op& op) { op.target_node.get_array()[1].get_array()[4] = 7; }}) {
    EXPECT_THAT(why<Op>(sent(), read_destination, change),
                HasSubstr("Error in data for disk 1: Invalid data"));
  }
  // What is no port becomes one that nobody has; the node refuses it.
  auto op = sent();
  op.target_node.get_array()[0].get_array()[1] = "80x";
  EXPECT_EQ(read_destination(op)->disks[0].port, 0);
}

TEST(RemoteTransfer, names_what_is_wrong_with_a_source) {
  using Op = opcodes::InstanceCreate;
  EXPECT_TRUE(read_source(received()));
  EXPECT_THAT(why<Op>(received(), read_source, [](Op& op) { op.source_handshake.reset(); }),
              HasSubstr("Missing source handshake"));
  EXPECT_THAT(why<Op>(received(), read_source, [](Op& op) { op.source_x509_ca.reset(); }),
              HasSubstr("Missing source X509 CA"));
  EXPECT_THAT(why<Op>(received(), read_source, [](Op& op) { op.source_instance_name = ""; }),
              HasSubstr("Missing source instance name"));
  // It becomes part of a path.
  EXPECT_NE(why<Op>(received(), read_source, [](Op& op) { op.source_instance_name = "../x"; }), "");
  for (auto* change : {+[](Op& op) { op.source_handshake = json::array{}; },
                       +[](Op& op) { op.source_handshake = json::array{"0", "hmac", "salt"}; },
                       +[](Op& op) { op.source_handshake = json::array{0, "hmac"}; }}) {
    EXPECT_THAT(why<Op>(received(), read_source, change), HasSubstr("Invalid handshake"));
  }
}

}  // namespace
}  // namespace flotte::units
