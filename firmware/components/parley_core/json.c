/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <string.h>

enum { WHOLE_DIGITS = 15 };

/* ---- checking: one pass, one bit of stack for each level (1: object) */

typedef enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COMMA_OR_END } want_t;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static const char *skip_spaces(const char *at, const char *end) {
  while (at < end && is_space(*at)) {
    at++;
  }
  return at;
}

/* All checkers return the end of what they read, or NULL. */
static const char *check_digits(const char *at, const char *end) {
  if (at == end || !is_digit(*at)) {
    return NULL;
  }
  while (at < end && is_digit(*at)) {
    at++;
  }
  return at;
}

static const char *check_number(const char *at, const char *end) {
  at += *at == '-';
  bool zero = at < end && *at == '0';
  const char *after = check_digits(at, end);
  if (after == NULL || (zero && after != at + 1)) {
    return NULL;
  }
  if (after < end && *after == '.') {
    after = check_digits(after + 1, end);
  }
  if (after != NULL && after < end && (*after == 'e' || *after == 'E')) {
    after++;
    after += after < end && (*after == '+' || *after == '-');
    after = check_digits(after, end);
  }
  return after;
}

static const char *check_escape(const char *at, const char *end) {
  if (at == end || *at == '\0' || strchr("\"\\/bfnrtu", *at) == NULL) {
    return NULL;
  }
  if (*at++ != 'u') {
    return at;
  }
  for (int i = 0; i < 4; i++, at++) {
    if (at == end || *at == '\0' || strchr("0123456789abcdefABCDEF", *at) == NULL) {
      return NULL;
    }
  }
  return at;
}

static const char *check_string(const char *at, const char *end) {
  at++;
  while (at < end) {
    char c = *at++;
    if (c == '"') {
      return at;
    }
    if ((unsigned char)c < 0x20) {
      return NULL;
    }
    at = c == '\\' ? check_escape(at, end) : at;
    if (at == NULL) {
      return NULL;
    }
  }
  return NULL;
}

static const char *check_scalar(const char *at, const char *end) {
  static const char *const words[] = {"true", "false", "null"};
  if (*at == '"') {
    return check_string(at, end);
  }
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t length = strlen(words[i]);
    if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) {
      return at + length;
    }
  }
  return *at == '-' || is_digit(*at) ? check_number(at, end) : NULL;
}

static const char *check_key(const char *at, const char *end) {
  at = *at == '"' ? check_string(at, end) : NULL;
  if (at == NULL) {
    return NULL;
  }
  at = skip_spaces(at, end);
  return at < end && *at == ':' ? at + 1 : NULL;
}

static const char *check_value(const char *at, const char *end) {
  uint64_t objects = 0;
  unsigned depth = 0;
  want_t want = WANT_VALUE;
  for (;;) {
    at = skip_spaces(at, end);
    if (at == NULL || at == end) {
      return NULL;
    }
    bool in_object = objects & 1;
    bool may_end = want == WANT_VALUE_OR_END || want == WANT_KEY_OR_END || want == WANT_COMMA_OR_END;
    if (may_end && *at == (in_object ? '}' : ']')) {
      at++;
      objects >>= 1;
      depth--;
      want = WANT_COMMA_OR_END;
    } else if (want == WANT_COMMA_OR_END) {
      if (*at++ != ',') {
        return NULL;
      }
      want = in_object ? WANT_KEY : WANT_VALUE;
      continue;
    } else if (want == WANT_KEY || want == WANT_KEY_OR_END) {
      at = check_key(at, end);
      want = WANT_VALUE;
      if (at == NULL) {
        return NULL;
      }
      continue;
    } else if (*at == '{' || *at == '[') {
      if (++depth > PARLEY_JSON_DEPTH) {
        return NULL;
      }
      objects = objects << 1 | (*at == '{');
      want = *at == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
      at++;
      continue;
    } else {
      at = check_scalar(at, end);
      want = WANT_COMMA_OR_END;
    }
    if (depth == 0) {
      return at;
    }
    if (at == NULL) {
      return NULL;
    }
  }
}

bool parley_json_read(parley_chars_t text, parley_json_t *value) {
  const char *at = skip_spaces(text.at, text.end);
  const char *end = parley_utf8_valid(text.at, (size_t)(text.end - text.at)) ? check_value(at, text.end) : NULL;
  *value = (parley_json_t){.at = at, .end = end == NULL ? at : end};
  return end != NULL && skip_spaces(end, text.end) == text.end;
}

/* ---- walking what has been checked */

static const char *skip_string(const char *at) {
  for (at++; *at != '"'; at++) {
    at += *at == '\\';
  }
  return at + 1;
}

static const char *skip_value(const char *at) {
  unsigned depth = 0;
  do {
    switch (*at) {
    case '"': at = skip_string(at); continue;
    case '{':
    case '[': depth++; break;
    case '}':
    case ']': depth--; break;
    default: break;
    }
    at++;
  } while (depth > 0);
  return at;
}

static const char *skip_one(const char *at, const char *end) {
  if (*at == '"' || *at == '{' || *at == '[') {
    return skip_value(at);
  }
  while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at)) {
    at++;
  }
  return at;
}

static bool starts_with(parley_json_t value, char c) {
  return value.at < value.end && *value.at == c;
}

bool parley_json_is_object(parley_json_t value) {
  return starts_with(value, '{');
}

bool parley_json_is_array(parley_json_t value) {
  return starts_with(value, '[');
}

bool parley_json_is_string(parley_json_t value) {
  return starts_with(value, '"');
}

parley_json_t parley_json_walk(parley_json_t container) {
  if (!starts_with(container, '{') && !starts_with(container, '[')) {
    return (parley_json_t){.at = container.end, .end = container.end};
  }
  return (parley_json_t){.at = container.at + 1, .end = container.end - 1};
}

bool parley_json_next(parley_json_t *walk, parley_json_t *value) {
  const char *at = skip_spaces(walk->at, walk->end);
  if (at == walk->end) {
    return false;
  }
  const char *after = skip_one(at, walk->end);
  *value = (parley_json_t){.at = at, .end = after};
  walk->at = skip_spaces(after, walk->end);
  walk->at += walk->at < walk->end; /* the comma, or the colon of a member */
  return true;
}

parley_json_t parley_json_get(parley_json_t object, const char *key) {
  parley_json_t none = {.at = object.end, .end = object.end};
  parley_json_t name, value;
  if (!parley_json_is_object(object)) {
    return none;
  }
  for (parley_json_t walk = parley_json_walk(object); parley_json_next(&walk, &name);) {
    (void)parley_json_next(&walk, &value);
    if (parley_json_equal(name, key)) {
      return value;
    }
  }
  return none;
}

parley_chars_t parley_json_chars(parley_json_t value) {
  if (!parley_json_is_string(value)) {
    return parley_chars("");
  }
  return (parley_chars_t){.at = value.at + 1, .end = value.end - 1, .escaped = true};
}

parley_chars_t parley_json_get_chars(parley_json_t object, const char *key) {
  return parley_json_chars(parley_json_get(object, key));
}

bool parley_json_equal(parley_json_t value, const char *text) {
  return parley_json_is_string(value) && parley_chars_equal(parley_json_chars(value), text);
}

bool parley_json_whole(parley_json_t value, int64_t *number) {
  const char *at = value.at;
  bool negative = starts_with(value, '-');
  at += negative;
  int64_t sum = 0;
  int digits = 0;
  for (; at < value.end && is_digit(*at) && digits <= WHOLE_DIGITS; at++, digits++) {
    sum = sum * 10 + (*at - '0');
  }
  if (digits > 0 && at < value.end && *at == '.') {
    do {
      at++;
    } while (at < value.end && *at == '0');
  }
  if (digits == 0 || digits > WHOLE_DIGITS || at != value.end) {
    return false;
  }
  *number = negative ? -sum : sum;
  return true;
}

bool parley_json_flag(parley_json_t value, bool *flag) {
  *flag = starts_with(value, 't');
  return *flag || starts_with(value, 'f');
}
