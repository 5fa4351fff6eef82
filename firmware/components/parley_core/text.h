/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Characters in, bytes out, both bounded.
 *
 * Text from outside stays where it is and is read one character at a time, escaped (inside of a JSON string) or plain,
 * so that no text of any size needs a buffer of its own. A writer never passes its end and never cuts a character.
 */
#ifndef PARLEY_TEXT_H
#define PARLEY_TEXT_H

#include "parley_core.h"

enum {
  PARLEY_CHAR_BAD = 0xFFFD,   /**< stands for bytes that are no character, and for NUL */
  PARLEY_CHAR_END = 0x110000, /**< after the last one */
  PARLEY_MASK_SECRETS = 4,
};

/** Text still to be read; `escaped`: the inside of a JSON string. */
typedef struct {
  const char *at, *end;
  bool escaped;
} parley_chars_t;

/** Bytes written so far, no NUL; `full` once something did not fit. */
typedef struct {
  char *start;
  size_t room, length;
  bool full;
} parley_writer_t;

/** Buffers whose NUL-terminated content must not be shown. Shorter than PARLEY_MASK_MIN: chance, not a secret. */
typedef struct {
  const char *secrets[PARLEY_MASK_SECRETS];
} parley_mask_t;

typedef enum {
  PARLEY_AS_JSON,  /**< inside of a JSON string */
  PARLEY_AS_PLAIN, /**< for a terminal: control characters become spaces */
  PARLEY_AS_IS,    /**< UTF-8, nothing changed */
} parley_form_t;

parley_chars_t parley_chars(const char *text);
parley_chars_t parley_chars_of(parley_text_t text);
/** The next character, or PARLEY_CHAR_END. */
uint32_t parley_chars_next(parley_chars_t *chars);
bool parley_chars_equal(parley_chars_t chars, const char *text);
bool parley_chars_start(parley_chars_t chars, const char *text);
bool parley_chars_empty(parley_chars_t chars);
/** As UTF-8 with NUL into room bytes, cut between characters; whether all fitted. */
bool parley_chars_copy(parley_chars_t chars, char *out, size_t room);
bool parley_utf8_valid(const char *bytes, size_t length);

bool parley_text_equal(const char *a, const char *b);
/** Overwrites memory in a way the compiler keeps. */
void parley_wipe(void *memory, size_t length);

parley_writer_t parley_writer(char *start, size_t room);
void parley_put(parley_writer_t *writer, const char *text);
void parley_put_number(parley_writer_t *writer, int64_t value);
/** Spaces up to this length. */
void parley_put_spaces(parley_writer_t *writer, size_t length);
/** Writes while the length stays within limit, and takes what it wrote from chars; whether nothing is left. mask may be
 * NULL. */
bool parley_put_chars(parley_writer_t *writer, parley_chars_t *chars, parley_form_t form, const parley_mask_t *mask,
                      size_t limit);
/** A JSON string with its quotes. */
void parley_put_string(parley_writer_t *writer, const char *text);

#endif
