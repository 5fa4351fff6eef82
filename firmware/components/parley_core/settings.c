/* SPDX-License-Identifier: Apache-2.0 */
/**
 * `cfg`: read by the table, checked by the table, stored by the table.
 *
 * The store is read anew at each start of a session, so that `set` needs no second way into RAM. What is missing or
 * unfit gets its default and is told once.
 */
#include "parley_core_private.h"

#include <string.h>

typedef enum { FIT, MISSING, WRONG_TYPE, TOO_LONG, UNREADABLE, UNFIT, FAULTS } fault_t;

static const char *const fault_texts[] = {"", "missing", "stored with another type", "too long", "unreadable", "unfit"};
_Static_assert(sizeof fault_texts / sizeof fault_texts[0] == FAULTS, "a text for each fault");
_Static_assert(PARLEY_KEY_COUNT <= 32, "parley_kept_t.told has 32 bits");

enum { RULE_ROOM = 200, NUMBER_DIGITS = 18 };

static const fault_t fault_of_kv[] = {
    [PARLEY_KV_OK] = FIT,
    [PARLEY_KV_MISSING] = MISSING,
    [PARLEY_KV_WRONG_TYPE] = WRONG_TYPE,
    [PARLEY_KV_TOO_LONG] = TOO_LONG,
    [PARLEY_KV_FAILED] = UNREADABLE,
};

static bool is_text(const parley_setting_t *row) {
  return row->type == PARLEY_STR;
}

static char *text_of(parley_settings_t *settings, const parley_setting_t *row) {
  return (char *)settings + row->offset;
}

static int64_t *number_of(parley_settings_t *settings, const parley_setting_t *row) {
  return (int64_t *)(void *)((char *)settings + row->offset);
}

/* ---- rules */

static bool is_choice(const char *choices, const char *text) {
  size_t length = strlen(text);
  for (const char *at = choices;; at++) {
    size_t choice = strcspn(at, "|");
    if (choice == length && memcmp(at, text, length) == 0) {
      return true;
    }
    at += choice;
    if (*at == '\0') {
      return false;
    }
  }
}

/* Key and URL become parts of an HTTP request: nothing that could end a header. */
static bool is_for_http(const parley_setting_t *row) {
  return row->offset == offsetof(parley_settings_t, api_key) || row->offset == offsetof(parley_settings_t, base_url);
}

static bool is_tools(const parley_setting_t *row) {
  return row->offset >= offsetof(parley_settings_t, tools0) && row->offset <= offsetof(parley_settings_t, tools3);
}

static bool text_fits(const parley_setting_t *row, const char *text, size_t length) {
  if ((int64_t)length < row->low || (int64_t)length > row->high || strlen(text) != length ||
      !parley_utf8_valid(text, length) || (row->choices != NULL && !is_choice(row->choices, text)) ||
      (is_tools(row) && !parley_own_tools_fit(text))) {
    return false;
  }
  for (const char *at = text; *at != '\0'; at++) {
    unsigned char c = (unsigned char)*at;
    bool layout = c == '\n' || c == '\t' || c == '\r';
    if ((c < 0x20 && !layout) || c == 0x7F || (is_for_http(row) && (c <= ' ' || c > '~'))) {
      return false;
    }
  }
  return true;
}

static void put_rule(parley_writer_t *writer, const parley_setting_t *row) {
  if (row->choices != NULL) {
    parley_put(writer, "one of");
    for (const char *at = row->choices; *at != '\0'; at++) {
      const char letter[] = {*at, '\0'};
      parley_put(writer, *at == '|' || at == row->choices ? " " : "");
      parley_put(writer, *at == '|' ? "" : letter);
    }
    return;
  }
  parley_put(writer, is_tools(row) ? "definitions of tools in JSON, " : is_text(row) ? "a text of " : "a number from ");
  parley_put_number(writer, row->low);
  parley_put(writer, " to ");
  parley_put_number(writer, row->high);
  if (is_text(row)) {
    parley_put(writer, is_for_http(row) ? " letters, digits and signs" : " bytes");
  }
}

/* ---- reading */

static fault_t read_text(parley_core_t *core, const parley_setting_t *row, char *out) {
  size_t length = 0;
  parley_kv_t found = core->port->kv_get_text(core->port->ctx, row->key, out, (size_t)row->high + 1, &length);
  fault_t fault = fault_of_kv[found];
  if (fault == FIT && !text_fits(row, out, length)) {
    fault = UNFIT;
  }
  if (fault != FIT) {
    parley_wipe(out, (size_t)row->high + 1);
    memcpy(out, row->text, strlen(row->text) + 1);
  }
  return fault;
}

static fault_t read_number(parley_core_t *core, const parley_setting_t *row, int64_t *out) {
  fault_t fault = fault_of_kv[core->port->kv_get_number(core->port->ctx, row->key, (int32_t)row->type, out)];
  if (fault == FIT && (*out < row->low || *out > row->high)) {
    fault = UNFIT;
  }
  if (fault != FIT) {
    *out = row->number;
  }
  return fault;
}

void parley_settings_load(parley_core_t *core) {
  for (size_t i = 0; i < PARLEY_KEY_COUNT; i++) {
    const parley_setting_t *row = &parley_schema[i];
    fault_t fault = is_text(row) ? read_text(core, row, text_of(&core->kept.value, row))
                                 : read_number(core, row, number_of(&core->kept.value, row));
    core->kept.fault[i] = (uint8_t)fault;
  }
  for (size_t i = PARLEY_KEY_TOOLS0; i <= PARLEY_KEY_TOOLS3; i++) {
    if (parley_own_tools_repeat(&core->kept.value, i - PARLEY_KEY_TOOLS0)) {
      text_of(&core->kept.value, &parley_schema[i])[0] = '\0';
      core->kept.fault[i] = UNFIT;
    }
  }
}

static void tell_fault(parley_core_t *core, const parley_setting_t *row, fault_t fault) {
  char text[RULE_ROOM];
  parley_writer_t writer = parley_writer(text, sizeof text - 1);
  parley_put(&writer, fault_texts[fault]);
  parley_put(&writer, "; expected ");
  put_rule(&writer, row);
  parley_put(&writer, "; the default is used");
  text[writer.length] = '\0';
  parley_record_begin(core, "error");
  parley_record_text(core, "code", "cfg");
  parley_record_text(core, "key", row->key);
  parley_record_flag(core, "fatal", false);
  parley_record_text(core, "message", text);
  parley_record_end(core);
}

void parley_settings_tell(parley_core_t *core) {
  for (size_t i = 0; i < PARLEY_KEY_COUNT; i++) {
    uint32_t bit = 1U << i;
    if (core->kept.fault[i] == FIT) {
      core->kept.told &= ~bit;
    } else if (!(core->kept.told & bit)) {
      core->kept.told |= bit;
      tell_fault(core, &parley_schema[i], (fault_t)core->kept.fault[i]);
    }
  }
}

/* ---- storing */

bool parley_parse_number(const char *text, int64_t low, int64_t high, int64_t *number) {
  bool negative = *text == '-';
  const char *at = text + negative;
  int64_t sum = 0;
  if (*at == '\0' || strlen(at) > NUMBER_DIGITS) {
    return false;
  }
  for (; *at != '\0'; at++) {
    if (*at < '0' || *at > '9') {
      return false;
    }
    sum = sum * 10 + (*at - '0');
  }
  *number = negative ? -sum : sum;
  return *number >= low && *number <= high;
}

static const parley_setting_t *find(const char *key) {
  for (size_t i = 0; i < PARLEY_KEY_COUNT; i++) {
    if (parley_text_equal(parley_schema[i].key, key)) {
      return &parley_schema[i];
    }
  }
  return NULL;
}

/* The rule as a reply; stays in core->url, which nobody needs at this moment. */
static const char *expected(parley_core_t *core, const parley_setting_t *row) {
  parley_writer_t writer = parley_writer(core->url, sizeof core->url - 1);
  parley_put(&writer, row->key);
  parley_put(&writer, " is ");
  put_rule(&writer, row);
  core->url[writer.length] = '\0';
  return core->url;
}

const char *parley_settings_set(parley_core_t *core, const char *key, const char *text) {
  const parley_setting_t *row = find(key);
  const parley_port_t *port = core->port;
  int64_t number;
  parley_kv_t stored;
  if (row == NULL) {
    return "no such setting";
  }
  if (is_text(row)) {
    if (!text_fits(row, text, strlen(text))) {
      return expected(core, row);
    }
    stored = port->kv_set_text(port->ctx, row->key, text, strlen(text));
  } else {
    if (!parley_parse_number(text, row->low, row->high, &number)) {
      return expected(core, row);
    }
    stored = port->kv_set_number(port->ctx, row->key, (int32_t)row->type, number);
  }
  return stored == PARLEY_KV_OK ? NULL : "not stored";
}

/* ---- `cfg` */

static void print_one(parley_core_t *core, const parley_setting_t *row) {
  char *value = core->body;
  int64_t number = 0;
  fault_t fault = is_text(row) ? read_text(core, row, value) : read_number(core, row, &number);
  parley_writer_t *line = parley_log_begin(core, 'I');
  parley_put(line, row->key);
  parley_put(line, " = ");
  if (row->secret) {
    parley_put(line, value[0] == '\0' ? "(none)" : "(set)");
  } else if (is_text(row)) {
    parley_put(line, "\"");
    parley_log_chars(core, parley_chars(value));
    parley_put(line, "\"");
  } else {
    parley_put_number(line, number);
  }
  if (fault != FIT) {
    parley_put(line, " (default)");
  }
  parley_log_end(core);
  parley_wipe(value, is_text(row) ? (size_t)row->high + 1 : 0);
}

_Static_assert(PARLEY_BODY_ROOM > sizeof(parley_settings_t), "one value fits the scratch");

void parley_settings_print(parley_core_t *core) {
  for (size_t i = 0; i < PARLEY_KEY_COUNT; i++) {
    print_one(core, &parley_schema[i]);
  }
}
