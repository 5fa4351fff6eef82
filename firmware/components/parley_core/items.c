/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What was said, item by item.
 *
 * The service shows one text many times (deltas, done, item.done, response.done). It goes out as deltas while it comes,
 * and once whole at the first event that has it whole. Order is the service's chain of previous items; links that are
 * no messages (calls, their outputs, our own reminders) are left out of the chain.
 */
#include "parley_core_private.h"

#include <string.h>

enum { RECALL_TEXT_MAX = 400 };

static parley_item_t *find(parley_core_t *core, parley_chars_t id) {
  for (size_t i = 0; i < PARLEY_ITEMS; i++) {
    if (core->talk.items[i].id[0] != '\0' && parley_chars_equal(id, core->talk.items[i].id)) {
      return &core->talk.items[i];
    }
  }
  return NULL;
}

parley_item_t *parley_item(parley_core_t *core, parley_chars_t id, parley_role_t role) {
  parley_item_t *item = find(core, id);
  if (parley_chars_empty(id)) {
    return NULL;
  }
  if (item == NULL) {
    item = &core->talk.items[core->talk.next_item++ % PARLEY_ITEMS];
    memset(item, 0, sizeof *item);
    (void)parley_chars_copy(id, item->id, sizeof item->id);
    item->role = role;
  }
  return item;
}

void parley_item_place(parley_core_t *core, parley_item_t *item, parley_chars_t previous) {
  for (size_t i = 0; i < PARLEY_ITEMS; i++) {
    const parley_item_t *before = find(core, previous);
    if (before == NULL || before == item || !before->hidden) {
      break;
    }
    previous = parley_chars(before->previous);
  }
  if (!parley_chars_empty(previous) && !parley_chars_equal(previous, item->id)) {
    (void)parley_chars_copy(previous, item->previous, sizeof item->previous);
  }
}

/* ---- the last turns, for the session after this one */

static void recall(parley_core_t *core, parley_role_t role, parley_chars_t text) {
  parley_recall_t *recall = &core->recall;
  char line[RECALL_TEXT_MAX + 16];
  parley_writer_t writer = parley_writer(line, sizeof line);
  parley_put(&writer, role == PARLEY_USER ? "User: " : "You: ");
  (void)parley_put_chars(&writer, &text, PARLEY_AS_PLAIN, &core->mask, writer.room - 1);
  parley_put(&writer, "\n");
  while (recall->length + writer.length > sizeof recall->text) {
    const char *end = memchr(recall->text, '\n', recall->length);
    size_t first = (size_t)(end - recall->text) + 1;
    memmove(recall->text, recall->text + first, recall->length - first);
    recall->length -= first;
  }
  memcpy(recall->text + recall->length, line, writer.length);
  recall->length += writer.length;
}

void parley_item_words(parley_core_t *core, parley_item_t *item, parley_chars_t text, bool whole) {
  if (item == NULL || (whole ? item->whole : parley_chars_empty(text))) {
    return;
  }
  parley_record_words(core, item, text, whole);
  if (whole) {
    item->whole = true;
    recall(core, item->role, text);
  }
}

/* ---- items as the service shows them */

/* The first part of the content that has words; `typed`: only what was typed. */
static parley_chars_t content_text(parley_json_t item, bool typed) {
  parley_json_t part;
  for (parley_json_t walk = parley_json_walk(parley_json_get(item, "content")); parley_json_next(&walk, &part);) {
    parley_chars_t text = parley_json_get_chars(part, "text");
    parley_chars_t transcript = parley_json_get_chars(part, "transcript");
    if (!parley_chars_empty(text)) {
      return text;
    }
    if (!typed && !parley_chars_empty(transcript)) {
      return transcript;
    }
  }
  return parley_chars("");
}

void parley_item_seen(parley_core_t *core, parley_json_t shown, parley_chars_t previous, bool done) {
  parley_json_t role = parley_json_get(shown, "role");
  bool is_message = parley_json_equal(parley_json_get(shown, "type"), "message");
  bool by_user = parley_json_equal(role, "user"), by_assistant = parley_json_equal(role, "assistant");
  parley_item_t *item = parley_item(core, parley_json_get_chars(shown, "id"), by_user ? PARLEY_USER : PARLEY_ASSISTANT);
  if (item == NULL) {
    return;
  }
  item->hidden = !is_message || (!by_user && !by_assistant);
  parley_item_place(core, item, previous);
  if (item->hidden) {
    return;
  }
  if (by_assistant && !done) {
    (void)parley_chars_copy(parley_chars(item->id), core->talk.speaker_item, sizeof core->talk.speaker_item);
    return;
  }
  parley_chars_t text = content_text(shown, !done);
  if (!parley_chars_empty(text)) {
    parley_item_words(core, item, text, true);
  }
}
