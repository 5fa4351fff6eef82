/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A pull reader for JSON where it lies: no tree, no recursion, no memory.
 *
 * Theory of operation. parley_json_read() walks the whole text once and accepts exactly RFC 8259 with valid UTF-8 and a
 * bounded depth. Everything else may then trust the form and stays short: a value is a slice, asking for a key walks
 * the object. Asking a value for what it is not gives nothing (no string, no number, no members), never an error,
 * because that is how the service's optional fields are met. Of equal keys the first counts.
 */
#ifndef PARLEY_JSON_H
#define PARLEY_JSON_H

#include "text.h"

enum { PARLEY_JSON_DEPTH = 64 };

/** One value, trimmed; empty: not there. */
typedef struct {
  const char *at, *end;
} parley_json_t;

/** Whether text is one JSON value; *value is it. */
bool parley_json_read(parley_chars_t text, parley_json_t *value);
/** The member of an object. */
parley_json_t parley_json_get(parley_json_t object, const char *key);
/** What is left to walk of an array or object. */
parley_json_t parley_json_walk(parley_json_t container);
/** Next element of an array that is being walked. */
bool parley_json_next(parley_json_t *walk, parley_json_t *value);
bool parley_json_is_object(parley_json_t value);
bool parley_json_is_array(parley_json_t value);
bool parley_json_is_string(parley_json_t value);
/** The characters of a string; nothing for anything else. */
parley_chars_t parley_json_chars(parley_json_t value);
parley_chars_t parley_json_get_chars(parley_json_t object, const char *key);
bool parley_json_equal(parley_json_t value, const char *text);
/** Whole numbers, also written 5.0; no exponents; up to 15 digits. */
bool parley_json_whole(parley_json_t value, int64_t *number);
bool parley_json_flag(parley_json_t value, bool *flag);

#endif
