#include "node/exports/compression.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/boundary.h"
#include "node/programs/allowed_programs.h"
#include "node/storage/disk_io.h"
#include "sys/deeds.h"
#include "sys/pipe.h"

namespace flotte::node {
namespace {

constexpr int poll_ms = 250;
constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::chrono::hours program_time_max{7 * 24};
constexpr std::array directories{"/usr/local/bin", "/usr/bin", "/bin"};
// Those that Debian has and Ganeti's users name.
constexpr std::array known{"/usr/bin/gzip", "/bin/gzip",      "/usr/bin/lzop", "/usr/bin/pigz",
                           "/usr/bin/zstd", "/usr/bin/bzip2", "/bin/bzip2",    "/usr/bin/xz"};

enum class Way { In, Out };

std::string program_of(std::string const& tool) {
  return tool.starts_with("gzip") ? "gzip" : tool;
}

bool is_plain(std::string_view tool) {
  return !tool.empty() &&
         std::ranges::all_of(tool,
                             [](char c) {
                               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                      (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                             }) &&
         tool.front() != '-' && tool.front() != '.';
}

Result<std::string> path_of(Compressors const& with, std::string const& tool) {
  if (!is_plain(tool)) {
    return fail(ErrorCode::WrongInput, "'{}' is no name of a compression tool", tool);
  }
  auto const program = program_of(tool);
  for (auto const* directory : directories) {
    auto const path = fmt::format("{}/{}", directory, program);
    if (::access(path.c_str(), X_OK) != 0) continue;
    if (std::ranges::find(known, path) == known.end()) TRY(require_allowed(with.paths, path));
    return path;
  }
  return fail(ErrorCode::EnvironmentError,
              "Compression tool {} is not installed on this node; 'apt install {}'", program,
              program);
}

Result<std::vector<std::string>> command_of(Compressors const& with, std::string const& tool,
                                            Way way) {
  std::vector<std::string> argv{TRY(path_of(with, tool))};
  auto const is_ganetis = program_of(tool) == "gzip" || tool == "lzop";
  if (way == Way::In) argv.emplace_back("-d");
  if (way == Way::Out && (tool == "gzip" || tool == "gzip-fast")) argv.emplace_back("-1");
  if (is_ganetis) argv.emplace_back("-c");
  return argv;
}

// A program with something that goes in at one end and comes out at the other.
class Filter {
 public:
  static Result<std::unique_ptr<Filter>> start(Compressors const& with,
                                               std::vector<std::string> argv) {
    auto in = TRY(sys::Pipe::open());
    auto out = TRY(sys::Pipe::open());
    TRY(sys::make_nonblocking(in.write));
    return std::unique_ptr<Filter>(
        new Filter(with, std::move(argv), std::move(in), std::move(out)));
  }
  ~Filter() {
    is_given_up_ = true;
    if (thread_.joinable()) std::ignore = finish();
  }
  Filter(Filter const&) = delete;
  Filter& operator=(Filter const&) = delete;

  // Of the thread that writes. False: the program reads no more.
  Result<bool> write(std::string_view bytes, net::GoesOn const& goes_on) {
    while (!bytes.empty()) {
      if (is_given_up_ || !goes_on()) return fail(ErrorCode::EnvironmentError, "It was given up");
      pollfd one{in_.write.get(), POLLOUT, 0};
      if (::poll(&one, 1, poll_ms) <= 0) continue;
      auto const count = sys::write(in_.write.get(), bytes);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void end_writing() { in_.write.close(); }

  // Of the thread that reads.
  Result<std::size_t> read(std::span<char> room, net::GoesOn const& goes_on) {
    for (;;) {
      if (is_given_up_ || !goes_on()) return fail(ErrorCode::EnvironmentError, "It was given up");
      pollfd one{out_.read.get(), POLLIN, 0};
      if (::poll(&one, 1, poll_ms) <= 0) continue;
      auto const count = ::read(out_.read.get(), room.data(), room.size());
      if (count < 0 && errno == EINTR) continue;
      if (count >= 0) return static_cast<std::size_t>(count);
      return fail(ErrorCode::EnvironmentError, "Can't read what {} says: {}", name_, errno_text());
    }
  }

  // Waits for its end.
  Result<void> finish() {
    end_writing();
    if (thread_.joinable()) thread_.join();
    return result_;
  }
  void give_up() { is_given_up_ = true; }

 private:
  Filter(Compressors const& with, std::vector<std::string> argv, sys::Pipe in, sys::Pipe out)
      : name_(argv.front()), in_(std::move(in)), out_(std::move(out)) {
    auto& processes = with.processes;
    thread_ = with.clock.start_thread("compressor", [this, &processes, argv = std::move(argv)] {
      result_ = boundary("A compressor", [&] { return run(processes, argv); });
      // Ours; the program's went with it. Who reads or writes is told so.
      in_.read.close();
      out_.write.close();
    });
  }

  Result<void> run(sys::Processes& processes, std::vector<std::string> const& argv) {
    auto const finished = TRY(processes.run(
        {.argv = argv,
         .timeout = program_time_max,
         .descriptors = {{in_.read.get(), STDIN_FILENO}, {out_.write.get(), STDOUT_FILENO}}},
        [this](std::string_view) { return !is_given_up_; }));
    if (finished.is_success()) return {};
    return fail(ErrorCode::EnvironmentError, "{} failed (exit code {}): {}", name_,
                finished.exit_status,
                finished.errors.empty() ? "it said nothing" : finished.errors);
  }

  std::string name_;
  sys::Pipe in_;
  sys::Pipe out_;
  std::atomic<bool> is_given_up_ = false;
  Result<void> result_;
  std::thread thread_;
};

// The caller writes into the program; a thread takes what comes out.
class CompressedOutlet final : public Outlet {
 public:
  CompressedOutlet(Clock& clock, std::unique_ptr<Filter> filter, std::unique_ptr<Outlet> to,
                   net::GoesOn goes_on)
      : filter_(std::move(filter)), to_(std::move(to)), goes_on_(std::move(goes_on)) {
    thread_ = clock.start_thread("sender", [this] {
      sent_ = boundary("Sending", [this] { return send(); });
      if (!sent_) filter_->give_up();
    });
  }
  ~CompressedOutlet() override {
    filter_->give_up();
    if (thread_.joinable()) thread_.join();
  }
  CompressedOutlet(CompressedOutlet const&) = delete;
  CompressedOutlet& operator=(CompressedOutlet const&) = delete;

  Result<void> write(std::string_view bytes) override {
    auto const written = filter_->write(bytes, goes_on_);
    if (written && *written) return {};
    return why(written ? Result<void>() : Failure(written.error()));
  }

  Result<void> finish() override {
    filter_->end_writing();
    auto const ended = why({});
    TRY(ended);
    return to_->finish();
  }

 private:
  // Where what comes out could not be sent, that is the reason of whatever else went wrong.
  Result<void> why(Result<void> seen) {
    if (!seen) filter_->give_up();
    if (thread_.joinable()) thread_.join();
    auto const finished = filter_->finish();
    TRY(sent_);
    TRY(finished);
    return seen;
  }

  Result<void> send() {
    std::string buffer(buffer_bytes, '\0');
    for (;;) {
      auto const count = TRY(filter_->read(buffer, goes_on_));
      if (count == 0) return {};
      TRY(to_->write(std::string_view(buffer).substr(0, count)));
    }
  }

  std::unique_ptr<Filter> filter_;
  std::unique_ptr<Outlet> to_;
  net::GoesOn goes_on_;
  Result<void> sent_;
  std::thread thread_;
};

// A thread writes into the program; the caller takes what comes out.
class DecompressedInlet final : public Inlet {
 public:
  DecompressedInlet(Clock& clock, std::unique_ptr<Filter> filter, std::unique_ptr<Inlet> from,
                    net::GoesOn goes_on)
      : filter_(std::move(filter)), from_(std::move(from)), goes_on_(std::move(goes_on)) {
    thread_ = clock.start_thread("receiver", [this] {
      received_ = boundary("Receiving", [this] { return receive(); });
      if (!received_) filter_->give_up();
      filter_->end_writing();
    });
  }
  ~DecompressedInlet() override {
    filter_->give_up();
    if (thread_.joinable()) thread_.join();
  }
  DecompressedInlet(DecompressedInlet const&) = delete;
  DecompressedInlet& operator=(DecompressedInlet const&) = delete;

  Result<std::size_t> read(std::span<char> room) override {
    auto const count = filter_->read(room, goes_on_);
    if (count && *count > 0) return count;
    if (!count) filter_->give_up();
    if (thread_.joinable()) thread_.join();
    auto const finished = filter_->finish();
    // Where not all came, that is the reason of whatever else went wrong.
    TRY(received_);
    TRY(finished);
    return count;
  }

 private:
  // To the end, also when the program has enough: only then it was all.
  Result<void> receive() {
    std::string buffer(buffer_bytes, '\0');
    bool is_read = true;
    for (;;) {
      auto const count = TRY(from_->read(buffer));
      if (count == 0) return {};
      if (is_read)
        is_read = TRY(filter_->write(std::string_view(buffer).substr(0, count), goes_on_));
    }
  }

  std::unique_ptr<Filter> filter_;
  std::unique_ptr<Inlet> from_;
  net::GoesOn goes_on_;
  Result<void> received_;
  std::thread thread_;
};

}  // namespace

Result<void> check_compressor(Compressors const& with, std::string const& tool) {
  if (tool == "none") return {};
  TRY(path_of(with, tool));
  return {};
}

Result<std::unique_ptr<Outlet>> compressed(Compressors const& with, std::string const& tool,
                                           std::unique_ptr<Outlet> to, net::GoesOn goes_on) {
  if (tool == "none") return to;
  auto filter = TRY(Filter::start(with, TRY(command_of(with, tool, Way::Out))));
  return std::make_unique<CompressedOutlet>(with.clock, std::move(filter), std::move(to),
                                            std::move(goes_on));
}

Result<std::unique_ptr<Inlet>> decompressed(Compressors const& with, std::string const& tool,
                                            std::unique_ptr<Inlet> from, net::GoesOn goes_on) {
  if (tool == "none") return from;
  auto filter = TRY(Filter::start(with, TRY(command_of(with, tool, Way::In))));
  return std::make_unique<DecompressedInlet>(with.clock, std::move(filter), std::move(from),
                                             std::move(goes_on));
}

}  // namespace flotte::node
