// For the tests of the node daemon only: a daemon below a directory of its own, its local socket,
// and a client over mutual TLS.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/paths.h"
#include "base/random.h"
#include "net/client.h"
#include "node/daemon/node_daemon.h"
#include "rpc/node_client.h"
#include "rpc/wire.h"

namespace flotte::node {

class TemporaryRoot {
 public:
  TemporaryRoot() {
    std::string pattern = std::filesystem::temp_directory_path() / "flotte-node-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryRoot() { std::filesystem::remove_all(path_); }
  TemporaryRoot(TemporaryRoot const&) = delete;
  TemporaryRoot& operator=(TemporaryRoot const&) = delete;

  std::string const& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string contents_of(std::string const& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr char test_uuid[] = "6ecb2d8f-3d8a-4a7b-9c3e-0123456789ab";

// One call through the local door.
inline Result<boost::json::value> call_locally(net::Client& local, std::string_view name,
                                               boost::json::object arguments) {
  net::Request request;
  request.method = "POST";
  request.target = std::string(rpc::call_path) + std::string(name);
  request.body = boost::json::serialize(boost::json::object{{"arguments", std::move(arguments)}});
  std::optional<Result<boost::json::value>> answer;
  auto const response = local.stream(request, std::chrono::seconds(30), [&](std::string_view line) {
    answer = rpc::read_answer_line(line);
    return true;
  });
  if (!response) return Failure(response.error());
  if (!response->is_success()) answer = rpc::read_answer_line(response->body);
  if (!answer) return fail(ErrorCode::InternalError, "no answer");
  return *answer;
}

class TestDaemon {
 public:
  explicit TestDaemon(Machinery machinery = {}) : machinery_(std::move(machinery)) {
    if (!machinery_.running_guests) {
      machinery_.running_guests = [] { return Result<std::vector<std::string>>({}); };
    }
    start();
  }
  explicit TestDaemon(std::function<Machinery(Paths const&)> make) : make_(std::move(make)) {
    start();
  }

  void start() {
    if (make_) machinery_ = make_(paths);
    auto made = NodeDaemon::create(paths, machinery_, clock, random);
    if (!made) throw std::runtime_error(made.error().message);
    daemon = std::move(*made);
    auto local_client = net::Client::create(net::UnixClientOptions{.path = paths.node_socket()});
    local = std::move(*local_client);
  }
  void stop() { daemon.reset(); }

  Result<boost::json::value> call_locally(std::string_view name, boost::json::object arguments) {
    return node::call_locally(*local, name, std::move(arguments));
  }

  static rpc::Bootstrap wish() {
    rpc::Bootstrap wish;
    wish.cluster_name = "c1.example.com";
    wish.node_uuid = NodeId(test_uuid);
    return wish;
  }
  Result<boost::json::value> bootstrap(rpc::Bootstrap const& wanted = wish()) {
    return call_locally(rpc::Bootstrap::name, schema::encode(wanted));
  }
  // As the controller knows it.
  model::Node node() const {
    model::Node node;
    node.uuid = NodeId(test_uuid);
    node.name = "node1.example.com";
    node.primary_ip = "127.0.0.1";
    node.port = daemon ? daemon->port() : last_port;
    return node;
  }

  TemporaryRoot root;
  Paths paths{root.path()};
  SystemClock clock;
  SeededRandom random{1};
  std::unique_ptr<NodeDaemon> daemon;
  std::unique_ptr<net::Client> local;
  std::int64_t last_port = 1;

 private:
  std::function<Machinery(Paths const&)> make_;  // empty: the same machinery for every daemon
  Machinery machinery_;
};

}  // namespace flotte::node
