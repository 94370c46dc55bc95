#include "net/peer_stream.h"

#include <gmock/gmock.h>

#include <future>

#include "net/certificates.h"
#include "net/test_support.h"

namespace flotte::net {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

WallTime today() {
  return WallTime(std::chrono::system_clock::now().time_since_epoch());
}

CertifiedKey new_key() {
  return *make_self_signed_rsa({.common_name = "node1", .names = {"127.0.0.1"}}, today(), Days(1));
}

// Keys take their time.
CertifiedKey const& key(std::size_t number) {
  static std::vector<CertifiedKey> const made{new_key(), new_key(), new_key()};
  return made.at(number);
}

bool always() {
  return true;
}

class PeerStreams : public testing::Test {
 protected:
  // The one who listens has key 0 and waits for key 1.
  PeerStreams() {
    accepted_ = std::async(std::launch::async, [this] {
      return listener_->accept(20s, [this] { return goes_on_.load(); });
    });
  }
  ~PeerStreams() override { goes_on_ = false; }

  auto connect(std::size_t own, std::size_t peer) {
    return connect_to_peer({"127.0.0.1", listener_->port()},
                           {key(own).pem(), key(peer).certificate_pem}, 10s, always);
  }
  std::unique_ptr<PeerStream> accepted() {
    auto stream = accepted_.get();
    EXPECT_TRUE(stream) << stream.error().message;
    return stream ? std::move(*stream) : nullptr;
  }

  std::atomic<bool> goes_on_ = true;
  std::unique_ptr<PeerListener> listener_ =
      *PeerListener::open("127.0.0.1", {key(0).pem(), key(1).certificate_pem});
  std::future<Result<std::unique_ptr<PeerStream>>> accepted_;
};

Result<std::string> read_all(PeerStream& stream) {
  std::string all;
  std::vector<char> room(100 * 1024);
  for (;;) {
    auto const count = TRY(stream.read(room, always));
    if (count == 0) return all;
    all.append(room.data(), count);
  }
}

TEST_F(PeerStreams, carry_what_is_written_to_the_end) {
  auto const sender = *connect(1, 0);
  auto const receiver = accepted();
  std::string sent;
  for (int i = 0; sent.size() < 5'000'000; ++i) sent += std::to_string(i);
  auto read = std::async(std::launch::async, [&] { return read_all(*receiver); });
  EXPECT_TRUE(sender->write(sent, always));
  sender->end_writing();
  auto const got = read.get();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, sent);
  // The other way is still open.
  EXPECT_TRUE(receiver->write("stored", always));
  receiver->end_writing();
  EXPECT_EQ(*read_all(*sender), "stored");
}

TEST_F(PeerStreams, that_are_cut_off_have_no_end) {
  auto sender = *connect(1, 0);
  auto const receiver = accepted();
  EXPECT_TRUE(sender->write("half", always));
  sender.reset();
  auto const got = read_all(*receiver);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("the connection was closed"));
}

TEST_F(PeerStreams, send_others_away_and_wait_for_the_right_one) {
  auto const scanner = RawClient(listener_->port());
  scanner.send("GET / HTTP/1.0\r\n\r\n");
  auto stranger = connect(2, 0);
  // With TLS 1.3 whoever connects is told at the first reading.
  if (stranger) {
    EXPECT_FALSE(read_all(**stranger));
  }
  auto const sender = *connect(1, 0);
  EXPECT_TRUE(sender->write("x", always));
  sender->end_writing();
  EXPECT_EQ(*read_all(*accepted()), "x");
}

TEST_F(PeerStreams, refuse_another_server) {
  auto const stream = connect(1, 2);
  ASSERT_FALSE(stream);
  EXPECT_THAT(stream.error().message, HasSubstr("TLS verification failed"));
}

TEST_F(PeerStreams, end_when_they_are_given_up) {
  goes_on_ = false;
  EXPECT_FALSE(accepted_.get());
}

TEST(PeerStream, waits_for_nobody_for_ever) {
  auto const listener = *PeerListener::open("127.0.0.1", {key(0).pem(), key(1).certificate_pem});
  auto const nobody = listener->accept(300ms, always);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().message, "nobody connected in time");
}

TEST(PeerStream, is_not_made_of_rubbish) {
  EXPECT_FALSE(PeerListener::open("127.0.0.1", {"", key(1).certificate_pem}));
  EXPECT_FALSE(PeerListener::open("127.0.0.1", {key(0).certificate_pem, key(1).certificate_pem}));
  EXPECT_FALSE(PeerListener::open("127.0.0.1", {key(0).pem(), ""}));
  EXPECT_FALSE(PeerListener::open("nowhere", {key(0).pem(), key(1).certificate_pem}));
}

}  // namespace
}  // namespace flotte::net
