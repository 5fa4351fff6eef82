/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

enum {
  BAD_BYTE = 0x110001,
  MASK_MIN = 8,     /* shorter values are met by chance */
  KEY_TAIL_MIN = 8, /* "sk-learn" is no key */
  NUMBER_DIGITS = 20,
};

parley_chars_t parley_chars(const char *text) {
  return (parley_chars_t){.at = text, .end = text + strlen(text)};
}

parley_chars_t parley_chars_of(parley_text_t text) {
  if (text.length == 0) {
    return parley_chars("");
  }
  return (parley_chars_t){.at = text.bytes, .end = text.bytes + text.length};
}

/* One UTF-8 character by the table of RFC 3629, section 4: no overlong form, no surrogate, nothing above U+10FFFF. */
static uint32_t next_utf8(const char **at, const char *end) {
  uint32_t first = (unsigned char)*(*at)++;
  if (first < 0x80) {
    return first;
  }
  size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || (size_t)(end - *at) < more) {
    return BAD_BYTE;
  }
  uint32_t code = first & (0x3FU >> more);
  for (size_t i = 0; i < more; i++) {
    uint32_t byte = (unsigned char)(*at)[i];
    if ((byte & 0xC0) != 0x80) {
      return BAD_BYTE;
    }
    code = code << 6 | (byte & 0x3F);
  }
  if ((more == 2 && code < 0x800) || (code >= 0xD800 && code < 0xE000) || (more == 3 && code < 0x10000) ||
      code > 0x10FFFF) {
    return BAD_BYTE;
  }
  *at += more;
  return code;
}

static uint32_t hex4(const char *at, const char *end) {
  if (end - at < 4) {
    return BAD_BYTE;
  }
  uint32_t code = 0;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    if (digit == 16) {
      return BAD_BYTE;
    }
    code = code << 4 | digit;
  }
  return code;
}

static uint32_t next_unicode_escape(parley_chars_t *chars) {
  uint32_t high = hex4(chars->at, chars->end);
  if (high == BAD_BYTE) {
    return BAD_BYTE;
  }
  chars->at += 4;
  if (high < 0xD800 || high > 0xDFFF) {
    return high;
  }
  if (high < 0xDC00 && chars->end - chars->at >= 6 && chars->at[0] == '\\' && chars->at[1] == 'u') {
    uint32_t low = hex4(chars->at + 2, chars->end);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      chars->at += 6;
      return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  return BAD_BYTE;
}

static uint32_t next_escape(parley_chars_t *chars) {
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  if (chars->at == chars->end) {
    return BAD_BYTE;
  }
  char letter = *chars->at++;
  if (letter == 'u') {
    return next_unicode_escape(chars);
  }
  const char *found = letter == '\0' ? NULL : strchr(letters, letter);
  return found == NULL ? BAD_BYTE : (uint32_t)meanings[found - letters];
}

uint32_t parley_chars_next(parley_chars_t *chars) {
  if (chars->at == chars->end) {
    return PARLEY_CHAR_END;
  }
  uint32_t code = next_utf8(&chars->at, chars->end);
  if (chars->escaped && code == '\\') {
    code = next_escape(chars);
  }
  return code == BAD_BYTE || code == 0 ? PARLEY_CHAR_BAD : code;
}

bool parley_chars_start(parley_chars_t chars, const char *text) {
  parley_chars_t wanted = parley_chars(text);
  while (!parley_chars_empty(wanted)) {
    if (parley_chars_next(&chars) != parley_chars_next(&wanted)) {
      return false;
    }
  }
  return true;
}

bool parley_chars_equal(parley_chars_t chars, const char *text) {
  parley_chars_t wanted = parley_chars(text);
  uint32_t code;
  do {
    code = parley_chars_next(&wanted);
    if (parley_chars_next(&chars) != code) {
      return false;
    }
  } while (code != PARLEY_CHAR_END);
  return true;
}

bool parley_chars_empty(parley_chars_t chars) {
  return chars.at == chars.end;
}

bool parley_chars_copy(parley_chars_t chars, char *out, size_t room) {
  parley_writer_t writer = parley_writer(out, room - 1);
  bool whole = parley_put_chars(&writer, &chars, PARLEY_AS_IS, NULL, room - 1);
  out[writer.length] = '\0';
  return whole;
}

bool parley_utf8_valid(const char *bytes, size_t length) {
  for (const char *at = bytes, *end = bytes + length; at < end;) {
    if (next_utf8(&at, end) == BAD_BYTE) {
      return false;
    }
  }
  return true;
}

bool parley_text_equal(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

void parley_wipe(void *memory, size_t length) {
  volatile unsigned char *at = memory;
  while (length-- > 0) {
    *at++ = 0;
  }
}

/* ---- writing */

parley_writer_t parley_writer(char *start, size_t room) {
  return (parley_writer_t){.start = start, .room = room};
}

static void put_bytes(parley_writer_t *writer, const char *bytes, size_t length) {
  if (writer->full || length > writer->room - writer->length) {
    writer->full = true;
    return;
  }
  memcpy(writer->start + writer->length, bytes, length);
  writer->length += length;
}

void parley_put(parley_writer_t *writer, const char *text) {
  put_bytes(writer, text, strlen(text));
}

void parley_put_number(parley_writer_t *writer, int64_t value) {
  char digits[NUMBER_DIGITS];
  size_t first = sizeof digits;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[--first] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0) {
    digits[--first] = '-';
  }
  put_bytes(writer, digits + first, sizeof digits - first);
}

void parley_put_spaces(parley_writer_t *writer, size_t length) {
  while (writer->length < length && !writer->full) {
    put_bytes(writer, " ", 1);
  }
}

static size_t encode_utf8(uint32_t code, char out[8]) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  for (size_t i = more; i > 0; i--) {
    out[i] = (char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (char)(((0xFF00U >> (more + 1)) & 0xFF) | code);
  return more + 1;
}

static size_t encode_json(uint32_t code, char out[8]) {
  static const char hex[] = "0123456789abcdef";
  static const char plain[] = "\"\\\b\f\n\r\t";
  static const char letters[] = "\"\\bfnrt";
  const char *found = code < 0x80 ? strchr(plain, (int)code) : NULL;
  out[0] = '\\';
  if (found != NULL) {
    out[1] = letters[found - plain];
    return 2;
  }
  if (code >= 0x20) {
    return encode_utf8(code, out);
  }
  out[1] = 'u';
  out[2] = '0';
  out[3] = '0';
  out[4] = hex[code >> 4];
  out[5] = hex[code & 0xF];
  return 6;
}

static size_t encode(uint32_t code, parley_form_t form, char out[8]) {
  if (form == PARLEY_AS_JSON) {
    return encode_json(code, out);
  }
  /* C1 controls drive terminals as well as ESC does. */
  bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  return encode_utf8(control && form == PARLEY_AS_PLAIN ? ' ' : code, out);
}

static bool is_key_char(uint32_t code) {
  return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z') || code == '-' ||
         code == '_' || code == '*' || code == '.';
}

/* sk-… and ek_…, whoever's they are; `before` keeps "task-" from being one. */
static bool skip_key(parley_chars_t *chars, uint32_t before) {
  if (is_key_char(before) || !(parley_chars_start(*chars, "sk-") || parley_chars_start(*chars, "ek_"))) {
    return false;
  }
  parley_chars_t rest = *chars, last = *chars;
  size_t length = 0;
  while (is_key_char(parley_chars_next(&rest))) {
    last = rest;
    length++;
  }
  if (length < 3 + KEY_TAIL_MIN) {
    return false;
  }
  *chars = last;
  return true;
}

static bool skip_secret(parley_chars_t *chars, uint32_t before, const parley_mask_t *mask) {
  for (size_t i = 0; i < PARLEY_MASK_SECRETS; i++) {
    const char *secret = mask->secrets[i];
    if (strlen(secret) < MASK_MIN || !parley_chars_start(*chars, secret)) {
      continue;
    }
    for (parley_chars_t taken = parley_chars(secret); !parley_chars_empty(taken);) {
      (void)parley_chars_next(&taken);
      (void)parley_chars_next(chars);
    }
    return true;
  }
  return skip_key(chars, before);
}

bool parley_put_chars(parley_writer_t *writer, parley_chars_t *chars, parley_form_t form, const parley_mask_t *mask,
                      size_t limit) {
  uint32_t before = ' ';
  while (!parley_chars_empty(*chars)) {
    parley_chars_t rest = *chars;
    char bytes[8] = "***";
    size_t length = 3;
    if (mask != NULL && skip_secret(&rest, before, mask)) {
      before = '*';
    } else {
      before = parley_chars_next(&rest);
      length = encode(before, form, bytes);
    }
    if (writer->length + length > limit) {
      return false;
    }
    put_bytes(writer, bytes, length);
    *chars = rest;
  }
  return true;
}

void parley_put_string(parley_writer_t *writer, const char *text) {
  parley_chars_t chars = parley_chars(text);
  parley_put(writer, "\"");
  if (!parley_put_chars(writer, &chars, PARLEY_AS_JSON, NULL, writer->room)) {
    writer->full = true;
  }
  parley_put(writer, "\"");
}
