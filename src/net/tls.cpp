#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <strings.h>

#include <cerrno>

#include "net/openssl.h"

namespace flotte::net {
namespace {

using Context = Openssl<SSL_CTX, SSL_CTX_free>;
using Session = Openssl<SSL, SSL_free>;
using BioMethod = Openssl<BIO_METHOD, BIO_meth_free>;

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int finish_bio_call(BIO* bio, ssize_t count, int retry_flag) {
  BIO_clear_retry_flags(bio);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
  }
  return static_cast<int>(count);
}

int bio_read(BIO* bio, char* data, int size) {
  auto const count = ::recv(socket_of(bio), data, static_cast<std::size_t>(size), 0);
  return finish_bio_call(bio, count, BIO_FLAGS_READ);
}

int bio_write(BIO* bio, char const* data, int size) {
  auto const count = ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  return finish_bio_call(bio, count, BIO_FLAGS_WRITE);
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE.
BIO_METHOD* bio_method() {
  static BioMethod const method = [] {
    BioMethod made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flotte socket"));
    BIO_meth_set_read(made.get(), bio_read);
    BIO_meth_set_write(made.get(), bio_write);
    BIO_meth_set_ctrl(made.get(), bio_control);
    return made;
  }();
  return method.get();
}

// A key that needs a passphrase fails instead of asking on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Failure cant_use(std::string const& file, std::string_view what) {
  return fail(ErrorCode::EnvironmentError, "Can't use {} from {}: {}", what, file, openssl_error());
}

Result<Context> new_context(SSL_METHOD const* method) {
  Context context(SSL_CTX_new(method));
  if (!context) {
    return fail(ErrorCode::EnvironmentError, "OpenSSL doesn't start: {}", openssl_error());
  }
  auto* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  // Connections are kept alive, so sessions are never resumed; without tickets a handshake is
  // smaller and every connection shows its certificate anew.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  return context;
}

Result<void> use_certificate(SSL_CTX* context, std::string const& file,
                             std::string const& key_file) {
  for (auto const& one : {file, key_file}) {
    if (::access(one.c_str(), R_OK) == 0) continue;
    return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", one, errno_text(errno));
  }
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) != 1) {
    return cant_use(file, "the certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return cant_use(key_file, "the private key");
  }
  return {};
}

Openssl<BIO, BIO_free_all> reader(std::string_view pem) {
  return Openssl<BIO, BIO_free_all>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<void> use_certificate_text(SSL_CTX* context, std::string_view pem) {
  Certificate const certificate(
      PEM_read_bio_X509(reader(pem).get(), nullptr, no_passphrase, nullptr));
  Openssl<EVP_PKEY, EVP_PKEY_free> const key(
      PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_passphrase, nullptr));
  if (!certificate || !key || SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail(ErrorCode::EnvironmentError, "Can't use the certificate of this side: {}",
                openssl_error());
  }
  return {};
}

Result<void> trust(SSL_CTX* context, std::string const& ca_file, int verify_mode) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
    return cant_use(ca_file, "the certificate authority");
  }
  // OpenSSL works out a certificate's extensions when it is first used. That is done here, while
  // one thread has it: how many threads agree on it later is hidden from ThreadSanitizer.
  auto const* trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  for (int i = 0; i < sk_X509_OBJECT_num(trusted); ++i) {
    auto* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
    if (certificate) X509_check_purpose(certificate, -1, 0);
  }
  SSL_CTX_set_verify(context, verify_mode, nullptr);
  return {};
}

// Why a handshake, read or write failed. Alerts are what the other side says before it hangs up.
IoError tls_error(SSL* session, int ssl_error) {
  auto const number = ERR_peek_last_error();
  auto const reason = ERR_GET_REASON(number);
  if (ssl_error == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return {IoError::Kind::Closed, "the connection was closed"};
  }
  if (ssl_error == SSL_ERROR_SSL) {
    auto const verified = SSL_get_verify_result(session);
    auto const is_alert = ERR_GET_LIB(number) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
    auto text = openssl_error();
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
      return {IoError::Kind::Refused,
              fmt::format("the other side speaks no TLS as new as 1.2, update what it runs ({})",
                          text)};
    }
    if (is_alert) {
      return {IoError::Kind::Refused, fmt::format("the other side refused TLS: {}", text)};
    }
    if (verified != X509_V_OK) {
      return {IoError::Kind::Refused,
              fmt::format("TLS verification failed: {}", X509_verify_cert_error_string(verified))};
    }
    return {IoError::Kind::System, fmt::format("TLS failed: {}", text)};
  }
  auto const saved = errno;
  ERR_clear_error();
  if (ssl_error == SSL_ERROR_SYSCALL && saved != 0 && saved != EPIPE && saved != ECONNRESET) {
    return {IoError::Kind::System, errno_text(saved)};
  }
  return {IoError::Kind::Closed, "the connection was closed"};
}

// Calls OpenSSL until it succeeds, waiting for the socket in between. 0: orderly end.
template <class Call, class Deadline>
Io<std::size_t> drive(SSL* session, int socket, Deadline deadline, Call call) {
  while (true) {
    ERR_clear_error();
    errno = 0;
    int const count = call(session);
    if (count > 0) return static_cast<std::size_t>(count);
    auto const error = SSL_get_error(session, count);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return tl::unexpected(tls_error(session, error));
    }
    auto const what = error == SSL_ERROR_WANT_READ ? Wait::Read : Wait::Write;
    if (auto waited = wait_for(socket, what, deadline()); !waited) {
      return tl::unexpected(waited.error());
    }
  }
}

class TlsChannel final : public Channel {
 public:
  TlsChannel(Session session, int socket) : session_(std::move(session)), socket_(socket) {}

  Io<std::size_t> read_some(std::span<char> buffer, Instant deadline) override {
    auto const size = static_cast<int>(std::min<std::size_t>(buffer.size(), piece_max));
    return drive(
        session_.get(), socket_, [&] { return deadline; },
        [&](SSL* session) { return SSL_read(session, buffer.data(), size); });
  }

  Io<void> write_all(std::string_view bytes, Duration stall_max) override {
    auto const until = deadline_of(bytes.size(), stall_max);
    while (!bytes.empty()) {
      auto const count = write_piece(bytes, std::min(until, deadline_after(stall_max)));
      if (!count) return tl::unexpected(count.error());
      bytes.remove_prefix(*count);
    }
    return {};
  }

  Io<std::size_t> write_some(std::string_view bytes) override {
    auto const count = write_piece(bytes, deadline_after(Duration::zero()));
    if (!count && count.error().kind == IoError::Kind::Timeout) return 0;
    return count;
  }

  void end_writing() override {
    ERR_clear_error();
    // Not allowed after a fatal error; then there is nothing to say anyway.
    if (SSL_is_init_finished(session_.get())) SSL_shutdown(session_.get());
    ERR_clear_error();
    ::shutdown(socket_, SHUT_WR);
  }

 private:
  static constexpr std::size_t piece_max = 64 * 1024;

  // One record or more of them, not nothing.
  Io<std::size_t> write_piece(std::string_view bytes, Instant deadline) {
    auto const size = static_cast<int>(std::min(bytes.size(), piece_max));
    auto const count = drive(
        session_.get(), socket_, [&] { return deadline; },
        [&](SSL* session) { return SSL_write(session, bytes.data(), size); });
    if (count && *count == 0) {
      return tl::unexpected(IoError{IoError::Kind::Closed, "the connection was closed"});
    }
    return count;
  }

  Session session_;
  int socket_;
};

bool same_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

// Exact, without wildcards: the names are our nodes', not the internet's.
bool has_name(X509 const* certificate, std::string_view name) {
  if (same_name(certificate_common_name(certificate), name)) return true;
  for (auto const& other : certificate_names(certificate)) {
    if (same_name(other, name)) return true;
  }
  return false;
}

bool is_address(std::string const& text) {
  in6_addr scrap{};
  return inet_pton(AF_INET, text.c_str(), &scrap) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &scrap) == 1;
}

}  // namespace

struct TlsContext::State {
  Context context;
  ServerName expected_name = {};
  std::string expected_sha256 = {};  // of the other side's certificate

  Io<Session> handshake(int socket, Instant deadline, int (*call)(SSL*)) const;
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::for_server(TlsServerOptions const& options) {
  auto context = TRY(new_context(TLS_server_method()));
  TRY(use_certificate(context.get(), options.certificate_file,
                      options.key_file.empty() ? options.certificate_file : options.key_file));
  if (options.client_certificate == ClientCertificate::Required) {
    TRY(trust(context.get(), options.ca_file, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT));
    auto* names = SSL_load_client_CA_file(options.ca_file.c_str());
    SSL_CTX_set_client_CA_list(context.get(), names);
  }
  return std::unique_ptr<TlsContext>(
      new TlsContext(std::unique_ptr<State>(new State{std::move(context)})));
}

Result<std::unique_ptr<TlsContext>> TlsContext::for_peers(Side side, std::string_view own_pem,
                                                          std::string_view peer_pem) {
  auto context = TRY(new_context(side == Side::Server ? TLS_server_method() : TLS_client_method()));
  TRY(use_certificate_text(context.get(), own_pem));
  Certificate const peer(
      PEM_read_bio_X509(reader(peer_pem).get(), nullptr, no_passphrase, nullptr));
  if (!peer || X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), peer.get()) != 1) {
    return fail(ErrorCode::WrongInput, "Can't use the certificate of the other side: {}",
                openssl_error());
  }
  X509_check_purpose(peer.get(), -1, 0);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // One of Ganeti's begins this very second, which may be a later one there than here. Who gave it
  // to us has looked at its dates.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_NO_CHECK_TIME);
  return std::unique_ptr<TlsContext>(new TlsContext(std::unique_ptr<State>(
      new State{.context = std::move(context),
                .expected_sha256 = certificate_digest(peer.get(), EVP_sha256())})));
}

Result<std::unique_ptr<TlsContext>> TlsContext::for_client(std::string const& certificate_file,
                                                           std::string const& ca_file,
                                                           ServerName expected_name) {
  if (expected_name && expected_name->empty()) {
    return fail(ErrorCode::WrongInput, "A TLS client must know the name of its server");
  }
  auto context = TRY(new_context(TLS_client_method()));
  if (!certificate_file.empty())
    TRY(use_certificate(context.get(), certificate_file, certificate_file));
  TRY(trust(context.get(), ca_file, SSL_VERIFY_PEER));
  // A certificate that is in the file itself needs no other above it.
  if (!expected_name) {
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::unique_ptr<State>(
      new State{.context = std::move(context), .expected_name = std::move(expected_name)})));
}

Io<Session> TlsContext::State::handshake(int socket, Instant deadline, int (*call)(SSL*)) const {
  set_non_blocking(socket);
  ERR_clear_error();
  Session session(SSL_new(context.get()));
  BIO* bio = session ? BIO_new(bio_method()) : nullptr;
  if (bio == nullptr) {
    return tl::unexpected(IoError{IoError::Kind::System, openssl_error()});
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(session.get(), bio, bio);
  if (expected_name && !is_address(*expected_name)) {
    SSL_set_tlsext_host_name(session.get(), expected_name->c_str());
  }
  auto const done = drive(session.get(), socket, [&] { return deadline; }, call);
  if (!done) return tl::unexpected(done.error());
  if (*done == 0) {
    return tl::unexpected(
        IoError{IoError::Kind::Refused, "the other side ended the TLS handshake"});
  }
  if (expected_sha256.empty()) return session;
  // Not one that was issued by it either.
  Certificate const shown(SSL_get1_peer_certificate(session.get()));
  if (shown && certificate_digest(shown.get(), EVP_sha256()) == expected_sha256) return session;
  return tl::unexpected(IoError{IoError::Kind::Refused,
                                "TLS verification failed: the certificate is another one than "
                                "was announced"});
}

Io<std::unique_ptr<Channel>> TlsContext::accept(int socket, Instant deadline, Peer& peer) const {
  auto session = state_->handshake(socket, deadline, SSL_accept);
  if (!session) return tl::unexpected(session.error());
  acknowledge_now(socket);

  peer.transport = Transport::Tls;
  Certificate const certificate(SSL_get1_peer_certificate(session->get()));
  if (certificate && SSL_get_verify_result(session->get()) == X509_V_OK) {
    peer.certificate_name = certificate_common_name(certificate.get());
    peer.certificate_sha1 = certificate_digest(certificate.get(), EVP_sha1());
    peer.certificate_sha256 = certificate_digest(certificate.get(), EVP_sha256());
  }
  return std::make_unique<TlsChannel>(std::move(*session), socket);
}

Io<std::unique_ptr<Channel>> TlsContext::connect(int socket, Instant deadline) const {
  auto session = state_->handshake(socket, deadline, SSL_connect);
  if (!session) return tl::unexpected(session.error());

  Certificate const certificate(SSL_get1_peer_certificate(session->get()));
  auto const& expected = state_->expected_name;
  if (!certificate || (expected && !has_name(certificate.get(), *expected))) {
    auto const shown = certificate ? certificate_common_name(certificate.get()) : "";
    return tl::unexpected(
        IoError{IoError::Kind::Refused,
                fmt::format("TLS verification failed: the certificate is of '{}', expected '{}'",
                            shown, expected.value_or("any"))});
  }
  return std::make_unique<TlsChannel>(std::move(*session), socket);
}

}  // namespace flotte::net
