#include "rapi/accounts.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "base/log.h"

namespace flotte::rapi {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Why = Denial::Why;

// Of "abc123"; the first is jack's.
constexpr auto ha1 = "{HA1}54C12257ee9be413f2f3182435514aae";
constexpr auto argon2id =
    "{Argon2id}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$"
    "zeAD4IDo/sKEplkUQJ9iAwFbszRpPwWnt0h8m/u8Jd4";
constexpr auto address = "192.0.2.7:4711";

// Goes on when it is told to.
class HandClock final : public SystemClock {
 public:
  Instant now() override { return now_.load(); }
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override {
    if (!is_impatient) return SystemClock::wait_until(lock, condition, Instant::max());
    now_ = deadline;
    return false;
  }
  void pass(Duration duration) { now_ = now_.load() + duration; }

  bool is_impatient = false;  // what is waited for takes too long

 private:
  std::atomic<Instant> now_ = Instant(1h);
};

// --- What stands in the file

Account jack(std::string const& password) {
  auto const parsed = parse_accounts("jack " + password);
  EXPECT_THAT(parsed.faults, IsEmpty());
  auto const found = parsed.accounts.find("jack");
  if (found != parsed.accounts.end()) return found->second;
  ADD_FAILURE() << password;
  return {};
}

std::vector<std::string> faults_of(std::string const& text) {
  return parse_accounts(text).faults;
}

std::vector<std::string> names_in(std::string const& text) {
  std::vector<std::string> names;
  for (auto const& [name, account] : parse_accounts(text).accounts) names.push_back(name);
  return names;
}

TEST(RapiPasswords, each_scheme_takes_the_right_one_and_no_other) {
  for (auto const& stored :
       {std::string("abc123"), std::string("{cleartext}abc123"), std::string("{ClearText}abc123"),
        std::string(ha1), std::string(argon2id)}) {
    auto const account = jack(stored);
    EXPECT_TRUE(is_password(account, "abc123")) << stored;
    for (auto const* wrong : {"", "abc12", "abc1234", "Abc123", "{cleartext}abc123"}) {
      EXPECT_FALSE(is_password(account, wrong)) << stored << " " << wrong;
    }
    EXPECT_FALSE(is_password(account, stored) && stored != "abc123") << stored;
    EXPECT_FALSE(is_password(account, std::string_view("abc123\0x", 8))) << stored;
  }
}

TEST(RapiPasswords, a_digest_is_one_name_s) {
  auto account = jack(ha1);
  account.name = "jill";
  EXPECT_FALSE(is_password(account, "abc123"));
}

TEST(RapiPasswords, a_plain_one_may_have_anything_in_it_but_blanks) {
  for (auto const* password : {"a#b", "a:b", "a{b}", "}", "p\xc3\xa4ss", "\xff\xfe"}) {
    EXPECT_TRUE(is_password(jack(password), password));
  }
}

TEST(RapiAccounts, faults_are_told_by_line_and_never_say_what_stands_there) {
  std::string const text =
      "# comment\n"
      "\n"
      "fine secret1 read\n"
      "secret2\n"
      "a {SHA512}secret3\n"
      "b {secret4\n"
      "c {}secret5\n"
      "d {HA1}secret6\n"
      "e {HA1}54c12257ee9be413f2f3182435514aag\n"
      "f {argon2id}$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$secret7secret7secret7sec\n"
      "g {cleartext}\n"
      "h:secret8 x\n"
      "i secret9 read,secret10\n"
      "j secret11 -secret12\n";
  auto const parsed = parse_accounts(text);
  EXPECT_THAT(
      parsed.faults,
      ElementsAre("line 4 has no password: it is left out",
                  "line 5 has a password of an unknown scheme: it is left out",
                  "line 6 has a password of an unknown scheme: it is left out",
                  "line 7 has a password of an unknown scheme: it is left out",
                  "line 8 has no MD5 behind {HA1}: it is left out",
                  "line 9 has no MD5 behind {HA1}: it is left out",
                  "line 10 has no hash of Argon2id behind {argon2id}, or one that takes too much: "
                  "it is left out",
                  "line 11 has an empty password: it is left out",
                  "line 12 has a name that nobody could log in with: it is left out",
                  "line 13 has 1 unknown option, which gives nothing",
                  "line 14 takes away a permission that there isn't: it is left out"));
  for (auto const& fault : parsed.faults) EXPECT_THAT(fault, Not(HasSubstr("secret")));
  EXPECT_THAT(names_in(text), ElementsAre("fine", "i"));
}

TEST(RapiAccounts, the_last_line_of_a_name_counts) {
  auto const parsed = parse_accounts("jack old write\njill x\njack new read\n");
  EXPECT_THAT(parsed.faults, ElementsAre("line 3 has the name of line 1, which counts no more"));
  auto const& account = parsed.accounts.find("jack")->second;
  EXPECT_TRUE(is_password(account, "new"));
  EXPECT_FALSE(account.rights.writes);
  // Also when it is wrong: the earlier password may have been the reason for it.
  EXPECT_THAT(names_in("jack old write\njack {sha1}new\n"), IsEmpty());
  EXPECT_THAT(names_in("jack old write\njack\n"), IsEmpty());
}

TEST(RapiAccounts, lines_end_and_words_are_parted_as_editors_do_it) {
  EXPECT_THAT(names_in("\xef\xbb\xbfjack abc\r\n\r\n  # x\r\n\t jill \t abc \t read\r\njoe abc"),
              ElementsAre("jack", "jill", "joe"));
  EXPECT_TRUE(is_password(parse_accounts("jack abc\r\n").accounts.find("jack")->second, "abc"));
  auto const parsed = parse_accounts("jill abc read , write\r\n");
  EXPECT_TRUE(parsed.accounts.find("jill")->second.rights.writes);
  EXPECT_THAT(parsed.faults, IsEmpty());
}

TEST(RapiAccounts, odd_bytes_are_no_names) {
  using namespace std::string_literals;
  for (auto const& name : {"a\0b"s, "a\x01"s, "a\x7f"s, "\xff"s, "a\xc3"s, "\xc0\xaf"s,
                           "\xed\xa0\x80"s, "\xf5\x80\x80\x80"s, std::string(257, 'a')}) {
    EXPECT_THAT(names_in(name + " pw\n"), IsEmpty()) << name;
    EXPECT_EQ(faults_of(name + " pw\n").size(), 1U) << name;
  }
  EXPECT_THAT(names_in("p\xc3\xa4ule pw\n"), ElementsAre("p\xc3\xa4ule"));
  EXPECT_THAT(names_in("\xf0\x9f\x98\x80 pw\n"), ElementsAre("\xf0\x9f\x98\x80"));
}

TEST(RapiAccounts, a_long_line_is_a_line) {
  std::string const text = "jack " + std::string(1 << 20, 'x') + " read\njill y\n";
  EXPECT_THAT(names_in(text), ElementsAre("jack", "jill"));
  EXPECT_THAT(names_in(std::string(1 << 20, 'x')), IsEmpty());
  EXPECT_THAT(names_in("\n\n\n"), IsEmpty());
}

// --- Roles

Rights rights(std::string_view options) {
  auto found = rights_of(options);
  EXPECT_TRUE(found) << options;
  return found ? *found : Rights{};
}

bool may(std::string_view options, std::string_view permission) {
  return rights(options).permissions.contains(permission);
}

TEST(RapiPermissions, roles_have_what_is_ganeti_s) {
  EXPECT_THAT(
      rights("@readonly").permissions,
      ElementsAre("cluster.info", "filter.list", "filter.query", "groups.list", "groups.query",
                  "instances.info", "instances.list", "instances.query", "jobs.list", "jobs.query",
                  "networks.list", "networks.query", "nodes.list", "nodes.query",
                  "nodes.role.query", "os.list", "query.all", "tags.get"));
  auto more = rights("@operator").permissions;
  for (auto const& permission : rights("@readonly").permissions) {
    EXPECT_EQ(more.erase(permission), 1U) << permission;
  }
  EXPECT_THAT(more,
              ElementsAre("instances.export.create", "instances.export.prepare",
                          "instances.export.remove", "instances.failover", "instances.migrate",
                          "instances.query.console", "instances.reboot", "instances.replace_disks",
                          "instances.shutdown", "instances.startup"));
  for (auto const* all : {"@admin", "write", "all"}) {
    EXPECT_EQ(rights(all).permissions.size(), permissions().size()) << all;
    EXPECT_TRUE(rights(all).writes && rights(all).reads) << all;
  }
  EXPECT_EQ(permissions().size(), 66U);
}

TEST(RapiPermissions, read_also_has_the_console_as_in_ganeti_3_0) {
  EXPECT_TRUE(may("read", "instances.query.console"));
  EXPECT_TRUE(may("read", "instances.list"));
  EXPECT_FALSE(may("@readonly", "instances.query.console"));
  EXPECT_TRUE(rights("read").reads && rights("@readonly").reads && rights("@operator").reads);
  EXPECT_FALSE(rights("read").writes || rights("@readonly").writes || rights("@operator").writes);
}

TEST(RapiPermissions, single_ones_are_given_and_taken_in_whichever_order) {
  EXPECT_THAT(rights("instances.startup,+tags.get").permissions,
              ElementsAre("instances.startup", "tags.get"));
  for (auto const* options : {"@operator,-instances.migrate", "-instances.migrate , @operator",
                              "-instances.migrate,@operator,+instances.migrate"}) {
    EXPECT_FALSE(may(options, "instances.migrate")) << options;
    EXPECT_TRUE(may(options, "instances.failover")) << options;
  }
  EXPECT_THAT(rights("").permissions, IsEmpty());
  EXPECT_FALSE(rights("").reads);
}

TEST(RapiPermissions, what_there_is_not_gives_nothing_and_takes_nothing) {
  for (auto const* options : {"@root", "Read", "read write", "instances.*", "+@admin", "+", "+read",
                              "instances", "@", "write # all"}) {
    auto const found = rights(options);
    EXPECT_THAT(found.permissions, IsEmpty()) << options;
    EXPECT_EQ(found.unknown, 1U) << options;
  }
  for (auto const* options : {"-", "write,-instances.delete", "-@admin", "-write"}) {
    EXPECT_FALSE(rights_of(options)) << options;
  }
  EXPECT_EQ(rights("read,").unknown, 0U);
}

// --- Who comes in

class RapiAccountsFile : public ::testing::Test {
 protected:
  RapiAccountsFile() {
    EXPECT_TRUE(log::open(directory_ + "/log", log::Level::Debug));
    write("jack abc123 read\n");
  }
  ~RapiAccountsFile() override {
    EXPECT_TRUE(log::open("", log::Level::Info));
    std::filesystem::remove_all(directory_);
  }

  static std::string new_directory() {
    auto pattern = ::testing::TempDir() + "/flotte-accounts-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  void write(std::string const& text) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), 0640);
  }
  std::string log() const {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/log").rdbuf();
    return text.str();
  }
  std::size_t lines_with(std::string const& words) const {
    std::istringstream lines(log());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(words) != std::string::npos) ++count;
    }
    return count;
  }
  bool is_let_in(std::string_view name, std::string_view password,
                 std::string_view from = address) {
    return accounts_.check(name, password, from).has_value();
  }
  // Of somebody who isn't let in.
  Denial denial(std::string_view name = "jack", std::string_view password = "wrong",
                std::string_view from = address) {
    auto const checked = accounts_.check(name, password, from);
    if (!checked) return checked.error();
    ADD_FAILURE() << "was let in";
    return {};
  }
  void be_wrong(int times, std::string_view from = address, std::string_view name = "jack") {
    for (int i = 0; i < times; ++i) EXPECT_EQ(denial(name, "wrong", from).why, Why::Wrong) << i;
  }

  std::string const directory_ = new_directory();
  std::string const path_ = directory_ + "/users";
  HandClock clock_;
  SeededRandom random_{1};
  std::atomic<int> verified_ = 0;
  // Called by each check of Argon2id.
  std::function<void()> on_verify_ = [] {};
  Accounts accounts_{path_, clock_, random_, [this](auto const& hash, auto password) {
                       ++verified_;
                       on_verify_();
                       return net::is_password_of(hash, password);
                     }};
};

TEST_F(RapiAccountsFile, who_is_right_comes_in_and_nobody_else) {
  write(fmt::format("jack {} read\njoe {} write\nann plain @operator\n", ha1, argon2id));
  auto const jack = accounts_.check("jack", "abc123", address);
  ASSERT_TRUE(jack);
  EXPECT_EQ((*jack)->name, "jack");
  EXPECT_TRUE((*jack)->may("instances.list"));
  EXPECT_FALSE((*jack)->may("instances.remove"));
  EXPECT_TRUE(is_let_in("joe", "abc123"));
  EXPECT_TRUE(is_let_in("ann", "plain"));
  for (auto const& [name, password] :
       {std::pair("jack", "plain"), {"nobody", "abc123"}, {"", ""}, {"joe", ""}}) {
    auto const denied = denial(name, password);
    EXPECT_EQ(denied.status(), 401U);
    EXPECT_EQ(denied.message(), "The name or the password is wrong");
  }
}

TEST_F(RapiAccountsFile, a_change_is_taken_up_and_so_is_a_removal) {
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  write("jack other1 read\n");
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  EXPECT_TRUE(is_let_in("jack", "other1"));
  for (int i = 0; i < 3; ++i) {
    clock_.pass(1h);
    EXPECT_TRUE(is_let_in("jack", "other1"));
  }
  write("jill abc123\n");
  EXPECT_FALSE(is_let_in("jack", "other1"));
  EXPECT_TRUE(is_let_in("jill", "abc123"));
}

// Many of these are within one tick of the clock that files are stamped with, as long as the kernel
// is older than 6.13.
TEST_F(RapiAccountsFile, one_that_is_written_again_at_once_is_read_again) {
  for (int i = 100; i < 600; ++i) {
    write(fmt::format("jack abc{}\n", i));
    ASSERT_TRUE(is_let_in("jack", fmt::format("abc{}", i)));
  }
}

TEST_F(RapiAccountsFile, one_that_is_gone_leaves_no_accounts) {
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  std::filesystem::remove(path_);
  EXPECT_EQ(denial("jack", "abc123").why, Why::Wrong);
  EXPECT_EQ(denial("jack", "abc123").why, Why::Wrong);
  EXPECT_EQ(lines_with("is gone"), 1U);
  write("jack abc123 read\n");
  EXPECT_TRUE(is_let_in("jack", "abc123")) << "the same text again";
}

TEST_F(RapiAccountsFile, one_that_there_never_was_is_not_worth_a_line) {
  std::filesystem::remove(path_);
  EXPECT_EQ(denial().why, Why::Wrong);
  EXPECT_EQ(lines_with("users"), 0U);
}

TEST_F(RapiAccountsFile, one_that_is_too_large_or_no_file_leaves_no_accounts) {
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  write("jack abc123\n" + std::string(1 << 20, '#'));
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  EXPECT_EQ(lines_with("users is larger than 1048576 bytes. Until that is mended"), 1U);
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0640), 0);
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  EXPECT_EQ(lines_with("it is no regular file"), 1U);
  std::filesystem::remove(path_);
  write("jack abc123\n" + std::string((1 << 20) - 12, '#'));
  EXPECT_TRUE(is_let_in("jack", "abc123"));
}

TEST_F(RapiAccountsFile, one_that_may_not_be_read_leaves_no_accounts_until_it_may) {
  ::chmod(path_.c_str(), 0600);
  if (::getuid() == 0) {
    ::chmod(directory_.c_str(), 0755);
    ASSERT_EQ(::seteuid(65534), 0);
  }
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  EXPECT_FALSE(is_let_in("jack", "abc123"));
  if (::getuid() == 0) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_EQ(lines_with("Permission denied"), 1U);
  EXPECT_THAT(log(), HasSubstr("chgrp flotte " + path_ + " && chmod 640 " + path_));
  ::chmod(path_.c_str(), 0644);
  EXPECT_TRUE(is_let_in("jack", "abc123"));
}

TEST_F(RapiAccountsFile, one_that_everybody_may_read_is_warned_of_once) {
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_EQ(lines_with("can be read by everybody"), 0U);
  ::chmod(path_.c_str(), 0644);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_EQ(lines_with("can be read by everybody on this machine: chmod o-r " + path_), 1U);
}

TEST_F(RapiAccountsFile, faults_are_logged_once_and_not_without_end) {
  std::string text = "jack abc123\n";
  for (int i = 0; i < 100; ++i) text += fmt::format("u{} {{x}}secret\n", i);
  write(text);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_EQ(lines_with("unknown scheme"), 20U);
  EXPECT_EQ(lines_with("and 80 faults more"), 1U);
  EXPECT_THAT(log(), Not(HasSubstr("secret")));
}

// --- Wrong passwords

TEST_F(RapiAccountsFile, pauses_grow_to_a_minute_and_are_forgotten) {
  be_wrong(5);
  for (auto const pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    auto const denied = denial();
    EXPECT_EQ(denied.why, Why::TooMany);
    EXPECT_EQ(denied.status(), 429U);
    EXPECT_EQ(denied.again_after, pause);
    EXPECT_THAT(denied.message(), EndsWith(fmt::format("try again in {} s", pause.count())));
    clock_.pass(pause - 1ms);
    EXPECT_EQ(denial("jack", "abc123").again_after, 1s) << "nor is a right one looked at";
    clock_.pass(1ms);
    be_wrong(1);
  }
  clock_.pass(60s + 10min + 1ms);
  be_wrong(5);
  EXPECT_EQ(denial().again_after, 1s);
  clock_.pass(1s);
  EXPECT_TRUE(is_let_in("jack", "abc123"));
}

TEST_F(RapiAccountsFile, a_right_one_does_not_make_up_for_wrong_ones) {
  write("jack abc123\njill abc123\n");
  for (int i = 0; i < 5; ++i) {
    be_wrong(1);
    EXPECT_TRUE(is_let_in("jill", "abc123"));
  }
  EXPECT_EQ(denial().why, Why::TooMany);
}

TEST_F(RapiAccountsFile, who_is_elsewhere_is_not_held_up) {
  be_wrong(5, "192.0.2.7:1");
  EXPECT_EQ(denial("jack", "abc123", "192.0.2.7:2").why, Why::TooMany);
  EXPECT_EQ(denial("jack", "abc123", "192.0.2.7").why, Why::TooMany);
  EXPECT_EQ(denial("jack", "abc123", "[::ffff:192.0.2.7]:1").why, Why::TooMany);
  EXPECT_TRUE(is_let_in("jack", "abc123", "192.0.2.8:1"));
  be_wrong(5, "[2001:db8::1]:1");
  EXPECT_EQ(denial("jack", "abc123", "2001:db8::2").why, Why::TooMany);
  EXPECT_EQ(denial("jack", "abc123", "[2001:db8::ffff:1%eth0]:9").why, Why::TooMany);
  EXPECT_TRUE(is_let_in("jack", "abc123", "[2001:db8:0:1::1]:1"));
  be_wrong(5, "unix socket");
  EXPECT_EQ(denial("jack", "abc123", "unix socket").why, Why::TooMany);
}

TEST_F(RapiAccountsFile, a_name_is_held_up_by_what_is_tried_with_it_and_no_other) {
  write("jack abc123\njill abc123\n");
  be_wrong(5, address, "jack");
  EXPECT_EQ(denial("jack", "abc123").why, Why::TooMany);
  EXPECT_EQ(denial("nobody", "x").why, Why::Wrong);
  EXPECT_TRUE(is_let_in("jill", "abc123")) << "behind the same proxy, say";
  be_wrong(5, address, "jill");
  EXPECT_EQ(denial("jill", "abc123").again_after, 1s);
  EXPECT_TRUE(is_let_in("jill", "abc123", "192.0.2.8")) << "from elsewhere";
}

TEST_F(RapiAccountsFile, who_tries_many_names_holds_up_all_but_those_who_were_right_here) {
  write("jack abc123\njill abc123\n");
  EXPECT_TRUE(is_let_in("jill", "abc123"));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(denial(fmt::format("x{}", i), "x").why, Why::Wrong);
  EXPECT_EQ(denial("another", "x").why, Why::TooMany);
  EXPECT_EQ(denial("jack", "abc123").why, Why::TooMany);
  EXPECT_TRUE(is_let_in("jill", "abc123"));
  EXPECT_TRUE(is_let_in("jack", "abc123", "192.0.2.8"));
}

TEST_F(RapiAccountsFile, ten_thousand_wrong_ones_are_hardly_looked_at) {
  write(fmt::format("jack {} read\n", argon2id));
  for (int i = 0; i < 10'000; ++i) denial("jack", fmt::format("guess{}", i));
  EXPECT_EQ(verified_, 5);
  EXPECT_EQ(lines_with("wrong password"), 5U);
}

TEST(RapiRecent, keeps_so_many_and_forgets_the_oldest) {
  Recent<int> recent(1000);
  for (int i = 0; i < 10'000; ++i) {
    recent.entry(std::to_string(i)) = i;
    recent.entry("0") = 0;
  }
  EXPECT_EQ(recent.size(), 1000U);
  EXPECT_NE(recent.find("0"), nullptr) << "asked for all the time";
  ASSERT_NE(recent.find("9999"), nullptr);
  EXPECT_EQ(*recent.find("9999"), 9999);
  EXPECT_EQ(recent.find("9000"), nullptr);
  EXPECT_NE(recent.find("9001"), nullptr);
}

TEST_F(RapiAccountsFile, places_without_number_take_no_memory_without_end) {
  be_wrong(5, "198.51.100.1");
  for (int i = 0; i < 10'000; ++i) denial("jack", "x", fmt::format("10.0.{}.{}", i / 250, i % 250));
  EXPECT_EQ(denial("jack", "x", "198.51.100.1").why, Why::Wrong) << "the oldest is forgotten";
}

TEST_F(RapiAccountsFile, what_was_tried_is_in_no_log) {
  denial("jack", "secret-password");
  denial("secret-typed-as-name", "x");
  EXPECT_EQ(lines_with("a wrong password of jack, from 192.0.2.7"), 1U);
  EXPECT_EQ(lines_with("for a name that there isn't, from 192.0.2.7"), 1U);
  EXPECT_THAT(log(), Not(HasSubstr("secret")));
}

// --- Argon2id

TEST_F(RapiAccountsFile, a_right_password_is_remembered_until_the_file_changes) {
  write(fmt::format("jack {} read\n", argon2id));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_EQ(verified_, 1);
  EXPECT_EQ(denial("jack", "abc124").why, Why::Wrong);
  EXPECT_EQ(verified_, 2);
  write(fmt::format("jack {} write\n", argon2id));
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_EQ(verified_, 3);
}

TEST_F(RapiAccountsFile, what_is_remembered_is_of_one_name) {
  write(fmt::format("jack {}\njackabc {}\n", argon2id, argon2id));
  EXPECT_TRUE(is_let_in("jack", "abc123"));
  EXPECT_FALSE(is_let_in("jackabc", "123"));
}

TEST_F(RapiAccountsFile, a_name_that_there_is_not_takes_as_long) {
  write(fmt::format("jack {}\njill abc123\n", argon2id));
  EXPECT_EQ(denial("nobody", "abc123").why, Why::Wrong);
  EXPECT_EQ(verified_, 1);
  EXPECT_EQ(denial("jill", "wrong").why, Why::Wrong);
  EXPECT_EQ(verified_, 2);
  EXPECT_TRUE(is_let_in("jill", "abc123"));
  EXPECT_EQ(verified_, 2);
}

TEST_F(RapiAccountsFile, two_are_checked_at_a_time_a_few_wait_and_the_others_come_again) {
  write(fmt::format("jack {}\n", argon2id));
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::promise<void> go_on;
  on_verify_ = [&, gone_on = go_on.get_future().share()] {
    most = std::max<int>(most, ++now);
    gone_on.wait();
    --now;
  };
  std::atomic<int> busy = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::future<void>> all;
  for (int i = 0; i < 60; ++i) {
    all.push_back(std::async(std::launch::async, [&, i] {
      auto const denied = denial("jack", fmt::format("guess{}", i), fmt::format("10.0.0.{}", i));
      ++(denied.why == Why::Busy ? busy : wrong);
      EXPECT_THAT(denied.status(), AnyOf(401U, 503U));
      EXPECT_EQ(denied.again_after, denied.why == Why::Busy ? 1s : 0s);
    }));
  }
  auto const until = std::chrono::steady_clock::now() + 30s;
  while (busy < 26 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
  go_on.set_value();
  for (auto& one : all) one.get();
  EXPECT_EQ(busy, 60 - 2 - 32);
  EXPECT_EQ(wrong, 2 + 32);
  EXPECT_EQ(verified_, 2 + 32);
  EXPECT_EQ(most, 2);
}

TEST_F(RapiAccountsFile, nobody_waits_for_long) {
  write(fmt::format("jack {}\n", argon2id));
  std::promise<void> go_on;
  on_verify_ = [gone_on = go_on.get_future().share()] { gone_on.wait(); };
  clock_.is_impatient = true;
  auto first = std::async(std::launch::async, [&] { return is_let_in("jack", "abc123"); });
  while (verified_ == 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(denial("jack", "abc123").why, Why::Busy);
  go_on.set_value();
  EXPECT_TRUE(first.get());
}

TEST_F(RapiAccountsFile, programs_that_come_at_once_are_all_let_in_by_one_check) {
  write(fmt::format("jack {}\n", argon2id));
  std::promise<void> go_on;
  auto const gone_on = go_on.get_future().share();
  on_verify_ = [&] { gone_on.wait(); };
  std::vector<std::future<bool>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::async(std::launch::async, [&] { return is_let_in("jack", "abc123"); }));
  }
  while (verified_ == 0) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  go_on.set_value();
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_EQ(verified_, 1);
}

}  // namespace
}  // namespace flotte::rapi
