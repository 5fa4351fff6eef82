/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Events of the service: one table from `type` to what it means. Types that are not in it are counted and left alone,
 * so are keys; an event that comes twice counts once.
 */
#include "parley_core_private.h"

static parley_chars_t chars_of(parley_json_t event, const char *key) {
  return parley_json_get_chars(event, key);
}

static bool is_first_part(parley_json_t event) {
  int64_t index = 0;
  (void)parley_json_whole(parley_json_get(event, "content_index"), &index);
  return index == 0;
}

/* ---- session */

static void on_session(parley_core_t *core, parley_json_t event) {
  int64_t expires_s;
  if (parley_json_whole(parley_json_get(parley_json_get(event, "session"), "expires_at"), &expires_s)) {
    parley_session_expires(core, expires_s);
  }
}

static void on_error(parley_core_t *core, parley_json_t event) {
  char code[PARLEY_ID_ROOM];
  parley_json_t error = parley_json_get(event, "error");
  parley_chars_t message = chars_of(error, "message"), event_id = chars_of(error, "event_id");
  parley_chars_t name = chars_of(error, "code");
  name = parley_chars_empty(name) ? chars_of(error, "type") : name;
  (void)parley_chars_copy(name, code, sizeof code);
  bool conflict = parley_text_equal(code, "conversation_already_has_active_response");
  parley_response_refused(core, event_id, conflict);
  if (parley_text_equal(code, "session_expired")) {
    parley_session_end(core, PARLEY_EXPIRED, message);
  } else if (!conflict && !parley_text_equal(code, "response_cancel_not_active")) {
    parley_record_begin(core, "error");
    parley_record_chars(core, "code", parley_chars(code[0] == '\0' ? "service" : code), PARLEY_REASON_ROOM);
    parley_record_flag(core, "fatal", false);
    (void)parley_record_rest(core, "message", message);
    parley_record_end(core);
  }
}

/* ---- the user */

static void on_speech_started(parley_core_t *core, parley_json_t event) {
  parley_turn_speech_started(core, chars_of(event, "item_id"));
}

static void on_speech_stopped(parley_core_t *core, parley_json_t event) {
  parley_turn_speech_stopped(core, chars_of(event, "item_id"));
}

static void on_committed(parley_core_t *core, parley_json_t event) {
  parley_item_t *item = parley_item(core, chars_of(event, "item_id"), PARLEY_USER);
  if (item != NULL) {
    parley_item_place(core, item, chars_of(event, "previous_item_id"));
  }
}

static void delta(parley_core_t *core, parley_json_t event, parley_role_t role) {
  parley_item_t *item = parley_item(core, chars_of(event, "item_id"), role);
  parley_item_delta(core, item, chars_of(event, "delta"), is_first_part(event));
}

/* A further part is complete with its item. */
static void whole(parley_core_t *core, parley_json_t event, parley_role_t role, const char *key) {
  parley_item_t *item = parley_item(core, chars_of(event, "item_id"), role);
  if (is_first_part(event)) {
    parley_item_whole(core, item, chars_of(event, key));
  }
}

static void on_heard_delta(parley_core_t *core, parley_json_t event) {
  delta(core, event, PARLEY_USER);
}

static void on_heard(parley_core_t *core, parley_json_t event) {
  whole(core, event, PARLEY_USER, "transcript");
}

static void on_not_heard(parley_core_t *core, parley_json_t event) {
  parley_error(core, "transcription_failed", chars_of(parley_json_get(event, "error"), "message"), false);
}

/* ---- items */

static void on_item_added(parley_core_t *core, parley_json_t event) {
  parley_item_seen(core, parley_json_get(event, "item"), chars_of(event, "previous_item_id"), false);
}

static void on_item_done(parley_core_t *core, parley_json_t event) {
  parley_item_seen(core, parley_json_get(event, "item"), chars_of(event, "previous_item_id"), true);
}

static void on_truncated(parley_core_t *core, parley_json_t event) {
  int64_t heard_ms;
  if (parley_json_whole(parley_json_get(event, "audio_end_ms"), &heard_ms) && heard_ms >= 0) {
    parley_turn_truncated(core, heard_ms);
  }
}

/* ---- the assistant */

static void call_of_item(parley_core_t *core, parley_json_t item) {
  parley_json_t status = parley_json_get(item, "status");
  bool finished = !parley_json_is_string(status) || parley_json_equal(status, "completed");
  if (finished && parley_json_equal(parley_json_get(item, "type"), "function_call")) {
    parley_tool_call(core, chars_of(item, "call_id"), chars_of(item, "name"), chars_of(item, "arguments"));
  }
}

static void on_response_created(parley_core_t *core, parley_json_t event) {
  parley_response_created(core, chars_of(parley_json_get(event, "response"), "id"));
}

static int64_t tokens(parley_json_t usage, const char *key) {
  int64_t count = 0;
  (void)parley_json_whole(parley_json_get(usage, key), &count);
  return count < 0 ? 0 : count;
}

static void tell_usage(parley_core_t *core, parley_chars_t response, parley_json_t usage) {
  parley_json_t input = parley_json_get(usage, "input_token_details");
  parley_json_t output = parley_json_get(usage, "output_token_details");
  if (!parley_json_is_object(usage)) {
    return; /* null where nothing was made */
  }
  parley_record_begin(core, "usage");
  parley_record_chars(core, "response", response, PARLEY_REASON_ROOM);
  parley_record_number(core, "total", tokens(usage, "total_tokens"));
  parley_record_number(core, "input", tokens(usage, "input_tokens"));
  parley_record_number(core, "output", tokens(usage, "output_tokens"));
  parley_record_number(core, "input_text", tokens(input, "text_tokens"));
  parley_record_number(core, "input_audio", tokens(input, "audio_tokens"));
  parley_record_number(core, "cached", tokens(input, "cached_tokens"));
  parley_record_number(core, "output_text", tokens(output, "text_tokens"));
  parley_record_number(core, "output_audio", tokens(output, "audio_tokens"));
  parley_record_end(core);
}

static void tell_failure(parley_core_t *core, parley_json_t details) {
  parley_json_t error = parley_json_get(details, "error");
  parley_chars_t code = chars_of(error, "code");
  parley_record_begin(core, "error");
  parley_record_chars(core, "code", parley_chars_empty(code) ? parley_chars("response_failed") : code,
                      PARLEY_REASON_ROOM);
  parley_record_flag(core, "fatal", false);
  (void)parley_record_rest(core, "message", chars_of(error, "message"));
  parley_record_end(core);
}

static void on_response_done(parley_core_t *core, parley_json_t event) {
  parley_json_t response = parley_json_get(event, "response");
  parley_json_t status = parley_json_get(response, "status");
  parley_json_t details = parley_json_get(response, "status_details");
  parley_json_t item;
  for (parley_json_t walk = parley_json_walk(parley_json_get(response, "output")); parley_json_next(&walk, &item);) {
    parley_item_seen(core, item, parley_chars(""), true);
    if (parley_json_equal(status, "completed")) {
      call_of_item(core, item);
    }
  }
  if (parley_json_equal(status, "failed")) {
    tell_failure(core, details);
  }
  tell_usage(core, chars_of(response, "id"), parley_json_get(response, "usage"));
  parley_response_done(core, chars_of(response, "id"), parley_json_equal(status, "cancelled"),
                       parley_json_equal(parley_json_get(details, "reason"), "turn_detected"));
}

static void on_output_added(parley_core_t *core, parley_json_t event) {
  parley_item_seen(core, parley_json_get(event, "item"), parley_chars(""), false);
}

static void on_output_done(parley_core_t *core, parley_json_t event) {
  parley_item_seen(core, parley_json_get(event, "item"), parley_chars(""), true);
  call_of_item(core, parley_json_get(event, "item"));
}

static void on_delta(parley_core_t *core, parley_json_t event) {
  delta(core, event, PARLEY_ASSISTANT);
}

static void on_transcript(parley_core_t *core, parley_json_t event) {
  whole(core, event, PARLEY_ASSISTANT, "transcript");
}

static void on_text(parley_core_t *core, parley_json_t event) {
  whole(core, event, PARLEY_ASSISTANT, "text");
}

static void on_arguments(parley_core_t *core, parley_json_t event) {
  parley_tool_call(core, chars_of(event, "call_id"), chars_of(event, "name"), chars_of(event, "arguments"));
}

static void on_sound_started(parley_core_t *core, parley_json_t event) {
  parley_turn_sound_started(core, chars_of(event, "response_id"));
}

static void on_sound_stopped(parley_core_t *core, parley_json_t event) {
  (void)event;
  parley_turn_sound_stopped(core);
}

static void on_sound_cleared(parley_core_t *core, parley_json_t event) {
  (void)event;
  parley_turn_sound_cleared(core);
}

static void on_known(parley_core_t *core, parley_json_t event) {
  (void)core;
  (void)event;
}

/* ---- the table */

static const struct {
  const char *type;
  void (*take)(parley_core_t *core, parley_json_t event);
} types[] = {
    {"response.output_audio_transcript.delta", on_delta},
    {"response.output_audio_transcript.done", on_transcript},
    {"response.output_text.delta", on_delta},
    {"response.output_text.done", on_text},
    {"conversation.item.input_audio_transcription.delta", on_heard_delta},
    {"conversation.item.input_audio_transcription.completed", on_heard},
    {"conversation.item.input_audio_transcription.failed", on_not_heard},
    {"conversation.item.added", on_item_added},
    {"conversation.item.done", on_item_done},
    {"conversation.item.truncated", on_truncated},
    {"conversation.item.deleted", on_known},
    {"conversation.created", on_known},
    {"input_audio_buffer.speech_started", on_speech_started},
    {"input_audio_buffer.speech_stopped", on_speech_stopped},
    {"input_audio_buffer.committed", on_committed},
    {"input_audio_buffer.cleared", on_known},
    {"output_audio_buffer.started", on_sound_started},
    {"output_audio_buffer.stopped", on_sound_stopped},
    {"output_audio_buffer.cleared", on_sound_cleared},
    {"response.created", on_response_created},
    {"response.done", on_response_done},
    {"response.output_item.added", on_output_added},
    {"response.output_item.done", on_output_done},
    {"response.content_part.added", on_known},
    {"response.content_part.done", on_known},
    {"response.output_audio.done", on_known},
    {"response.function_call_arguments.delta", on_known},
    {"response.function_call_arguments.done", on_arguments},
    {"rate_limits.updated", on_known},
    {"session.created", on_session},
    {"session.updated", on_session},
    {"error", on_error},
};

/* FNV-1a, 64 bit: two of the last ids being equal by chance is out of the question. */
static uint64_t hash(parley_chars_t chars) {
  uint64_t sum = 0xCBF29CE484222325U;
  for (uint32_t c; (c = parley_chars_next(&chars)) != PARLEY_CHAR_END;) {
    sum = (sum ^ c) * 0x100000001B3U;
  }
  return sum;
}

static bool seen_before(parley_core_t *core, parley_chars_t id) {
  parley_talk_t *talk = &core->talk;
  uint64_t sum = hash(id);
  if (parley_chars_empty(id)) {
    return false;
  }
  for (size_t i = 0; i < PARLEY_EVENTS; i++) {
    if (talk->events[i] == sum) {
      return true;
    }
  }
  talk->events[talk->next_event++ % PARLEY_EVENTS] = sum;
  return false;
}

void parley_realtime_take(parley_core_t *core, parley_text_t text) {
  parley_json_t event;
  bool reads = parley_json_read(parley_chars_of(text), &event);
  parley_json_t type = reads ? parley_json_get(event, "type") : event;
  if (!reads || !parley_json_is_string(type)) {
    parley_error(core, "bad_event", parley_chars("an event of the service cannot be read"), false);
    return;
  }
  if (seen_before(core, chars_of(event, "event_id"))) {
    return;
  }
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (parley_json_equal(type, types[i].type)) {
      types[i].take(core, event);
      return;
    }
  }
  core->talk.unknown++;
}
