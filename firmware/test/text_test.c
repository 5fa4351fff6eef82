/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include "check.h"

#include <string.h>

static bool shows(parley_chars_t chars, parley_form_t form, const parley_mask_t *mask, const char *expected) {
  char out[256];
  parley_writer_t writer = parley_writer(out, sizeof out - 1);
  bool whole = parley_put_chars(&writer, &chars, form, mask, writer.room);
  out[writer.length] = '\0';
  return whole && strcmp(out, expected) == 0;
}

static parley_chars_t escaped(const char *text) {
  parley_chars_t chars = parley_chars(text);
  chars.escaped = true;
  return chars;
}

static void reads_characters(void) {
  test_name("characters");
  CHECK(shows(parley_chars("a\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80"), PARLEY_AS_IS, NULL,
              "a\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80"));
  /* overlong, surrogate, too large, cut, lone continuation */
  static const char *const bad[] = {"\xC0\x80",         "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                    "\xF0\x80\x80\x80", "\xE2\x82",     "\x80",         "\xF8\x88\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CHECK(!parley_utf8_valid(bad[i], strlen(bad[i])));
    parley_chars_t chars = parley_chars(bad[i]);
    CHECK(parley_chars_next(&chars) == PARLEY_CHAR_BAD);
  }
  CHECK(parley_utf8_valid("\xF4\x8F\xBF\xBF", 4));
  CHECK(parley_chars_empty(parley_chars_of((parley_text_t){NULL, 0})));
}

static void reads_escapes(void) {
  test_name("escapes");
  CHECK(shows(escaped("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\uD83D\\uDE00"), PARLEY_AS_JSON, NULL,
              "\\\"\\\\/\\b\\f\\n\\r\\tA\xC3\xA9\xF0\x9F\x98\x80"));
  static const char bad[] = "\xEF\xBF\xBD";
  CHECK(shows(escaped("\\uD83D"), PARLEY_AS_IS, NULL, bad));
  CHECK(shows(escaped("\\uD83D\\u0041"), PARLEY_AS_IS, NULL,
              "\xEF\xBF\xBD"
              "A"));
  CHECK(shows(escaped("\\uDE00"), PARLEY_AS_IS, NULL, bad));
  CHECK(shows(escaped("\\u0000"), PARLEY_AS_IS, NULL, bad));
  CHECK(shows(escaped("\\u00F"), PARLEY_AS_IS, NULL,
              "\xEF\xBF\xBD"
              "00F"));
  CHECK(shows(escaped("\\u00Fx"), PARLEY_AS_IS, NULL,
              "\xEF\xBF\xBD"
              "00Fx"));
  CHECK(shows(escaped("\\q"), PARLEY_AS_IS, NULL, bad));
  CHECK(shows(escaped("\\"), PARLEY_AS_IS, NULL, bad));
}

static void writes_controls(void) {
  test_name("controls");
  CHECK(shows(parley_chars("\x01\x1f\x1e\x7f"), PARLEY_AS_JSON, NULL, "\\u0001\\u001f\\u001e\x7f"));
  CHECK(shows(parley_chars("a\x1b[1m\n\xC2\x9B"), PARLEY_AS_PLAIN, NULL, "a [1m  "));
}

static void compares(void) {
  test_name("compare");
  CHECK(parley_chars_equal(escaped("\\u0061b"), "ab"));
  CHECK(!parley_chars_equal(parley_chars("ab"), "abc"));
  CHECK(!parley_chars_equal(parley_chars("abc"), "ab"));
  CHECK(parley_chars_start(parley_chars("abc"), "ab"));
  CHECK(!parley_chars_start(parley_chars("a"), "ab"));
}

static void copies_within_room(void) {
  char out[4];
  test_name("copy");
  CHECK(parley_chars_copy(parley_chars("abc"), out, sizeof out) && strcmp(out, "abc") == 0);
  CHECK(!parley_chars_copy(parley_chars("ab\xC3\xB6"), out, sizeof out) && strcmp(out, "ab") == 0);
}

static void masks_secrets(void) {
  const parley_mask_t mask = {{"p\xC3\xA4ssword", "short", "", "k9$xyz&u\"v"}};
  test_name("mask");
  CHECK(shows(parley_chars("my p\xC3\xA4sswords"), PARLEY_AS_PLAIN, &mask, "my ***s"));
  CHECK(shows(escaped("my p\\u00e4ssword"), PARLEY_AS_JSON, &mask, "my ***"));
  CHECK(shows(escaped("k9$xyz&u\\\"v"), PARLEY_AS_JSON, &mask, "***"));
  CHECK(shows(parley_chars("short"), PARLEY_AS_PLAIN, &mask, "short"));
  CHECK(shows(parley_chars("key sk-proj-abcdefgh123, ek_123456789"), PARLEY_AS_PLAIN, &mask, "key ***, ***"));
  CHECK(
      shows(parley_chars("sk-learn task-orientedness ek_"), PARLEY_AS_PLAIN, &mask, "sk-learn task-orientedness ek_"));
}

static void writes_numbers(void) {
  char out[64];
  parley_writer_t writer = parley_writer(out, sizeof out);
  test_name("numbers");
  parley_put_number(&writer, 0);
  parley_put(&writer, " ");
  parley_put_number(&writer, INT64_MIN);
  parley_put(&writer, " ");
  parley_put_number(&writer, INT64_MAX);
  CHECK(writer.length == 42 && memcmp(out, "0 -9223372036854775808 9223372036854775807", 42) == 0);
  parley_put_spaces(&writer, 45);
  CHECK(writer.length == 45);
  parley_put_spaces(&writer, 100);
  CHECK(writer.full && writer.length == sizeof out);
  parley_put(&writer, "x");
  CHECK(writer.length == sizeof out);
  writer = parley_writer(out, 4);
  parley_put_string(&writer, "abcdef");
  CHECK(writer.full);
}

static void wipes(void) {
  char secret[] = "secret";
  test_name("wipe");
  parley_wipe(secret, sizeof secret);
  CHECK(secret[0] == '\0' && secret[5] == '\0');
}

void text_tests(void) {
  reads_characters();
  reads_escapes();
  writes_controls();
  compares();
  copies_within_room();
  masks_secrets();
  writes_numbers();
  wipes();
}
