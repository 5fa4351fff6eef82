/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What was said, item by item.
 *
 * The service shows one text many times (deltas, done, item.done, response.done). It goes out as deltas while it comes,
 * and once whole at the first event that has it whole. An item with further parts of content goes out whole once more
 * when all of it is there. Order is the service's chain of previous items; links that are
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

void parley_item_delta(parley_core_t *core, parley_item_t *item, parley_chars_t text, bool first) {
  int64_t part = 0;
  bool late = item != NULL && first && item->whole > 0;
  if (item != NULL && !late && !parley_chars_empty(text)) {
    parley_record_words(core, item, text, &part, false);
  }
}

void parley_item_whole(parley_core_t *core, parley_item_t *item, parley_chars_t text) {
  int64_t part = 1;
  if (item != NULL && item->whole == 0) {
    item->whole = 1;
    parley_record_words(core, item, text, &part, true);
    recall(core, item->role, text);
  }
}

/* ---- items as the service shows them */

/* The next part of the content that has words; `typed`: only what was typed. */
static bool next_text(parley_json_t *walk, bool typed, parley_chars_t *text) {
  parley_json_t part;
  while (parley_json_next(walk, &part)) {
    parley_chars_t transcript = parley_json_get_chars(part, "transcript");
    *text = parley_json_get_chars(part, "text");
    *text = parley_chars_empty(*text) && !typed ? transcript : *text;
    if (!parley_chars_empty(*text)) {
      return true;
    }
  }
  return false;
}

/* All parts that have words, one after the other, where more of them are complete than went out so far. */
static void tell_content(parley_core_t *core, parley_item_t *item, parley_json_t content, bool typed) {
  parley_chars_t text;
  uint32_t count = 0, index = 0;
  int64_t part = 1;
  for (parley_json_t walk = content; next_text(&walk, typed, &text);) {
    count++;
  }
  if (count <= item->whole) {
    return;
  }
  for (parley_json_t walk = content; next_text(&walk, typed, &text);) {
    parley_record_words(core, item, text, &part, ++index == count);
    if (index > item->whole) {
      recall(core, item->role, text);
    }
  }
  item->whole = count;
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
  tell_content(core, item, parley_json_walk(parley_json_get(shown, "content")), !done);
}
