#include "controller/remote_settings.h"

#include <arpa/inet.h>

#include <array>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "sys/defaults_file.h"
#include "sys/files.h"

namespace flotte::controller {
namespace {

struct Option {
  std::string_view letter;  // empty: it has only its long name
  std::string_view name;
  bool has_value;
  Result<void> (*take)(RemoteSettings& settings, std::string const& value);
};

Result<void> nothing(RemoteSettings&, std::string const&) {
  return {};
}

Result<void> take_port(RemoteSettings& settings, std::string const& value) {
  auto const port = whole_number(value);
  if (!port || *port < 1 || *port > 65535) {
    return fail(ErrorCode::WrongInput, "'{}' is no port", value);
  }
  settings.port = static_cast<std::uint16_t>(*port);
  settings.is_on = true;
  return {};
}

Result<void> take_address(RemoteSettings& settings, std::string const& value) {
  std::array<unsigned char, sizeof(in6_addr)> scrap{};
  if (::inet_pton(AF_INET, value.c_str(), scrap.data()) != 1 &&
      ::inet_pton(AF_INET6, value.c_str(), scrap.data()) != 1) {
    return fail(ErrorCode::WrongInput, "'{}' is no address", value);
  }
  settings.address = value;
  return {};
}

Result<void> take_clients(RemoteSettings& settings, std::string const& value) {
  constexpr std::int64_t most = 10'000;
  auto const count = whole_number(value);
  if (!count || *count < 1 || *count > most) {
    return fail(ErrorCode::WrongInput, "'{}' is no number of clients from 1 to {}", value, most);
  }
  settings.connections_max = static_cast<std::size_t>(*count);
  return {};
}

Result<void> refuse_interface(RemoteSettings&, std::string const&) {
  return fail(ErrorCode::WrongInput,
              "listening on an interface is not built yet; name its address "
              "with -b");
}

Result<void> refuse_chain(RemoteSettings&, std::string const&) {
  return fail(ErrorCode::WrongInput,
              "there is no such option here; put the chain into the file of -C, behind the "
              "certificate");
}

constexpr Option options[] = {
    {"-p", "--port", true, take_port},
    {"-b", "--bind", true, take_address},
    {"-i", "--interface", true, refuse_interface},
    {"-C", "--ssl-cert", true,
     [](RemoteSettings& settings, std::string const& value) -> Result<void> {
       settings.certificate_file = value;
       return {};
     }},
    {"-K", "--ssl-key", true,
     [](RemoteSettings& settings, std::string const& value) -> Result<void> {
       settings.key_file = value;
       return {};
     }},
    {"", "--ssl-chain", true, refuse_chain},
    {"", "--no-ssl", false,
     [](RemoteSettings& settings, std::string const&) -> Result<void> {
       settings.has_tls = false;
       return {};
     }},
    {"", "--require-authentication", false,
     [](RemoteSettings& settings, std::string const&) -> Result<void> {
       settings.requires_authentication = true;
       return {};
     }},
    {"", "--max-clients", true, take_clients},
    // They are the controller's own.
    {"-f", "--foreground", false, nothing},
    {"-d", "--debug", false, nothing},
    {"", "--syslog", false, nothing},
};

// "-p 5080", "-p5080", "--port 5080", "--port=5080"
struct Word {
  Option const* option = nullptr;
  std::optional<std::string> value;
};
Word word_of(std::string const& text) {
  for (auto const& option : options) {
    if (text == option.letter || text == option.name) return {&option, std::nullopt};
    auto const joined = std::string(option.name) + "=";
    if (option.has_value && text.starts_with(joined)) return {&option, text.substr(joined.size())};
    if (option.has_value && option.letter.size() == 2 && text.starts_with(option.letter)) {
      return {&option, text.substr(2)};
    }
  }
  return {};
}

}  // namespace

Result<RemoteSettings> parse_remote_settings(std::string_view arguments, Paths const& paths) {
  RemoteSettings settings;
  settings.certificate_file = paths.rapi_certificate();
  if (!paths.root().empty()) {
    settings.is_on = false;
    settings.address = "127.0.0.1";
  }
  std::istringstream words{std::string(arguments)};
  for (std::string text; words >> text;) {
    auto word = word_of(text);
    if (word.option == nullptr) {
      return fail(ErrorCode::WrongInput, "RAPI_ARGS: there is no option '{}'", text);
    }
    if (word.option->has_value && !word.value) {
      if (!(words >> text)) {
        return fail(ErrorCode::WrongInput, "RAPI_ARGS: {} needs a value", text);
      }
      word.value = text;
    }
    auto const taken = word.option->take(settings, word.value.value_or(""));
    if (!taken) {
      return fail(ErrorCode::WrongInput, "RAPI_ARGS: {}: {}", word.option->name,
                  taken.error().message);
    }
  }
  return settings;
}

Result<RemoteSettings> remote_settings(Paths const& paths) {
  auto const file = paths.root() + "/etc/default/ganeti";
  // As Debian's package has it: nobody is told anything who has no business on this machine.
  constexpr auto usual = "-b 127.0.0.1 --require-authentication";
  if (!sys::exists(file)) return parse_remote_settings(usual, paths);
  auto const contents = TRY(sys::read_file(file));
  auto const told = TRY(sys::setting_in(contents, "RAPI_ARGS"));
  auto settings = parse_remote_settings(told.value_or(usual), paths);
  if (settings) return settings;
  return fail(ErrorCode::WrongInput, "{}: {}", file, settings.error().message);
}

}  // namespace flotte::controller
