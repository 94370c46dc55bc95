#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

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

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = spdlog::stderr_logger_mt("stderr");
  return instance;
}

}  // namespace

void open(std::string const& file, Level least) {
  if (!file.empty()) logger() = spdlog::basic_logger_mt("file", file);
  logger()->set_level(spdlog_level(least));
  logger()->flush_on(spdlog::level::info);
  logger()->set_pattern("%Y-%m-%d %H:%M:%S,%e: %n pid=%P %l %v");
}

void write(Level level, std::string_view line) {
  logger()->log(spdlog_level(level), "{}", line);
}

}  // namespace flotte::log
