#include "rapi/accounts.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/ip.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/text.h"
#include "net/users_file.h"
#include "sys/files.h"

namespace flotte::rapi {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view realm = "Ganeti Remote API";
constexpr int wrong_ones_free = 5;
constexpr int wrong_ones_free_of_all = 50;
constexpr auto pause_min = 1s;
constexpr auto pause_max = 60s;
// Without another wrong one.
constexpr auto forgotten_after = 10min;
constexpr std::size_t places_max = 10'000;
// Each takes a core and 19 MiB; their memory may be more where the hash says so.
constexpr std::size_t checks_max = 2;
constexpr std::size_t waiting_max = 32;
constexpr auto wait_max = 5s;
constexpr auto busy_again_after = 1s;
constexpr std::size_t faults_told_max = 20;
// A file that was written twice within a tick of the kernel's clock looks the same.
constexpr auto settles_after = 1s;
constexpr std::size_t key_bytes = 32;

std::string new_key(Random& random) {
  std::array<std::uint8_t, key_bytes> key{};
  random.fill(key);
  return {key.begin(), key.end()};
}

// Empty: this machine's OpenSSL does not do it.
std::string digest(EVP_MD const* algorithm, std::string_view text) {
  std::array<char, EVP_MAX_MD_SIZE> made{};
  unsigned size = 0;
  auto const is_done =
      EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(made.data()), &size,
                 algorithm, nullptr) == 1;
  return is_done ? std::string(made.data(), size) : std::string();
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (char const byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// Whatever their lengths.
bool are_equal(std::string_view one, std::string_view other) {
  auto const first = digest(EVP_sha256(), one);
  auto const second = digest(EVP_sha256(), other);
  return !first.empty() && CRYPTO_memcmp(first.data(), second.data(), first.size()) == 0;
}

bool is_md5_in_hex(std::string_view text) {
  constexpr std::size_t digits = 32;
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// What is wrong with it.
Result<void> take_password(std::string_view password, Account& into) {
  auto const [scheme, rest] = net::scheme_of(password);
  into.secret = rest;
  if (scheme == "cleartext") {
    into.scheme = Account::Scheme::Cleartext;
    if (rest.empty()) return fail(ErrorCode::WrongInput, "has an empty password");
  } else if (scheme == "ha1") {
    into.scheme = Account::Scheme::Ha1;
    if (!is_md5_in_hex(rest)) return fail(ErrorCode::WrongInput, "has no MD5 behind {{HA1}}");
    into.secret = lower_case(std::move(into.secret));
  } else if (scheme == "argon2id") {
    into.scheme = Account::Scheme::Argon2id;
    if (!net::is_hash_of_password(into.secret)) {
      return fail(ErrorCode::WrongInput,
                  "has no hash of Argon2id behind {{argon2id}}, or one that takes too much");
    }
  } else {
    return fail(ErrorCode::WrongInput, "has a password of an unknown scheme");
  }
  return {};
}

Result<Account> account_of(net::UserLine const& line) {
  if (line.password.empty()) return fail(ErrorCode::WrongInput, "has no password");
  if (!net::check_user_name(line.name)) {
    return fail(ErrorCode::WrongInput, "has a name that nobody could log in with");
  }
  Account account{.name = std::string(line.name)};
  TRY(take_password(line.password, account));
  account.rights = TRY(rights_of(line.options));
  return account;
}

// Another text as soon as the file is another one, was written, or may be read by others.
std::string look_of(std::string const& path) {
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0) return fmt::format("error {}", errno);
  return fmt::format("{}:{} {} {:o} {}:{} {}.{} {}.{}", seen.st_dev, seen.st_ino, seen.st_size,
                     seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtim.tv_sec,
                     seen.st_mtim.tv_nsec, seen.st_ctim.tv_sec, seen.st_ctim.tv_nsec);
}

bool is_open_to_all(std::string const& path) {
  struct stat seen{};
  return ::stat(path.c_str(), &seen) == 0 && (seen.st_mode & S_IROTH) != 0;
}

// Without a port, and of IPv6 as much as is given to one network: who has one has 2^64 addresses.
std::string place_of(std::string_view address) {
  std::string text(address.substr(0, INET6_ADDRSTRLEN + sizeof "[]:65535%interface-name"));
  if (text.starts_with('[')) {
    text = text.substr(1, text.find(']') - 1);
  } else if (std::ranges::count(text, ':') == 1) {
    text.resize(text.find(':'));
  }
  auto const plain = text.substr(0, text.find('%'));
  in6_addr bytes{};
  if (!is_ipv6(plain) || ::inet_pton(AF_INET6, plain.c_str(), &bytes) != 1) return plain;
  std::array<char, INET6_ADDRSTRLEN> written{};
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
    constexpr std::size_t ipv4_begin = 12;
    ::inet_ntop(AF_INET, &bytes.s6_addr[ipv4_begin], written.data(), written.size());
    return written.data();
  }
  constexpr std::size_t network_bytes = 8;
  std::fill(std::begin(bytes.s6_addr) + network_bytes, std::end(bytes.s6_addr), 0);
  ::inet_ntop(AF_INET6, &bytes, written.data(), written.size());
  return fmt::format("{}/64", written.data());
}

std::chrono::seconds whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

}  // namespace

ParsedAccounts parse_accounts(std::string_view text) {
  ParsedAccounts parsed;
  std::map<std::string_view, std::size_t> lines;  // of each name, the last
  for (auto const& line : net::user_lines(text)) {
    auto account = account_of(line);
    if (!account) {
      parsed.faults.push_back(
          fmt::format("line {} {}: it is left out", line.number, account.error().message));
    } else if (account->rights.unknown > 0) {
      parsed.faults.push_back(fmt::format("line {} has {} unknown option{}, which gives nothing",
                                          line.number, account->rights.unknown,
                                          account->rights.unknown == 1 ? "" : "s"));
    }
    auto const [known, is_new] = lines.emplace(line.name, line.number);
    if (!is_new) {
      parsed.faults.push_back(fmt::format("line {} has the name of line {}, which counts no more",
                                          line.number, known->second));
      known->second = line.number;
      parsed.accounts.erase(std::string(line.name));
    }
    if (account) parsed.accounts.emplace(line.name, std::move(*account));
  }
  return parsed;
}

bool is_password(Account const& account, std::string_view password) {
  switch (account.scheme) {
    case Account::Scheme::Cleartext:
      return are_equal(account.secret, password);
    case Account::Scheme::Ha1: {
      auto const made = digest(EVP_md5(), fmt::format("{}:{}:{}", account.name, realm, password));
      return !made.empty() && are_equal(account.secret, hex(made));
    }
    case Account::Scheme::Argon2id:
      break;
  }
  return net::is_password_of(account.secret, password);
}

unsigned Denial::status() const {
  return why == Why::Wrong ? 401 : why == Why::TooMany ? 429 : 503;
}

std::string Denial::message() const {
  switch (why) {
    case Why::Wrong:
      return "The name or the password is wrong";
    case Why::TooMany:
      return fmt::format("Too many wrong passwords from your address; try again in {} s",
                         again_after.count());
    case Why::Busy:
      break;
  }
  return fmt::format("Too many passwords are being checked; try again in {} s",
                     again_after.count());
}

void Accounts::Strikes::add(Instant now, int free) {
  if (now - std::max(last, until) > forgotten_after) *this = {};
  last = now;
  if (++count < free) return;
  pause = std::clamp<Duration>(2 * pause, pause_min, pause_max);
  until = now + pause;
}

// Somebody with a name and a password.
struct Accounts::Try {
  std::string_view name;
  std::string_view password;
  std::string place;
  std::string place_and_name;
  std::string digest;
  std::shared_ptr<Loaded> loaded;
  Account const* account = nullptr;  // none of that name
};

Accounts::Accounts(std::string path, Clock& clock, Random& random, Verify verify)
    : path_(std::move(path)),
      clock_(clock),
      verify_(std::move(verify)),
      key_(new_key(random)),
      by_name_(places_max),
      by_place_(places_max),
      friends_(places_max) {}

Accounts::Checked Accounts::check(std::string_view name, std::string_view password,
                                  std::string_view address) {
  Try one{.name = name, .password = password, .place = place_of(address)};
  one.place_and_name = fmt::format("{} {}", one.place, name);
  one.digest = digest_of(name, password);
  auto now = clock_.now();
  auto const deadline = now + wait_max;
  Guard guard(clock_, mutex_);
  for (;; now = clock_.now()) {
    read_if_changed(now);
    one.loaded = loaded_;
    auto const& accounts = loaded_->parsed.accounts;
    auto const found = accounts.find(name);
    one.account = found == accounts.end() ? nullptr : &found->second;

    if (auto const left = pause_of(one, now); left > Duration(0)) {
      return tl::unexpected(Denial{Denial::Why::TooMany, whole_seconds(left)});
    }
    auto const is_slow = one.account && one.account->scheme == Account::Scheme::Argon2id;
    if (one.account &&
        (is_slow ? loaded_->right.contains(one.digest) : is_password(*one.account, password))) {
      return let_in(one);
    }
    // What is wrong takes as long for every name.
    if (loaded_->decoy.empty()) return wrong(one, now);
    auto const is_turn = under_way_.size() < checks_max && !under_way_.contains(one.digest);
    if (is_turn) break;
    // Whoever has what is being checked for another is told with him.
    std::size_t const counts = under_way_.contains(one.digest) ? 0 : 1;
    if (waiting_ + counts > waiting_max || now >= deadline) {
      return tl::unexpected(Denial{Denial::Why::Busy, busy_again_after});
    }
    waiting_ += counts;
    clock_.wait_until(guard, changed_, deadline);
    waiting_ -= counts;
  }
  under_way_.insert(one.digest);
  guard.unlock();
  auto const is_slow = one.account && one.account->scheme == Account::Scheme::Argon2id;
  auto const is_right =
      verify_(is_slow ? one.account->secret : one.loaded->decoy, password) && is_slow;
  now = clock_.now();
  guard.lock();
  under_way_.erase(one.digest);
  clock_.notify_all(changed_);
  if (!is_right) return wrong(one, now);
  one.loaded->right.insert(one.digest);
  return let_in(one);
}

Accounts::Checked Accounts::let_in(Try const& one) {
  friends_.entry(one.place_and_name);
  return std::shared_ptr<Account const>(one.loaded, one.account);
}

// How long nothing is looked at.
Duration Accounts::pause_of(Try const& one, Instant now) {
  auto const* of_name = by_name_.find(one.place_and_name);
  auto const left = of_name ? of_name->left(now) : Duration(0);
  if (one.account && friends_.find(one.place_and_name)) return left;
  auto const* of_all = by_place_.find(one.place);
  return std::max(left, of_all ? of_all->left(now) : Duration(0));
}

Accounts::Checked Accounts::wrong(Try const& one, Instant now) {
  by_name_.entry(one.place_and_name).add(now, wrong_ones_free);
  by_place_.entry(one.place).add(now, wrong_ones_free_of_all);
  // What is no name here may be a password that was typed in its place.
  auto const name =
      one.account ? fmt::format("of {}", one.name) : std::string("for a name that there isn't");
  auto const left = whole_seconds(pause_of(one, now)).count();
  log::warning("Remote API: a wrong password {}, from {}{}", name, one.place,
               left == 0 ? "" : fmt::format("; it is not looked at again for {} s", left));
  return tl::unexpected(Denial{Denial::Why::Wrong});
}

void Accounts::read_if_changed(Instant now) {
  auto look = look_of(path_);
  if (look != seen_) {
    seen_ = std::move(look);
    seen_since_ = now;
    is_settled_ = false;
    if (is_open_to_all(path_)) {
      log::warning("{} can be read by everybody on this machine: chmod o-r {}", path_, path_);
    }
  }
  if (is_settled_) return;
  is_settled_ = now - seen_since_ >= settles_after;
  read();
}

void Accounts::read() {
  auto const text = sys::read_file(path_, net::users_file_bytes_max);
  if (!text) return forget_all(text.error().message);
  auto text_digest = digest_of(*text, "");
  if (text_digest == loaded_->text_digest) return;
  auto loaded = std::make_shared<Loaded>();
  loaded->parsed = parse_accounts(*text);
  loaded->text_digest = std::move(text_digest);
  for (auto const& [name, account] : loaded->parsed.accounts) {
    if (account.scheme == Account::Scheme::Argon2id) loaded->decoy = account.secret;
  }
  fault_.clear();
  log::info("Remote API: {} accounts in {}", loaded->parsed.accounts.size(), path_);
  auto const faults = std::exchange(loaded->parsed.faults, {});
  for (std::size_t i = 0; i < std::min(faults.size(), faults_told_max); ++i) {
    log::warning("{}: {}", path_, faults[i]);
  }
  if (faults.size() > faults_told_max) {
    log::warning("{}: and {} faults more", path_, faults.size() - faults_told_max);
  }
  loaded_ = std::move(loaded);
}

// Who can't be looked up may have been taken away on purpose.
void Accounts::forget_all(std::string const& fault) {
  auto const had_any = !loaded_->parsed.accounts.empty();
  if (had_any || !loaded_->text_digest.empty()) loaded_ = std::make_shared<Loaded>();
  if (fault == fault_) return;
  fault_ = fault;
  if (!sys::exists(path_) && errno == ENOENT) {
    // Nobody has made one yet.
    if (had_any) log::warning("{} is gone: the remote API has no accounts any more", path_);
    return;
  }
  log::error(
      "{}. Until that is mended the remote API has no accounts: the file must be a regular one of "
      "at most {} KiB that the user {} can read (chgrp {} {} && chmod 640 {})",
      fault, net::users_file_bytes_max / 1024, flotte_user, flotte_user, path_, path_);
}

std::string Accounts::digest_of(std::string_view first, std::string_view second) const {
  // No other two texts are one together with this.
  auto const text = fmt::format("{} {}{}", first.size(), first, second);
  std::array<char, EVP_MAX_MD_SIZE> made{};
  unsigned size = 0;
  CHECK(::HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
               reinterpret_cast<unsigned char const*>(text.data()), text.size(),
               reinterpret_cast<unsigned char*>(made.data()), &size) != nullptr);
  return {made.data(), size};
}

}  // namespace flotte::rapi
