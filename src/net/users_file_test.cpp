#include "net/users_file.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "net/passwords.h"

namespace flotte::net {
namespace {

TEST(UsersFile, another_password_changes_nothing_else) {
  EXPECT_EQ(with_password("# people\r\n\tjack  old\tread , write \r\njill x", "jack", "new", {}),
            "# people\r\n\tjack new\tread , write \r\njill x");
  EXPECT_EQ(with_password("jill x", "jill", "new", {}), "jill new");
  EXPECT_EQ(with_password("jill\n", "jill", "new", {}), "jill new\n");
}

TEST(UsersFile, the_line_that_counts_is_changed) {
  EXPECT_EQ(with_password("a 1\nb 1\na 2\n#a 3\n", "a", "new", {}), "a 1\nb 1\na new\n#a 3\n");
}

TEST(UsersFile, options_become_others_where_they_are_given) {
  EXPECT_EQ(with_password("a 1 read, x # y\r\nb 2", "a", "new", "write"), "a new write\r\nb 2");
  EXPECT_EQ(with_password("a 1 read\n", "a", "new", ""), "a new\n");
  EXPECT_EQ(with_password("a 1\n", "a", "new", "read"), "a new read\n");
}

TEST(UsersFile, a_new_user_is_a_new_line) {
  EXPECT_EQ(with_password("", "a", "new", {}), "a new\n");
  EXPECT_EQ(with_password("b 1", "a", "new", "@operator"), "b 1\na new @operator\n");
}

TEST(UsersFile, whatever_stands_in_it_the_user_has_the_password_and_all_others_theirs) {
  constexpr std::string_view bytes("ab {}#,\t\r\n\n\0\xff\xef\xbb\xbf", 16);
  SeededRandom random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto left = random.below(30); left > 0; --left) text += bytes[random.below(bytes.size())];
    auto const changed = with_password(text, "a", "new", {});
    auto expected = user_lines(text);
    auto const found = std::find_if(expected.rbegin(), expected.rend(),
                                    [](UserLine const& line) { return line.name == "a"; });
    if (found == expected.rend()) {
      expected.push_back({.name = "a", .password = "new"});
    } else {
      found->password = "new";
    }
    auto const lines = user_lines(changed);
    ASSERT_EQ(lines.size(), expected.size()) << text;
    for (std::size_t at = 0; at < lines.size(); ++at) {
      EXPECT_EQ(lines[at].name, expected[at].name) << text;
      EXPECT_EQ(lines[at].password, expected[at].password) << text;
      EXPECT_EQ(lines[at].options, expected[at].options) << text;
    }
  }
}

TEST(UserOptions, are_such_as_there_may_be) {
  for (auto const* options : {"", "read", "write", "all", "@operator,-instances.migrate",
                              "instances.query.console,+tags.get"}) {
    EXPECT_TRUE(check_user_options(options)) << options;
  }
  for (auto const* options : {"reed", "read write", "read,\njill x write", "-read", "+@admin",
                              "@root", "read,,write", "Read", "instances"}) {
    EXPECT_FALSE(check_user_options(options)) << options;
  }
}

TEST(UserName, is_one_that_can_log_in) {
  EXPECT_TRUE(check_user_name("jack@example.org"));
  EXPECT_TRUE(check_user_name("p\xc3\xa4ule"));
  for (auto const* name : {"", "#jack", "ja ck", "ja:ck", "ja\nck", "\xef\xbb\xbfjack", "\xff"}) {
    EXPECT_FALSE(check_user_name(name)) << name;
  }
}

TEST(Passwords, a_hash_is_of_one_password_and_never_the_same) {
  SystemRandom random;
  auto const hash = hash_of_password("abc 123", random);
  EXPECT_TRUE(is_hash_of_password(hash)) << hash;
  EXPECT_TRUE(is_password_of(hash, "abc 123"));
  EXPECT_FALSE(is_password_of(hash, "abc 124"));
  EXPECT_FALSE(is_password_of(hash, std::string_view("abc 123\0", 8)));
  EXPECT_NE(hash_of_password("abc 123", random), hash);
}

TEST(Passwords, what_would_ruin_the_machine_is_no_hash) {
  constexpr auto rest = "$c2FsdHNhbHRzYWx0$zeAD4IDo/sKEplkUQJ9iAwFbszRpPwWnt0h8m/u8Jd4";
  auto const is_one = [&](std::string const& begin) { return is_hash_of_password(begin + rest); };
  EXPECT_TRUE(is_one("$argon2id$v=19$m=64,t=1,p=1"));
  EXPECT_TRUE(is_one("$argon2id$v=19$m=102400,t=2,p=8")) << "as others make it";
  for (auto const* begin : {"$argon2id$v=19$m=4194304,t=1,p=1", "$argon2id$v=19$m=64,t=17,p=1",
                            "$argon2id$v=19$m=640,t=1,p=17", "$argon2id$v=19$m=64,t=0,p=1",
                            "$argon2id$v=19$m=64,t=1,p=0", "$argon2id$v=19$m=15,t=1,p=2",
                            "$argon2id$v=19$m=99999999999,t=1,p=1", "$argon2id$v=19$m=-64,t=1,p=1",
                            "$argon2i$v=19$m=64,t=1,p=1", "$argon2id$m=64,t=1,p=1", ""}) {
    EXPECT_FALSE(is_one(begin)) << begin;
  }
  for (auto const* hash : {"", "$argon2id$v=19$m=64,t=1,p=1",
                           "$argon2id$v=19$m=64,t=1,p=1$c2Fs$zeAD4IDo/sKEplkUQJ9iAw",
                           "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$zeAD",
                           "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$zeAD4IDo/sKEplkUQJ9i!w"}) {
    EXPECT_FALSE(is_hash_of_password(hash)) << hash;
    EXPECT_FALSE(is_password_of(hash, "")) << hash;
  }
}

}  // namespace
}  // namespace flotte::net
