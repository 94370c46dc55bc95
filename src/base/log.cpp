#include "base/log.h"

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

namespace flotte::log {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      break;
  }
  return spdlog::level::err;
}

// spdlog's own sinks open a file once, and through a link.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::string file) : file_(std::move(file)) {}
  ~FileSink() override {
    if (fd_ >= 0) ::close(fd_);
  }
  FileSink(FileSink const&) = delete;
  FileSink& operator=(FileSink const&) = delete;

  Result<void> open() {
    constexpr mode_t administrators = 0640;
    int const fd = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                          administrators);
    if (fd < 0) {
      return fail(ErrorCode::EnvironmentError, "Can't write the log {}: {}", file_,
                  std::strerror(errno));
    }
    std::lock_guard const guard(mutex_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    return {};
  }

 private:
  // A line that finds no room is lost.
  void sink_it_(spdlog::details::log_msg const& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    (void)!::write(fd_, line.data(), line.size());
  }
  void flush_() override {}

  std::string file_;
  int fd_ = -1;
};

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = spdlog::stderr_logger_mt("stderr");
  return instance;
}

}  // namespace

Result<void> open(std::string const& file, Level least) {
  if (!file.empty()) {
    auto const sink = std::make_shared<FileSink>(file);
    TRY(sink->open());
    logger() = std::make_shared<spdlog::logger>(program_invocation_short_name, sink);
  }
  logger()->set_level(spdlog_level(least));
  logger()->flush_on(spdlog::level::info);
  logger()->set_pattern("%Y-%m-%d %H:%M:%S,%e: %n pid=%P %l %v");
  return {};
}

void reopen() {
  for (auto const& sink : logger()->sinks()) {
    auto* file = dynamic_cast<FileSink*>(sink.get());
    auto const reopened = file ? file->open() : Result<void>();
    if (!reopened) error("{}", reopened.error().message);
  }
}

void write(Level level, std::string_view line) {
  logger()->log(spdlog_level(level), "{}", line);
}

}  // namespace flotte::log
