/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Everything that reaches the console, one line at a time.
 *
 * Both kinds of line are written in one buffer and handed over whole, so they never mix. Text from outside passes the
 * mask here and nowhere else: a new caller cannot forget it.
 */
#include "parley_core_private.h"

enum {
  TAIL = 24,     /* `","final":false}\n` or `","cut":true}\n` */
  ID_ROOM = 160, /* of an id in a record */
};

static void start_line(parley_core_t *core) {
  core->out.writer = parley_writer(core->out.line, sizeof core->out.line);
}

static void end_line(parley_core_t *core) {
  parley_put(&core->out.writer, "\n");
  core->port->console_write(core->port->ctx, core->out.line, core->out.writer.length);
}

/* ---- records */

void parley_record_key(parley_core_t *core, const char *key) {
  parley_writer_t *writer = &core->out.writer;
  parley_put(writer, writer->length > 1 ? ",\"" : "{\"");
  parley_put(writer, key);
  parley_put(writer, "\":");
}

void parley_record_begin(parley_core_t *core, const char *kind) {
  start_line(core);
  parley_put(&core->out.writer, "\x1e");
  parley_record_text(core, "k", kind);
  parley_record_number(core, "n", core->out.sequence++);
  parley_record_number(core, "t", (int64_t)core->now_ms);
}

void parley_record_text(parley_core_t *core, const char *key, const char *text) {
  parley_record_key(core, key);
  parley_put_string(&core->out.writer, text);
}

static bool put_within(parley_core_t *core, const char *key, parley_chars_t *chars, size_t room) {
  parley_writer_t *writer = &core->out.writer;
  parley_record_key(core, key);
  parley_put(writer, "\"");
  size_t limit = writer->length + room;
  size_t most = writer->room - TAIL;
  bool whole = parley_put_chars(writer, chars, PARLEY_AS_JSON, &core->mask, limit < most ? limit : most);
  parley_put(writer, "\"");
  return whole;
}

void parley_record_chars(parley_core_t *core, const char *key, parley_chars_t chars, size_t room) {
  if (!parley_chars_empty(chars)) {
    (void)put_within(core, key, &chars, room);
  }
}

bool parley_record_rest(parley_core_t *core, const char *key, parley_chars_t chars) {
  bool whole = put_within(core, key, &chars, PARLEY_RECORD_MAX);
  if (!whole) {
    parley_record_flag(core, "cut", true);
  }
  return whole;
}

void parley_record_number(parley_core_t *core, const char *key, int64_t value) {
  parley_record_key(core, key);
  parley_put_number(&core->out.writer, value);
}

void parley_record_flag(parley_core_t *core, const char *key, bool value) {
  parley_record_key(core, key);
  parley_put(&core->out.writer, value ? "true" : "false");
}

void parley_record_end(parley_core_t *core) {
  parley_put(&core->out.writer, "}");
  end_line(core);
}

void parley_record_words(parley_core_t *core, const parley_item_t *item, parley_chars_t text, int64_t *part,
                         bool last) {
  bool done;
  do {
    parley_record_begin(core, "words");
    parley_record_text(core, "role", item->role == PARLEY_USER ? "user" : "assistant");
    parley_record_chars(core, "item", parley_chars(item->id), ID_ROOM);
    parley_record_chars(core, "prev", parley_chars(item->previous), ID_ROOM);
    parley_record_number(core, "part", *part);
    done = put_within(core, "text", &text, PARLEY_RECORD_MAX);
    parley_record_flag(core, "final", last && done);
    parley_record_end(core);
    *part += *part > 0;
  } while (!done);
}

void parley_error(parley_core_t *core, const char *code, parley_chars_t message, bool fatal) {
  parley_record_begin(core, "error");
  parley_record_text(core, "code", code);
  parley_record_flag(core, "fatal", fatal);
  (void)parley_record_rest(core, "message", message);
  parley_record_end(core);
}

/* ---- log text, in ESP-IDF's form */

parley_writer_t *parley_log_begin(parley_core_t *core, char level) {
  const char start[] = {level, ' ', '(', '\0'};
  start_line(core);
  parley_put(&core->out.writer, start);
  parley_put_number(&core->out.writer, (int64_t)core->now_ms);
  parley_put(&core->out.writer, ") parley: ");
  return &core->out.writer;
}

void parley_log_chars(parley_core_t *core, parley_chars_t chars) {
  parley_writer_t *writer = &core->out.writer;
  (void)parley_put_chars(writer, &chars, PARLEY_AS_PLAIN, &core->mask, writer->room - TAIL);
}

void parley_log_end(parley_core_t *core) {
  end_line(core);
}

void parley_log(parley_core_t *core, char level, const char *text) {
  (void)parley_log_begin(core, level);
  parley_log_chars(core, parley_chars(text));
  parley_log_end(core);
}
