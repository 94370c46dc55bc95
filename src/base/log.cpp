#include "base/log.h"

#include <spdlog/details/file_helper.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
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

// spdlog's own basic_file_sink opens a file once.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::string const& file) : file_(file) { reopen(); }
  void reopen() {
    std::lock_guard const guard(mutex_);
    helper_.open(file_, false);
  }

 private:
  void sink_it_(spdlog::details::log_msg const& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    helper_.write(line);
  }
  void flush_() override { helper_.flush(); }

  std::string file_;
  spdlog::details::file_helper helper_;
};

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = spdlog::stderr_logger_mt("stderr");
  return instance;
}

}  // namespace

void open(std::string const& file, Level least) {
  if (!file.empty())
    logger() = std::make_shared<spdlog::logger>(program_invocation_short_name,
                                                std::make_shared<FileSink>(file));
  logger()->set_level(spdlog_level(least));
  logger()->flush_on(spdlog::level::info);
  logger()->set_pattern("%Y-%m-%d %H:%M:%S,%e: %n pid=%P %l %v");
}

void reopen() {
  for (auto const& sink : logger()->sinks()) {
    if (auto* file = dynamic_cast<FileSink*>(sink.get())) file->reopen();
  }
}

void write(Level level, std::string_view line) {
  logger()->log(spdlog_level(level), "{}", line);
}

}  // namespace flotte::log
