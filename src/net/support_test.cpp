#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "net/test_support.h"

namespace flotte::net {
namespace {

void limit_waits(int socket) {
  timeval const longest{.tv_sec = 30, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : path_("/tmp/flotte-net-XXXXXX") {
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::filesystem::remove_all(path_);
}

std::string TemporaryDirectory::write(std::string const& name, std::string_view contents) const {
  std::ofstream(path(name)) << contents;
  chmod(path(name).c_str(), 0600);
  return path(name);
}

void echo(Request const& request, Responder& responder) {
  std::string query;
  for (auto const& [key, value] : request.query) query += key + "=" + value + ";";
  auto const sent = responder.send({.content_type = request.content_type,
                                    .headers = {{"X-Path", request.path},
                                                {"X-Query", query},
                                                {"X-Uid", std::to_string(request.peer.uid)},
                                                {"X-Pid", std::to_string(request.peer.pid)},
                                                {"X-Name", request.peer.certificate_name},
                                                {"X-Sha1", request.peer.certificate_sha1}},
                                    .body = request.body});
  EXPECT_TRUE(sent || responder.client_gone());
}

RawClient::RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  limit_waits(socket_.number());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

RawClient::RawClient(std::string const& unix_path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  limit_waits(socket_.number());
  auto const address = unix_address(unix_path);
  EXPECT_EQ(::connect(socket_.number(), reinterpret_cast<sockaddr const*>(&address->address),
                      sizeof address->address),
            0);
}

// The server may close in the middle: that is the point of some tests.
void RawClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    auto const count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void RawClient::end_writing() const {
  ::shutdown(socket_.number(), SHUT_WR);
}

std::string RawClient::receive_some() const {
  std::array<char, 64 * 1024> bytes;
  auto const count = ::recv(socket_.number(), bytes.data(), bytes.size(), 0);
  return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : "";
}

std::string RawClient::receive_all() const {
  std::string all;
  for (auto piece = receive_some(); !piece.empty(); piece = receive_some()) all += piece;
  return all;
}

std::string raw_exchange(std::uint16_t port, std::string_view bytes, Ending ending) {
  auto const client = RawClient(port);
  client.send(bytes);
  if (ending == Ending::Close) client.end_writing();
  return client.receive_all();
}

void make_stale_socket(std::string const& path) {
  Descriptor const socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  auto const address = unix_address(path);
  EXPECT_EQ(::bind(socket.number(), reinterpret_cast<sockaddr const*>(&address->address),
                   sizeof address->address),
            0);
}

}  // namespace flotte::net
