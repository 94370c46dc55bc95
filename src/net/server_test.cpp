#include "net/server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "net/client.h"
#include "net/test_support.h"

namespace flotte::net {
namespace {

using namespace std::chrono_literals;

TEST(UnixServer, answers_and_knows_who_asks) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = Server::create({.unix_socket = UnixListen{.path = path}}, echo);
  ASSERT_TRUE(server) << server.error().message;
  auto client = Client::create(UnixClientOptions{.path = path});
  ASSERT_TRUE(client);

  auto const answer = (*client)->request({.method = "POST",
                                          .target = "/2/a%20b?x=1&x=2&y=%2B+z",
                                          .content_type = "text/plain",
                                          .body = "hello"},
                                         10s);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(answer->header("x-path"), "/2/a b");
  EXPECT_EQ(answer->header("X-Query"), "x=1;x=2;y=+ z;");
  EXPECT_EQ(answer->header("X-Uid"), std::to_string(getuid()));
  EXPECT_EQ(answer->header("X-Pid"), std::to_string(getpid()));
  EXPECT_EQ(answer->body, "hello");
}

TEST(UnixServer, its_own_refusals_have_the_form_and_headers_of_its_answers) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = Server::create({.unix_socket = UnixListen{.path = path},
                                .headers = {{"Server", "Ours"}},
                                .refusal =
                                    [](unsigned status, std::string_view text) {
                                      return Response{.status = status,
                                                      .headers = {{"X-Why", "it"}},
                                                      .body = fmt::format("<{}>", text)};
                                    }},
                               echo);
  ASSERT_TRUE(server) << server.error().message;
  RawClient client(path);
  client.send("no HTTP\r\n\r\n");
  auto const all = client.receive_all();
  EXPECT_EQ(all.find("HTTP/1.1 400 "), 0U) << all;
  for (auto const* part :
       {"Content-Type: application/json\r\n", "X-Why: it\r\n", "Server: Ours\r\n", "\r\n\r\n<"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << all;
  }
}

// What is handed over counts in none of the server's bounds, and no thread waits for its client.
TEST(UnixServer, streams_that_are_handed_over) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::mutex mutex;
  std::vector<std::unique_ptr<Stream>> streams;
  auto server = Server::create({.unix_socket = UnixListen{.path = path}, .connections_max = 2},
                               [&](Request const& request, Responder& responder) {
                                 if (request.path != "/stream") return echo(request, responder);
                                 // Before the next client is let go: they keep their order.
                                 std::lock_guard const lock(mutex);
                                 auto stream = responder.hand_over(200, "text/plain");
                                 ASSERT_TRUE(stream) << stream.error().message;
                                 EXPECT_FALSE(responder.send({}));
                                 streams.push_back(*std::move(stream));
                               });
  ASSERT_TRUE(server) << server.error().message;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(path));
    clients.back()->send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(clients.back()->receive_some().find("Connection: close"), std::string::npos);
  }
  auto const answer = (*Client::create(UnixClientOptions{.path = path}))->request({}, 10s);
  ASSERT_TRUE(answer) << answer.error().message;
  // The head of an answer comes before its connection is given away.
  for (auto count = std::size_t{0}; count < 3; std::this_thread::yield()) {
    std::lock_guard const lock(mutex);
    count = streams.size();
  }
  server->reset();  // no more of its threads has them

  EXPECT_FALSE(streams[0]->is_client_gone());
  clients[0].reset();
  EXPECT_TRUE(streams[0]->is_client_gone());
  streams[0]->write("nobody");
  EXPECT_FALSE(streams[0]->flush());

  streams[1]->write("one");
  streams[1]->write("two");
  streams[1]->finish();
  EXPECT_TRUE(streams[1]->flush());
  EXPECT_EQ(streams[1]->unsent_bytes(), 0U);
  EXPECT_EQ(clients[1]->receive_all(), "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");

  // More than the sockets hold: what does not leave stays.
  std::string const large(8 * 1024 * 1024, 'x');
  streams[2]->write(large);
  EXPECT_TRUE(streams[2]->flush());
  EXPECT_GT(streams[2]->unsent_bytes(), 0U);
  std::string got;
  while (streams[2]->unsent_bytes() > 0) {
    got += clients[2]->receive_some();
    ASSERT_TRUE(streams[2]->flush());
  }
  streams[2].reset();
  got += clients[2]->receive_all();
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(got, 'x')), large.size());
}

TEST(UnixServer, keeps_the_connection) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::mutex mutex;
  std::set<std::thread::id> threads;
  auto server = Server::create({.unix_socket = UnixListen{.path = path}},
                               [&](Request const&, Responder& responder) {
                                 std::lock_guard const lock(mutex);
                                 threads.insert(std::this_thread::get_id());
                                 static_cast<void>(responder.send({}));
                               });
  auto client = *Client::create(UnixClientOptions{.path = path});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client->request({}, 10s));
  EXPECT_EQ(threads.size(), 1U);
}

TEST(UnixServer, has_the_mode_asked_for) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = Server::create(
      {.unix_socket = UnixListen{.path = path, .mode = 0660, .group = "no-such-group"}}, echo);
  ASSERT_TRUE(server);
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660U);
}

TEST(UnixServer, replaces_a_stale_file_only) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  UnixListen const listen{.path = path};
  make_stale_socket(path);
  auto first = Server::create({.unix_socket = listen}, echo);
  ASSERT_TRUE(first) << first.error().message;

  auto const second = Server::create({.unix_socket = listen}, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::AlreadyExists);
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_TRUE(client->request({}, 10s));

  (*first)->stop();
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "precious";
  EXPECT_FALSE(Server::create({.unix_socket = listen}, echo));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(UnixServer, takes_away_its_own_file_only) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto first = *Server::create({.unix_socket = UnixListen{.path = path}}, echo);
  std::filesystem::remove(path);
  auto second = *Server::create({.unix_socket = UnixListen{.path = path}}, echo);
  first->stop();
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_TRUE(client->request({}, 10s));
}

TEST(UnixServer, may_have_a_long_path) {
  auto const directory = TemporaryDirectory();
  auto const deep = directory.path(std::string(60, 'a') + "/" + std::string(60, 'b'));
  std::filesystem::create_directories(deep);
  auto server = Server::create({.unix_socket = UnixListen{.path = deep + "/socket"}}, echo);
  ASSERT_TRUE(server) << server.error().message;
  auto client = *Client::create(UnixClientOptions{.path = deep + "/socket"});
  EXPECT_TRUE(client->request({}, 10s));
}

TEST(Server, needs_an_address) {
  EXPECT_FALSE(Server::create({}, echo));
  EXPECT_FALSE(Server::create({.tcp = TcpListen{.address = "localhost"}}, echo));
}

TEST(Server, starts_again_on_its_port) {
  auto first = *Server::create({.tcp = TcpListen{}}, echo);
  auto const port = first->port();
  EXPECT_NE(port, 0);
  EXPECT_EQ(raw_exchange(port, "GET / HTTP/1.1\r\n\r\n", Ending::Close).substr(0, 12),
            "HTTP/1.1 200");
  first->stop();
  auto second = Server::create({.tcp = TcpListen{.port = port}}, echo);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ((*second)->port(), port);
}

TEST(Server, streams_line_by_line) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::mutex mutex;
  std::condition_variable condition;
  int seen = 0;
  // Each line is written only when the one before has been seen at the other end.
  auto const handler = [&](Request const&, Responder& responder) {
    ASSERT_TRUE(responder.start_stream(200, "application/json"));
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(responder.write(fmt::format("{{\"line\":{}}}\n", i)));
      std::unique_lock lock(mutex);
      ASSERT_TRUE(condition.wait_for(lock, 10s, [&] { return seen == i + 1; }));
    }
    ASSERT_TRUE(responder.write("un"));
    ASSERT_TRUE(responder.write("finished\n\nlast"));
    ASSERT_TRUE(responder.finish());
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  std::vector<std::string> lines;
  auto const answer = client->stream({}, 20s, [&](std::string_view line) {
    lines.emplace_back(line);
    std::lock_guard const lock(mutex);
    ++seen;
    condition.notify_all();
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "");
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[4], "{\"line\":4}");
  EXPECT_EQ(lines[5], "unfinished");
  EXPECT_EQ(lines[6], "");
  EXPECT_EQ(lines[7], "last");
}

TEST(Server, tells_a_handler_that_the_client_left) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::latch noticed(1);
  auto const handler = [&](Request const&, Responder& responder) {
    static_cast<void>(responder.start_stream(200, "text/plain"));
    static_cast<void>(responder.write("one\n"));
    while (!responder.client_gone()) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(responder.write("two\n"));
    noticed.count_down();
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const answer = client->stream({}, 10s, [](std::string_view) { return false; });
  EXPECT_TRUE(answer);
  noticed.wait();
}

TEST(Server, stops_while_a_handler_streams) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::latch started(1);
  auto const handler = [&](Request const&, Responder& responder) {
    static_cast<void>(responder.start_stream(200, "text/plain"));
    started.count_down();
    while (responder.write("more\n")) {
    }
    EXPECT_TRUE(responder.client_gone());
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  // Connects, asks, and never reads: the handler ends up blocked in write().
  auto const client = RawClient(path);
  client.send("GET / HTTP/1.1\r\n\r\n");
  started.wait();
  std::this_thread::sleep_for(50ms);
  server->stop();
}

TEST(Server, cuts_off_what_was_not_finished) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto const handler = [](Request const& request, Responder& responder) {
    if (request.path == "/nothing") return;
    if (request.path == "/throws") throw std::runtime_error("oops");
    static_cast<void>(responder.start_stream(200, "text/plain"));
    static_cast<void>(responder.write("half"));
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_EQ(client->request({.target = "/nothing"}, 10s)->status, 500U);
  EXPECT_EQ(client->request({.target = "/throws"}, 10s)->status, 500U);
  auto const answer = client->request({.target = "/half"}, 10s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error_class, ErrorClass::Unreachable);
  EXPECT_FALSE(answer.error().not_attempted);
}

TEST(Server, refuses_what_would_split_an_answer) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto const handler = [](Request const&, Responder& responder) {
    EXPECT_FALSE(responder.send({.headers = {{"Location", "/a\r\nSet-Cookie: b"}}}));
    EXPECT_TRUE(responder.send({.status = 204}));
    EXPECT_FALSE(responder.send({}));
    EXPECT_FALSE(responder.write("more"));
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_EQ(client->request({}, 10s)->status, 204U);
}

TEST(Server, serves_many_clients_at_once) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, echo);
  auto client = *Client::create(UnixClientOptions{.path = path});
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 25; ++j) {
        auto const body = std::string(static_cast<std::size_t>(1 + i * 100), 'x');
        auto const answer = client->request({.method = "POST", .body = body}, 30s);
        if (answer && answer->body == body) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 1000);
}

TEST(Server, makes_room_by_ending_idle_connections) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = *Server::create(
      {.unix_socket = UnixListen{.path = path}, .connections_max = 4, .header_timeout = 60s}, echo);
  std::vector<RawClient> idlers;
  for (int i = 0; i < 10; ++i) idlers.emplace_back(path);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const answer = client->request({}, 20s);
  EXPECT_TRUE(answer) << answer.error().message;
}

TEST(Server, makes_no_room_by_ending_a_connection_that_is_being_answered) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::latch begun(1);
  std::latch goes_on(1);
  auto server = *Server::create(
      {.unix_socket = UnixListen{.path = path}, .connections_max = 2, .header_timeout = 60s},
      [&](Request const& request, Responder& responder) {
        if (request.path == "/slow") {
          begun.count_down();
          goes_on.wait();
        }
        static_cast<void>(responder.send({.body = request.path}));
      });
  auto const busy = RawClient(path);
  busy.send("GET /slow HTTP/1.1\r\n\r\n");
  begun.wait();
  auto const idler = RawClient(path);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const answer = client->request({}, 10s);
  EXPECT_TRUE(answer) << answer.error().message;
  goes_on.count_down();
  EXPECT_TRUE(busy.receive_some().ends_with("/slow"));
}

TEST(Server, ends_connections_from_before_when_they_rest) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::latch begun(1);
  std::latch goes_on(1);
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}},
                                [&](Request const& request, Responder& responder) {
                                  if (request.path == "/slow") {
                                    begun.count_down();
                                    goes_on.wait();
                                  }
                                  static_cast<void>(responder.send({.body = request.path}));
                                });
  auto const idle = RawClient(path);
  idle.send("GET /idle HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(idle.receive_some().ends_with("/idle"));
  auto const busy = RawClient(path);
  busy.send("GET /slow HTTP/1.1\r\n\r\n");
  begun.wait();
  auto const fresh = RawClient(path);
  auto client = *Client::create(UnixClientOptions{.path = path});
  ASSERT_TRUE(client->request({}, 10s)) << "all are known to the server";

  server->end_older_connections();
  EXPECT_EQ(idle.receive_all(), "");
  auto const later = client->request({}, 10s);
  EXPECT_TRUE(later) << later.error().message;
  goes_on.count_down();
  EXPECT_TRUE(busy.receive_all().ends_with("/slow")) << "answered, then ended";
  fresh.send("GET /fresh HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(fresh.receive_all().ends_with("/fresh")) << "answered once";
}

TEST(Server, takes_a_large_body_both_ways) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, echo);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const body = std::string(16 * 1024 * 1024, 'b');
  auto const answer = client->request({.method = "PUT", .body = body}, 60s);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->body == body);
  auto const refused = client->request({.method = "PUT", .body = body + "b"}, 60s);
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->status, 413U);
}

// What a hostile or broken client sends, and the status it gets; 0: the connection just ends.
struct Malformed {
  char const* name;
  std::string bytes;
  int status;
};

class HostileClient : public testing::TestWithParam<Malformed> {};

TEST_P(HostileClient, is_refused) {
  auto server = *Server::create({.tcp = TcpListen{},
                                 .body_bytes_max = 1000,
                                 .idle_timeout = 300ms,
                                 .header_timeout = 300ms,
                                 .body_timeout = 300ms},
                                echo);
  auto const answer = raw_exchange(server->port(), GetParam().bytes, Ending::KeepOpen);
  auto const status = answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
  EXPECT_EQ(status, GetParam().status) << answer;
  // And the server still lives.
  EXPECT_EQ(raw_exchange(server->port(), "GET / HTTP/1.1\r\n\r\n", Ending::Close).substr(9, 3),
            "200");
}

std::string const get = "GET / HTTP/1.1\r\n";
std::string const post_chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Requests, HostileClient,
    testing::Values(
        Malformed{"silence", "", 0}, Malformed{"half_line", "GET / HT", 408},
        Malformed{"half_header", get + "Host: x\r\n", 408},
        Malformed{"half_body", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", 408},
        Malformed{"binary", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
        Malformed{"empty_lines", "\r\n\r\n\r\n\r\n", 400},
        Malformed{"no_version", "GET /\r\n\r\n", 400},
        Malformed{"version_2", "GET / HTTP/2.0\r\n\r\n", 505},
        Malformed{"absolute_target", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
        Malformed{"asterisk", "OPTIONS * HTTP/1.1\r\n\r\n", 400},
        Malformed{"nul_in_path", "GET /a%00b HTTP/1.1\r\n\r\n", 400},
        Malformed{"broken_escape", "GET /a%2 HTTP/1.1\r\n\r\n", 400},
        Malformed{"broken_query", "GET /a?b=%zz HTTP/1.1\r\n\r\n", 400},
        Malformed{"space_before_colon", get + "Host : x\r\n\r\n", 400},
        Malformed{"nul_in_header", get + std::string("A: b\0c\r\n\r\n", 10), 400},
        Malformed{"long_target", "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n", 431},
        Malformed{"long_header", get + "A: " + std::string(20'000, 'a') + "\r\n\r\n", 431},
        Malformed{"endless_header_line", get + "A: " + std::string(100'000, 'a'), 431},
        Malformed{"many_headers",
                  get +
                      [] {
                        std::string text;
                        for (int i = 0; i < 3000; ++i) text += "A: b\r\n";
                        return text;
                      }(),
                  431},
        Malformed{"large_body", "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
        Malformed{"huge_length", "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                  400},
        Malformed{"negative_length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        Malformed{"two_lengths",
                  "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        Malformed{
            "length_and_chunks",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
        Malformed{"large_chunk", post_chunked + "3e9\r\n", 413},
        Malformed{"huge_chunk", post_chunked + "ffffffffffffffff\r\n", 413},
        Malformed{"bad_chunk", post_chunked + "xyz\r\n", 400},
        Malformed{"half_last_chunk", post_chunked + "0\r\n\r", 408},
        Malformed{"endless_chunk_extension", post_chunked + "1;" + std::string(30'000, 'a'), 400}),
    [](auto const& test) { return test.param.name; });

// A body has its time as a whole, however busily it comes.
TEST(Server, gives_up_a_body_that_comes_byte_by_byte) {
  auto server = *Server::create({.tcp = TcpListen{}, .body_timeout = 300ms}, echo);
  auto const client = RawClient(server->port());
  constexpr int bytes = 200;
  client.send(fmt::format("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", bytes));
  for (int i = 0; i < bytes; ++i) {
    client.send("x");
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(client.receive_some().substr(0, 12), "HTTP/1.1 408");
}

// A client that reads nothing costs a slot for as long as write_timeout, not for ever.
TEST(Server, gives_up_a_client_that_does_not_read_its_answer) {
  std::promise<Result<void>> written;
  auto server = *Server::create({.tcp = TcpListen{}, .write_timeout = 300ms},
                                [&](Request const&, Responder& responder) {
                                  EXPECT_TRUE(responder.start_stream(200, "text/plain"));
                                  std::string const piece(1 << 20, 'x');
                                  Result<void> last;
                                  for (int i = 0; i < 1000 && last; ++i)
                                    last = responder.write(piece);
                                  written.set_value(last);
                                });
  auto const client = RawClient(server->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  auto const outcome = written.get_future().get();
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message.find("The client can't be answered"), std::string::npos);
}

TEST(Server, takes_the_last_chunk_byte_by_byte) {
  auto server = *Server::create({.tcp = TcpListen{}}, echo);
  auto const client = RawClient(server->port());
  for (char const byte : post_chunked + "3\r\nabc\r\n0\r\nContent-Type: evil/trailer\r\n\r\n") {
    client.send(std::string(1, byte));
    std::this_thread::sleep_for(200us);
  }
  client.end_writing();
  auto const answer = client.receive_all();
  EXPECT_NE(answer.find("\r\n\r\nabc"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("evil"), std::string::npos) << answer;
}

TEST(Server, answers_pipelined_requests_in_order) {
  auto server = *Server::create({.tcp = TcpListen{}}, echo);
  auto const answer = raw_exchange(
      server->port(), "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n",
      Ending::KeepOpen);
  EXPECT_LT(answer.find("X-Path: /a"), answer.find("X-Path: /b"));
  EXPECT_NE(answer.find("X-Path: /b"), std::string::npos);
}

TEST(Server, asks_a_waiting_client_for_its_body) {
  auto server = *Server::create({.tcp = TcpListen{}}, echo);
  auto const client = RawClient(server->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive_some().substr(0, 21), "HTTP/1.1 100 Continue");
  client.send("ok");
  EXPECT_EQ(client.receive_some().substr(0, 12), "HTTP/1.1 200");
}

TEST(Server, streams_to_http_1_0_without_chunks) {
  auto server = *Server::create({.tcp = TcpListen{}}, [](Request const&, Responder& responder) {
    EXPECT_TRUE(responder.start_stream(200, "text/plain"));
    EXPECT_TRUE(responder.write("plain"));
    EXPECT_TRUE(responder.finish());
  });
  auto const answer = raw_exchange(server->port(), "GET / HTTP/1.0\r\n\r\n", Ending::KeepOpen);
  EXPECT_TRUE(answer.ends_with("Connection: close\r\n\r\nplain")) << answer;
}

}  // namespace
}  // namespace flotte::net
