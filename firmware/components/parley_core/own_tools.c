/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tools that `cfg` defines and the computer carries out.
 *
 * They are declared as they are stored, so they are checked hard: one key that the service does not know, or one name
 * that is there twice, would cost the whole session. Each setting stands for itself; a bad one takes no other with it.
 */
#include "parley_core_private.h"

#include <string.h>

enum { SETTINGS = 4 };

static const char *text_of(const parley_settings_t *settings, size_t number) {
  const char *const texts[SETTINGS] = {settings->tools0, settings->tools1, settings->tools2, settings->tools3};
  return texts[number];
}

/* The definitions of a text: of a list, the one that stands alone, none of an empty text. */
static parley_json_t walk_text(const char *text) {
  parley_json_t value;
  (void)parley_json_read(parley_chars(text), &value);
  return parley_json_is_array(value) ? parley_json_walk(value) : value;
}

/* ---- one definition: type, name, and if wanted description and parameters */

static bool take_name(parley_json_t value, char *name) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return parley_chars_copy(parley_json_chars(value), name, PARLEY_NAME_ROOM) && name[0] != '\0' &&
         name[strspn(name, letters)] == '\0';
}

static bool take_member(parley_json_t key, parley_json_t value, char *name, unsigned *seen) {
  static const char *const keys[] = {"type", "name", "description", "parameters"};
  const bool fits[] = {parley_json_equal(value, "function"), take_name(value, name), parley_json_is_string(value),
                       parley_json_is_object(value)};
  for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    unsigned bit = 1U << i;
    if (parley_json_equal(key, keys[i])) {
      bool fresh = !(*seen & bit);
      *seen |= bit;
      return fresh && fits[i];
    }
  }
  return false;
}

static bool take_definition(parley_json_t tool, char *name) {
  char value_name[PARLEY_NAME_ROOM];
  unsigned seen = 0;
  parley_json_t key, value;
  if (!parley_json_is_object(tool)) {
    return false;
  }
  for (parley_json_t walk = parley_json_walk(tool); parley_json_next(&walk, &key);) {
    (void)parley_json_next(&walk, &value);
    if (!take_member(key, value, value_name, &seen)) {
      return false;
    }
  }
  return (seen & 3U) == 3U && take_name(parley_json_get(tool, "name"), name);
}

/* ---- all of them */

static int times_named(const char *text, parley_chars_t wanted) {
  char name[PARLEY_NAME_ROOM];
  parley_json_t tool;
  int count = 0;
  for (parley_json_t walk = walk_text(text); parley_json_next(&walk, &tool);) {
    (void)take_name(parley_json_get(tool, "name"), name);
    count += parley_chars_equal(wanted, name);
  }
  return count;
}

bool parley_own_tools_fit(const char *text) {
  char name[PARLEY_NAME_ROOM];
  parley_json_t tool, value;
  if (*text != '\0' && !parley_json_read(parley_chars(text), &value)) {
    return false;
  }
  for (parley_json_t walk = walk_text(text); parley_json_next(&walk, &tool);) {
    if (!take_definition(tool, name) || parley_tool_is_ours(name) || times_named(text, parley_chars(name)) != 1) {
      return false;
    }
  }
  return true;
}

bool parley_own_tools_repeat(const parley_settings_t *settings, size_t number) {
  parley_json_t tool;
  for (parley_json_t walk = walk_text(text_of(settings, number)); parley_json_next(&walk, &tool);) {
    for (size_t i = 0; i < number; i++) {
      if (times_named(text_of(settings, i), parley_json_get_chars(tool, "name")) > 0) {
        return true;
      }
    }
  }
  return false;
}

bool parley_own_tool(const parley_settings_t *settings, parley_chars_t name) {
  for (size_t i = 0; i < SETTINGS; i++) {
    if (times_named(text_of(settings, i), name) > 0) {
      return true;
    }
  }
  return false;
}

void parley_own_tools_put(const parley_settings_t *settings, parley_writer_t *writer) {
  parley_json_t tool;
  for (size_t i = 0; i < SETTINGS; i++) {
    for (parley_json_t walk = walk_text(text_of(settings, i)); parley_json_next(&walk, &tool);) {
      parley_chars_t chars = {.at = tool.at, .end = tool.end};
      parley_put(writer, ",");
      (void)parley_put_chars(writer, &chars, PARLEY_AS_IS, NULL, writer->room);
    }
  }
}
