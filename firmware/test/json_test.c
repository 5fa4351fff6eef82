/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "check.h"

#include <string.h>

static bool reads(const char *text) {
  parley_json_t value;
  return parley_json_read(parley_chars(text), &value);
}

static parley_json_t value_of(const char *text) {
  parley_json_t value;
  CHECK(parley_json_read(parley_chars(text), &value));
  return value;
}

static void accepts_json_only(void) {
  static const char *const good[] = {
      "{}",
      "[]",
      " [ ] ",
      "{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : true }",
      "0",
      "-0.5",
      "1e9",
      "1E+9",
      "1.25e-3",
      "\"\"",
      "\"\\u00aF\\n\"",
      "false",
      "[[],{},[{}]]",
      "{\"\":\"\"}",
  };
  static const char *const bad[] = {
      "",      " ",        "{",       "}",           "[1,]",         "{\"a\":1,}", "{\"a\"}",  "{a:1}",  "{\"a\" 1}",
      "[1 2]", "01",       "-",       "1.",          "1e",           "1e+",        "+1",       ".5",     "tru",
      "nulll", "\"",       "\"\\x\"", "\"\\u12g4\"", "\"\n\"",       "[1]]",       "{} {}",    "[}",     "{]",
      "\"\\",  "{\"a\":}", "[,1]",    "{,}",         "\"\xC0\x80\"", "\"\\u12",    "{\"a\":1", "[\"a\"", "{\"a\":\"",
      "{\"a",  "'a'",      "[1",      "{\"a\":1]",   "nan",
  };
  test_name("form");
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    check(reads(good[i]), good[i], __FILE__, __LINE__);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    check(!reads(bad[i]), bad[i], __FILE__, __LINE__);
  }
  parley_json_t value;
  CHECK(!parley_json_read(parley_chars_of((parley_text_t){"[\"\0\"]", 5}), &value));
  CHECK(!parley_json_read(parley_chars_of((parley_text_t){"\"\\\0\"", 4}), &value));
  CHECK(!parley_json_read(parley_chars_of((parley_text_t){"\"\\u00\0\"", 7}), &value));
}

static void bounds_depth(void) {
  char text[2 * PARLEY_JSON_DEPTH + 3];
  test_name("depth");
  for (size_t depth = PARLEY_JSON_DEPTH; depth <= PARLEY_JSON_DEPTH + 1; depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    CHECK(reads(text) == (depth == PARLEY_JSON_DEPTH));
  }
}

static void finds_members(void) {
  parley_json_t object =
      value_of(" {\"a\": {\"b\": [1, \"x]\\\"}\", {\"c\": 2}], \"\\u0065\": -7.0}, \"t\":true,\"a\":0 } ");
  parley_json_t inner = parley_json_get(object, "a"), element;
  int64_t number;
  bool flag;
  test_name("members");
  CHECK(parley_json_is_object(inner));
  CHECK(parley_json_whole(parley_json_get(inner, "e"), &number) && number == -7);
  CHECK(parley_json_flag(parley_json_get(object, "t"), &flag) && flag);
  parley_json_t walk = parley_json_walk(parley_json_get(inner, "b"));
  CHECK(parley_json_next(&walk, &element) && parley_json_whole(element, &number) && number == 1);
  CHECK(parley_json_next(&walk, &element) && parley_json_equal(element, "x]\"}"));
  CHECK(parley_json_next(&walk, &element) && parley_json_is_object(element));
  CHECK(!parley_json_next(&walk, &element));
  CHECK(!parley_json_is_object(parley_json_get(object, "none")));
  CHECK(!parley_json_is_object(parley_json_get(parley_json_get(object, "t"), "x")));
  walk = parley_json_walk(parley_json_get(object, "t"));
  CHECK(!parley_json_next(&walk, &element));
  CHECK(parley_chars_empty(parley_json_get_chars(object, "t")));
}

static void knows_whole_numbers(void) {
  static const struct {
    const char *text;
    bool is_whole;
    int64_t number;
  } cases[] = {{"0", true, 0},
               {"-12", true, -12},
               {"5.0", true, 5},
               {"5.00", true, 5},
               {"5.5", false, 0},
               {"1e3", false, 0},
               {"\"5\"", false, 0},
               {"null", false, 0},
               {"123456789012345", true, 123456789012345},
               {"1234567890123456", false, 0}};
  test_name("whole numbers");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t number = 0;
    bool is_whole = parley_json_whole(value_of(cases[i].text), &number);
    check(is_whole == cases[i].is_whole && (!is_whole || number == cases[i].number), cases[i].text, __FILE__, __LINE__);
  }
  bool flag = true;
  CHECK(parley_json_flag(value_of("false"), &flag) && !flag);
  CHECK(!parley_json_flag(value_of("1"), &flag));
}

void json_tests(void) {
  accepts_json_only();
  bounds_depth();
  finds_members();
  knows_whole_numbers();
}
