/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Bytes to lines. A line may come in any pieces, ends with LF, CR or CRLF, and is refused whole when it is too long.
 * Its buffer is wiped after each command: any of them may have carried a secret.
 */
#include "parley_core_private.h"

#include <string.h>

/* "#N ": the number of the command; the rest of the line, or NULL when there is no number after the mark. */
static char *take_number(parley_console_t *console, char *line) {
  int64_t number;
  console->numbered = false;
  if (*line != '#') {
    return line;
  }
  char *end = line + 1 + strcspn(line + 1, " ");
  bool more = *end != '\0';
  *end = '\0';
  if (!parley_parse_number(line + 1, 0, UINT32_MAX, &number)) {
    return NULL;
  }
  console->numbered = true;
  console->number = (uint32_t)number;
  return end + more;
}

static void run_line(parley_core_t *core) {
  parley_console_t *console = &core->console;
  console->line[console->length] = '\0';
  bool has_nul = strlen(console->line) != console->length;
  char *rest = take_number(console, console->line);
  if (console->too_long) {
    parley_reply(core, false, "the line is longer than 1024 bytes");
  } else if (rest == NULL) {
    parley_reply(core, false, "a command number follows #");
  } else if (has_nul || !parley_utf8_valid(rest, strlen(rest))) {
    parley_reply(core, false, "the line is not UTF-8 text");
  } else {
    parley_command_run(core, rest);
  }
  console->numbered = false;
}

static void end_line(parley_core_t *core) {
  parley_console_t *console = &core->console;
  if (console->length > 0) {
    run_line(core);
  }
  parley_wipe(console->line, sizeof console->line);
  console->length = 0;
  console->too_long = false;
}

void parley_console_take(parley_core_t *core, parley_text_t bytes) {
  parley_console_t *console = &core->console;
  for (size_t i = 0; i < bytes.length; i++) {
    char c = bytes.bytes[i];
    bool second_of_crlf = c == '\n' && console->after_cr;
    console->after_cr = c == '\r';
    if (second_of_crlf) {
      continue;
    }
    if (c == '\n' || c == '\r') {
      end_line(core);
    } else if (console->length < PARLEY_LINE_MAX) {
      console->line[console->length++] = c;
    } else {
      console->too_long = true;
    }
  }
}

void parley_reply(parley_core_t *core, bool ok, const char *text) {
  if (core->console.numbered) {
    parley_record_begin(core, "reply");
    parley_record_number(core, "to", core->console.number);
    parley_record_flag(core, "ok", ok);
    (void)parley_record_rest(core, "text", parley_chars(text));
    parley_record_end(core);
  } else {
    parley_log(core, ok ? 'I' : 'W', *text == '\0' ? "done" : text);
  }
}
