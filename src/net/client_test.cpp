#include "net/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "net/certificates.h"
#include "net/server.h"
#include "net/test_support.h"

namespace flotte::net {
namespace {

using namespace std::chrono_literals;

// A cluster's authority, a node that serves and a controller that asks; and strangers.
class Tls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto const now = SystemClock().wall();
    auto const authority = *make_authority("cluster", now);
    auto const stranger = *make_authority("cluster", now);
    directory_ = new TemporaryDirectory();
    directory_->write("ca.pem", authority.certificate_pem);
    directory_->write("strange-ca.pem", stranger.certificate_pem);
    auto const make = [&](std::string const& file, CertifiedKey const& by, Subject const& subject,
                          WallTime when) {
      directory_->write(file, issue_certificate(by, subject, when, Days(10))->pem());
    };
    make("node.pem", authority, {.common_name = "node1", .names = {"node1.example.com"}}, now);
    make("controller.pem", authority, {.common_name = "controller"}, now);
    make("strange.pem", stranger, {.common_name = "controller"}, now);
    make("expired.pem", authority, {.common_name = "controller"}, now - Days(100));
  }
  static void TearDownTestSuite() { delete directory_; }

  static std::string file(std::string const& name) { return directory_->path(name); }

  static std::unique_ptr<Server> serve(Handler handler = echo,
                                       std::string const& certificate = "node.pem") {
    TlsServerOptions const tls{.certificate_file = file(certificate), .ca_file = file("ca.pem")};
    auto server = Server::create({.tcp = TcpListen{.tls = tls}}, std::move(handler));
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
  }

  static TlsClientOptions options(Server const& server) {
    return {.host = "127.0.0.1",
            .port = server.port(),
            .certificate_file = file("controller.pem"),
            .ca_file = file("ca.pem"),
            .expected_name = "node1"};
  }

  static void expect_refusal(TlsClientOptions const& options, std::string_view why) {
    auto client = Client::create(options);
    ASSERT_TRUE(client) << client.error().message;
    auto const answer = (*client)->request({}, 10s);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().error_class, ErrorClass::Unreachable);
    EXPECT_TRUE(answer.error().not_attempted);
    EXPECT_NE(answer.error().message.find(why), std::string::npos) << answer.error().message;
    EXPECT_NE(answer.error().message.find("127.0.0.1:"), std::string::npos);
  }

  static TemporaryDirectory* directory_;
};
TemporaryDirectory* Tls::directory_ = nullptr;

TEST_F(Tls, answers_and_knows_who_asks) {
  auto const server = serve();
  auto client = *Client::create(options(*server));
  for (int i = 0; i < 3; ++i) {
    auto const body = std::string(static_cast<std::size_t>(i) * 300'000, 'x');
    auto const answer = client->request({.method = "POST", .body = body}, 10s);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->body == body);
    EXPECT_EQ(answer->header("X-Name"), "controller");
    EXPECT_EQ(answer->header("X-Sha1").size(), 40U);
  }
}

TEST_F(Tls, finds_the_server_by_its_other_name) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.expected_name = "NODE1.example.com";
  EXPECT_TRUE((*Client::create(chosen))->request({}, 10s));
}

TEST_F(Tls, streams) {
  auto const server = serve([](Request const&, Responder& responder) {
    EXPECT_TRUE(responder.start_stream(200, "application/json"));
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(responder.write(fmt::format("{}\n", i)));
    EXPECT_TRUE(responder.finish());
  });
  auto client = *Client::create(options(*server));
  int next = 0;
  auto const answer = client->stream({}, 10s, [&](std::string_view line) {
    EXPECT_EQ(line, std::to_string(next++));
    return true;
  });
  EXPECT_TRUE(answer);
  EXPECT_EQ(next, 100);
  EXPECT_TRUE(client->stream({}, 10s, [](std::string_view) { return true; }));
}

TEST_F(Tls, refuses_a_client_without_certificate) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.certificate_file.clear();
  expect_refusal(chosen, "certificate required");
}

TEST_F(Tls, refuses_a_client_of_another_authority) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.certificate_file = file("strange.pem");
  expect_refusal(chosen, "refused TLS");
}

TEST_F(Tls, refuses_an_expired_client) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.certificate_file = file("expired.pem");
  expect_refusal(chosen, "certificate expired");
}

TEST_F(Tls, refuses_a_server_of_another_authority) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.ca_file = file("strange-ca.pem");
  expect_refusal(chosen, "TLS verification failed: unable to get local issuer certificate");
}

TEST_F(Tls, refuses_an_expired_server) {
  auto const server = serve(echo, "expired.pem");
  expect_refusal(options(*server), "TLS verification failed: certificate has expired");
}

TEST_F(Tls, refuses_a_server_of_another_name) {
  auto const server = serve();
  auto chosen = options(*server);
  chosen.expected_name = "node2";
  expect_refusal(chosen, "the certificate is of 'node1', expected 'node2'");
}

// As Ganeti's rapi.pem is given to programs: with or without its key, under whatever name it is
// reached; or the authority that signed it.
TEST_F(Tls, takes_any_name_where_the_file_vouches_for_the_certificate) {
  auto const now = SystemClock().wall();
  auto const own = *make_self_signed_rsa({.common_name = "ganeti.example.com"}, now, Days(10));
  directory_->write("rapi.pem", own.pem());
  directory_->write("rapi.crt", own.certificate_pem);
  auto const other = *make_self_signed_rsa({.common_name = "ganeti.example.com"}, now, Days(10));
  directory_->write("other.pem", other.pem());
  auto const node = std::ifstream(file("node.pem"));
  std::stringstream text;
  text << node.rdbuf();
  directory_->write("node.crt", text.str().substr(text.str().find("-----BEGIN CERT")));

  auto const serve_open = [&](std::string const& certificate) {
    TlsServerOptions const tls{.certificate_file = file(certificate),
                               .client_certificate = ClientCertificate::None};
    return *Server::create({.tcp = TcpListen{.tls = tls}}, echo);
  };
  auto const trusting = [&](Server const& server, std::string const& ca_file) {
    return TlsClientOptions{.host = "127.0.0.1",
                            .port = server.port(),
                            .ca_file = file(ca_file),
                            .takes_any_name = true};
  };
  auto const self_signed = serve_open("rapi.pem");
  auto const issued = serve_open("node.pem");
  for (auto const& [server, ca_file] : {std::pair{self_signed.get(), "rapi.pem"},
                                        {self_signed.get(), "rapi.crt"},
                                        {issued.get(), "ca.pem"},
                                        {issued.get(), "node.crt"}}) {
    auto const answer = (*Client::create(trusting(*server, ca_file)))->request({}, 10s);
    EXPECT_TRUE(answer) << ca_file << ": " << answer.error().message;
  }
  expect_refusal(trusting(*self_signed, "other.pem"), "TLS verification failed");
  expect_refusal(trusting(*self_signed, "ca.pem"), "TLS verification failed");
  expect_refusal(trusting(*issued, "strange-ca.pem"), "TLS verification failed");
  expect_refusal(trusting(*serve_open("expired.pem"), "ca.pem"), "certificate has expired");
}

TEST_F(Tls, refuses_a_server_without_tls) {
  auto server = *Server::create({.tcp = TcpListen{}}, echo);
  expect_refusal(options(*server), "TLS failed: wrong version number");
}

TEST_F(Tls, needs_files_that_exist) {
  auto const no_server =
      Server::create({.tcp = TcpListen{.tls = TlsServerOptions{.certificate_file = file("none.pem"),
                                                               .ca_file = file("ca.pem")}}},
                     echo);
  ASSERT_FALSE(no_server);
  EXPECT_NE(no_server.error().message.find("none.pem"), std::string::npos);
  EXPECT_FALSE(Client::create(TlsClientOptions{
      .host = "::1", .port = 1, .ca_file = file("none.pem"), .expected_name = "node1"}));
  EXPECT_FALSE(Client::create(
      TlsClientOptions{.host = "::1", .port = 1, .ca_file = file("ca.pem"), .expected_name = ""}));
}

TEST_F(Tls, a_certificate_that_is_renewed_is_shown_to_newcomers_and_cuts_nobody_off) {
  auto const own = file("renewed.pem");
  auto const copy = [&](std::string const& from) {
    std::filesystem::copy_file(file(from), own, std::filesystem::copy_options::overwrite_existing);
  };
  copy("node.pem");
  auto server = serve(echo, "renewed.pem");
  auto const early = *Client::create(options(*server));
  ASSERT_TRUE(early->request({}, 10s));
  // Of another authority: who trusts the first one's does not come in any more.
  copy("strange.pem");
  ASSERT_TRUE(server->renew_certificate());
  EXPECT_TRUE(early->request({}, 10s)) << "its connection is the old one";
  auto const late = *Client::create(options(*server));
  EXPECT_FALSE(late->request({}, 10s));
  // What is no certificate changes nothing.
  std::ofstream(own) << "nothing";
  EXPECT_FALSE(server->renew_certificate());
  std::filesystem::remove(own);
  auto const gone = server->renew_certificate();
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("renewed.pem: No such file"), std::string::npos);
  copy("node.pem");
  ASSERT_TRUE(server->renew_certificate());
  EXPECT_TRUE(late->request({}, 10s));
}

TEST_F(Tls, lets_browsers_in_without_certificate_where_none_is_required) {
  TlsServerOptions const tls{.certificate_file = file("node.pem"),
                             .client_certificate = ClientCertificate::None};
  auto server = *Server::create({.tcp = TcpListen{.tls = tls}}, echo);
  auto chosen = options(*server);
  chosen.certificate_file.clear();
  auto const answer = (*Client::create(chosen))->request({}, 10s);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->header("X-Name"), "");
}

TEST_F(Tls, ends_a_handshake_that_takes_too_long) {
  TlsServerOptions const tls{.certificate_file = file("node.pem"), .ca_file = file("ca.pem")};
  auto server = *Server::create({.tcp = TcpListen{.tls = tls}, .header_timeout = 200ms}, echo);
  EXPECT_EQ(raw_exchange(server->port(), "\x16\x03\x01", Ending::KeepOpen), "");
}

TEST_F(Tls, is_used_by_many_threads) {
  auto const server = serve();
  auto client = *Client::create(options(*server));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) good += client->request({}, 30s) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 320);
}

TEST(Client, tells_that_nobody_listens) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const absent = client->request({}, 1s);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().message, "Can't reach " + path + ": No such file or directory");
  make_stale_socket(path);
  auto const stale = client->request({}, 1s);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().message, "Can't reach " + path + ": Connection refused");
  EXPECT_EQ(stale.error().error_class, ErrorClass::Unreachable);
  EXPECT_TRUE(stale.error().not_attempted);
}

TEST(Client, gives_up_after_its_timeout) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto const handler = [](Request const& request, Responder& responder) {
    if (request.path == "/stream") {
      static_cast<void>(responder.start_stream(200, "text/plain"));
      static_cast<void>(responder.write("one\n"));
    }
    while (!responder.client_gone()) std::this_thread::sleep_for(1ms);
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const late = client->request({}, 100ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message, "Can't reach " + path + ": no answer within the time limit");
  EXPECT_FALSE(late.error().not_attempted);
  int lines = 0;
  EXPECT_FALSE(client->stream({.target = "/stream"}, 100ms, [&](std::string_view) {
    ++lines;
    return true;
  }));
  EXPECT_EQ(lines, 1);
}

TEST(Client, bounds_its_connections) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  std::atomic<int> working = 0;
  std::atomic<int> most = 0;
  auto const handler = [&](Request const&, Responder& responder) {
    auto const count = ++working;
    if (count > most) most = count;
    std::this_thread::sleep_for(5ms);
    --working;
    static_cast<void>(responder.send({}));
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path, .limits = {.connections_max = 3}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(client->request({}, 30s)); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 3);
}

TEST(Client, survives_a_restart_of_the_server) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  ServerOptions const options{.unix_socket = UnixListen{.path = path}};
  auto server = *Server::create(options, echo);
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_TRUE(client->request({}, 10s));
  server = nullptr;
  server = *Server::create(options, echo);
  EXPECT_TRUE(client->request({}, 10s));
}

TEST(Client, refuses_to_send_nonsense) {
  auto client = *Client::create(UnixClientOptions{.path = "/nowhere"});
  for (auto const* target : {"", "x", "/a b", "/a\r\nX: y", "/\xc3\xa9"}) {
    EXPECT_EQ(client->request({.target = target}, 1s).error().code, ErrorCode::WrongInput);
  }
  EXPECT_EQ(client->request({.method = "GET /"}, 1s).error().code, ErrorCode::WrongInput);
  EXPECT_EQ(client->request({.headers = {{"A", "b\r\nc"}}}, 1s).error().code,
            ErrorCode::WrongInput);
}

TEST(Client, gets_errors_of_a_stream_as_a_whole) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  auto const handler = [](Request const&, Responder& responder) {
    EXPECT_TRUE(responder.send({.status = 404, .body = "{\n}\n"}));
  };
  auto server = *Server::create({.unix_socket = UnixListen{.path = path}}, handler);
  auto client = *Client::create(UnixClientOptions{.path = path});
  auto const answer = client->stream({}, 10s, [](std::string_view) {
    ADD_FAILURE();
    return true;
  });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404U);
  EXPECT_EQ(answer->body, "{\n}\n");
}

// A server that says what it is told, connection after connection, whatever it is asked.
class ScriptedServer {
 public:
  // Each element is a connection: what it answers to each request in turn before it closes.
  ScriptedServer(std::string const& path, std::vector<std::vector<std::string>> script)
      : listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    auto const address = unix_address(path);
    EXPECT_EQ(::bind(listener_.number(), reinterpret_cast<sockaddr const*>(&address->address),
                     sizeof address->address),
              0);
    EXPECT_EQ(::listen(listener_.number(), 8), 0);
    thread_ = std::thread([this, script = std::move(script)] {
      for (auto const& answers : script) {
        Descriptor const guest(::accept(listener_.number(), nullptr, nullptr));
        for (auto const& answer : answers) {
          char scrap[4096];
          if (::recv(guest.number(), scrap, sizeof scrap, 0) <= 0) break;
          static_cast<void>(::send(guest.number(), answer.data(), answer.size(), MSG_NOSIGNAL));
        }
      }
    });
  }
  ~ScriptedServer() {
    ::shutdown(listener_.number(), SHUT_RDWR);
    thread_.join();
  }

 private:
  Descriptor listener_;
  std::thread thread_;
};

std::string const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(Client, asks_again_only_when_a_kept_connection_was_closed_in_silence) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  // The empty answer: the request is read, then the connection closed without a byte.
  ScriptedServer const server(path, {{fine, ""}, {fine, ""}, {fine}, {""}, {fine}});
  auto client = *Client::create(UnixClientOptions{.path = path});
  EXPECT_TRUE(client->request({}, 10s));
  EXPECT_TRUE(client->request({}, 10s));  // closed, asked again on the second connection
  auto const once = client->request({.is_idempotent = false}, 10s);
  ASSERT_FALSE(once);  // closed, not asked again
  EXPECT_FALSE(once.error().not_attempted);
  EXPECT_TRUE(client->request({}, 10s));
  EXPECT_FALSE(client->request({.headers = {{"Fresh", "connection"}}}, 10s));
  EXPECT_TRUE(client->request({}, 10s));
}

struct Answer {
  char const* name;
  std::string bytes;
  bool is_good;
};
class OddServer : public testing::TestWithParam<Answer> {};

TEST_P(OddServer, is_understood_or_refused) {
  auto const directory = TemporaryDirectory();
  auto const path = directory.path("socket");
  ScriptedServer const server(path, {{GetParam().bytes}});
  ClientLimits const limits{.body_bytes_max = 1000, .line_bytes_max = 100};
  auto client = *Client::create(UnixClientOptions{.path = path, .limits = limits});
  auto const answer = client->request({}, 10s);
  EXPECT_EQ(answer.has_value(), GetParam().is_good);
  if (answer) {
    EXPECT_EQ(answer->body, "ok");
  } else {
    EXPECT_EQ(answer.error().error_class, ErrorClass::Unreachable);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Answers, OddServer,
    testing::Values(
        Answer{"plain", fine, true}, Answer{"empty", "", false}, Answer{"text", "hello\n", false},
        Answer{"after_interim", "HTTP/1.1 100 Continue\r\n\r\n" + fine, true},
        Answer{"without_length", "HTTP/1.0 200 OK\r\n\r\nok", true},
        Answer{"chunks",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
               true},
        Answer{"half_chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n",
               false},
        Answer{"half_header", "HTTP/1.1 200 OK\r\nContent-Le", false},
        Answer{"half_body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", false},
        Answer{"large_body",
               "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'a'), false},
        Answer{"endless_interims",
               [] {
                 std::string text;
                 for (int i = 0; i < 100; ++i) text += "HTTP/1.1 100 Continue\r\n\r\n";
                 return text;
               }(),
               false},
        Answer{"large_header", "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'a'), false}),
    [](auto const& test) { return test.param.name; });

}  // namespace
}  // namespace flotte::net
