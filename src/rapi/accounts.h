// Accounts: who may ask what of the remote API: the users file in all of Ganeti's formats and our
// own (docs/ganeti.md, "Remote API"). Thread-safe.
//
// A wrong password costs whoever sent it time: after a few of one name from one address the next
// are refused without a look at them, until a pause is over that grows with each; after many of
// whatever names all of that address, but for those who gave a right one from there before. Nobody
// is locked out by what comes from another address.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "net/passwords.h"
#include "rapi/permissions.h"
#include "rapi/recent.h"

namespace flotte::rapi {

// What an account may do, and how its password is checked.
struct Account {
  enum class Scheme { Cleartext, Ha1, Argon2id };

  bool may(std::string_view permission) const { return rights.permissions.contains(permission); }

  std::string name;
  Scheme scheme = Scheme::Cleartext;
  std::string secret;  // as it stands in the file, behind the scheme
  Rights rights;
};

// The accounts of a file's text. Of several lines of a name the last one counts. Lines that can't
// be understood are left out; each is told in a sentence without what stands in it. Pure.
struct ParsedAccounts {
  std::map<std::string, Account, std::less<>> accounts;
  std::vector<std::string> faults;  // "line 3 has no password"
};
ParsedAccounts parse_accounts(std::string_view text);

// Whether the password is the account's. Takes the same time wherever they differ. Pure.
bool is_password(Account const& account, std::string_view password);

// Why somebody is not let in.
struct Denial {
  enum class Why {
    Wrong,    // the name or the password: he is not told which
    TooMany,  // wrong ones from where he is; this one was not looked at
    Busy,     // too many passwords are being checked; this one was not looked at
  };

  unsigned status() const;  // of HTTP: 401, 429, 503
  std::string message() const;

  Why why = Why::Wrong;
  std::chrono::seconds again_after{0};  // for the header Retry-After, but where it was wrong
};

class Accounts {
 public:
  using Verify = std::function<bool(std::string const& hash, std::string_view password)>;

  // `path`: of the users file. `verify` is for tests: what takes long.
  Accounts(std::string path, Clock& clock, Random& random, Verify verify = net::is_password_of);

  // Who it is. `address` is where he is, as text. Reads the file again where it has changed. May
  // take as long as a few checks of Argon2id.
  tl::expected<std::shared_ptr<Account const>, Denial> check(std::string_view name,
                                                             std::string_view password,
                                                             std::string_view address);

 private:
  // Wrong passwords from one place.
  struct Strikes {
    Duration left(Instant now) const { return std::max<Duration>(until - now, Duration(0)); }
    // `free`: so many cost nothing.
    void add(Instant now, int free);

    int count = 0;
    Instant last;
    Duration pause{0};
    Instant until;
  };
  // What was read of the file; `right` is guarded by the mutex, all else is never changed.
  struct Loaded {
    ParsedAccounts parsed;
    std::string text_digest;
    std::string decoy;  // a hash that nobody's password is compared with, but for the time
    std::set<std::string> right;  // digests of names and passwords that were right: no Argon2 again
  };
  struct Try;
  using Checked = tl::expected<std::shared_ptr<Account const>, Denial>;

  void read_if_changed(Instant now);
  void read();
  void forget_all(std::string const& fault);
  Checked let_in(Try const& one);
  Duration pause_of(Try const& one, Instant now);
  Checked wrong(Try const& one, Instant now);
  std::string digest_of(std::string_view first, std::string_view second) const;

  std::string const path_;
  Clock& clock_;
  Verify const verify_;
  std::string const key_;  // of the digests: those of no other process are the same
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Loaded> loaded_ = std::make_shared<Loaded>();
  std::string seen_;  // the file as it was when it was read
  Instant seen_since_;
  bool is_settled_ = false;  // read after what was seen could be written again without a trace
  std::string fault_;        // for which it can't be read, as it was told
  // By address and name, so that one program with an old password costs its neighbours nothing; and
  // by address of all that is tried there, but for those who were right from there before.
  Recent<Strikes> by_name_;
  Recent<Strikes> by_place_;
  Recent<bool> friends_;
  std::set<std::string> under_way_;  // digests that Argon2 is at work for
  std::size_t waiting_ = 0;
};

}  // namespace flotte::rapi
