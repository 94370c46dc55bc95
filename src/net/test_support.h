// For the tests of net only: directories, raw sockets, an echoing handler, a small cluster's
// certificates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/channel.h"
#include "net/http.h"

namespace flotte::net {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory const&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory const&) = delete;

  std::string path(std::string const& name) const { return path_ + "/" + name; }
  // Mode 0600; the path.
  std::string write(std::string const& name, std::string_view contents) const;

 private:
  std::string path_;
};

// Sends the body back, and in headers what the server found out about the request.
void echo(Request const& request, Responder& responder);

// A blocking socket without any manners. Every wait ends after half a minute.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  explicit RawClient(std::string const& unix_path);

  void send(std::string_view bytes) const;
  void end_writing() const;
  std::string receive_some() const;
  std::string receive_all() const;

 private:
  Descriptor socket_;
};

enum class Ending { Close, KeepOpen };
// All that comes back until the server closes.
std::string raw_exchange(std::uint16_t port, std::string_view bytes, Ending ending);

// A file of a socket on which nobody listens any more.
void make_stale_socket(std::string const& path);

}  // namespace flotte::net
