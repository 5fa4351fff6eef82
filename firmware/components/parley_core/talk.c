/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the core says to the service: the session's settings, texts, outputs of tools, and when a response is asked for.
 *
 * One response is active at a time, and only response.done ends it; asking earlier is an error of the service. So
 * wishes are gathered: any number of outputs and texts make one response.create, once no tool call waits for the
 * computer. Speech is answered by the service itself, and its answer takes along what was wished for meanwhile.
 */
#include "parley_core_private.h"

#include <string.h>

enum {
  CREATE_ANSWER_MS = 10000, /* no response.created so long: the create is lost */
  CREATE_LATEST_MS = 30000, /* no response.done so long: it is lost */
  SPEECH_ANSWER_MS = 3000,  /* the service answers speech within this, or not at all */
};

/* ---- the session, as the secret carries it (facts: GA names, no key the service does not know) */

static void put_transcription(const parley_settings_t *settings, parley_writer_t *writer) {
  if (settings->stt_model[0] == '\0') {
    parley_put(writer, "null");
    return;
  }
  parley_put(writer, "{\"model\":");
  parley_put_string(writer, settings->stt_model);
  if (settings->lang[0] != '\0') {
    parley_put(writer, ",\"language\":");
    parley_put_string(writer, settings->lang);
  }
  parley_put(writer, "}");
}

void parley_talk_secret_body(parley_core_t *core, parley_writer_t *writer) {
  const parley_settings_t *settings = &core->kept.value;
  parley_put(writer, "{\"expires_after\":{\"anchor\":\"created_at\",\"seconds\":");
  parley_put_number(writer, PARLEY_SECRET_S);
  parley_put(writer, "},\"session\":{\"type\":\"realtime\",\"model\":");
  parley_put_string(writer, settings->model);
  parley_put(writer, ",\"instructions\":");
  parley_put_string(writer, settings->instr);
  parley_put(writer, ",\"output_modalities\":[\"audio\"],\"audio\":{\"input\":{"
                     "\"noise_reduction\":{\"type\":\"far_field\"},\"transcription\":");
  put_transcription(settings, writer);
  parley_put(writer, ",\"turn_detection\":{\"type\":\"server_vad\",\"create_response\":true,"
                     "\"interrupt_response\":true}},\"output\":{\"voice\":");
  parley_put_string(writer, settings->voice);
  parley_put(writer, "}},\"tools\":");
  parley_tools_put(core, writer);
  parley_put(writer, ",\"tool_choice\":\"auto\"}}");
}

/* ---- events */

static void put_event_id(parley_writer_t *writer, uint32_t number) {
  parley_put(writer, "parley_");
  parley_put_number(writer, number);
}

static parley_writer_t begin_event(parley_core_t *core, const char *type) {
  parley_writer_t writer = parley_writer(core->body, sizeof core->body);
  parley_put(&writer, "{\"type\":\"");
  parley_put(&writer, type);
  parley_put(&writer, "\",\"event_id\":\"");
  put_event_id(&writer, ++core->talk.sent);
  parley_put(&writer, "\"");
  return writer;
}

static void send_event(parley_core_t *core, parley_writer_t *writer) {
  parley_put(writer, "}");
  if (!writer->full) {
    core->port->peer_send(core->port->ctx, core->session.peer, core->body, writer->length);
  }
}

static void send_message(parley_core_t *core, const char *role, const char *lead, parley_chars_t text) {
  parley_writer_t writer = begin_event(core, "conversation.item.create");
  parley_put(&writer, ",\"item\":{\"type\":\"message\",\"role\":\"");
  parley_put(&writer, role);
  parley_put(&writer, "\",\"content\":[{\"type\":\"input_text\",\"text\":\"");
  parley_put(&writer, lead);
  (void)parley_put_chars(&writer, &text, PARLEY_AS_JSON, NULL, writer.room);
  parley_put(&writer, "\"}]}");
  send_event(core, &writer);
}

static void send_create(parley_core_t *core, const char *instructions) {
  parley_talk_t *talk = &core->talk;
  parley_writer_t writer = begin_event(core, "response.create");
  if (instructions[0] != '\0') {
    parley_put(&writer, ",\"response\":{\"instructions\":");
    parley_put_string(&writer, instructions);
    parley_put(&writer, "}");
  }
  talk->create_wanted = false;
  talk->create_sent = true;
  talk->create_number = talk->sent;
  talk->create_due_ms = core->now_ms + CREATE_ANSWER_MS;
  send_event(core, &writer);
}

void parley_talk_begin(parley_core_t *core, bool first) {
  parley_talk_t *talk = &core->talk;
  const parley_recall_t *recall = &core->recall;
  memset(talk, 0, sizeof *talk);
  talk->speech_stopped_ms = PARLEY_NEVER;
  if (recall->length > 0) {
    send_message(core, "system", "The line was interrupted. So far in this conversation:\\n",
                 parley_chars_of((parley_text_t){recall->text, recall->length}));
  }
  if (first && core->kept.value.greeting[0] != '\0') {
    send_create(core, core->kept.value.greeting);
  }
}

void parley_talk_end(parley_core_t *core) {
  parley_tool_end(core);
  if (core->talk.unknown > 0) {
    parley_writer_t *line = parley_log_begin(core, 'W');
    parley_put(line, "events of unknown types, left alone: ");
    parley_put_number(line, core->talk.unknown);
    parley_log_end(core);
  }
}

void parley_talk_say(parley_core_t *core, const char *text) {
  send_message(core, "user", "", parley_chars(text));
  parley_response_want(core);
}

void parley_talk_output(parley_core_t *core, const char *call, const char *output) {
  parley_writer_t writer = begin_event(core, "conversation.item.create");
  parley_put(&writer, ",\"item\":{\"type\":\"function_call_output\",\"call_id\":");
  parley_put_string(&writer, call);
  parley_put(&writer, ",\"output\":");
  parley_put_string(&writer, output);
  parley_put(&writer, "}");
  send_event(core, &writer);
  parley_response_want(core);
}

/* ---- when a response is asked for */

void parley_talk_tick(parley_core_t *core) {
  parley_talk_t *talk = &core->talk;
  bool late = core->now_ms >= talk->create_due_ms;
  if (core->session.state != PARLEY_LIVE) {
    return;
  }
  parley_tool_tick(core);
  if (talk->create_sent && late) {
    talk->create_sent = false;
  }
  bool may = !talk->create_sent && !talk->speaking && core->now_ms >= talk->create_hold_ms && (!talk->active || late) &&
             !parley_tool_waits(core);
  if (talk->create_wanted && may) {
    send_create(core, "");
  }
  parley_turn_tick(core);
}

uint64_t parley_talk_due(const parley_core_t *core) {
  const parley_talk_t *talk = &core->talk;
  if (core->session.state != PARLEY_LIVE) {
    return PARLEY_NEVER;
  }
  uint64_t due_ms = parley_tool_due(core);
  if (talk->create_sent) {
    due_ms = talk->create_due_ms < due_ms ? talk->create_due_ms : due_ms;
  } else if (talk->create_wanted && !talk->speaking && !parley_tool_waits(core)) {
    due_ms = talk->active && talk->create_due_ms > talk->create_hold_ms ? talk->create_due_ms : talk->create_hold_ms;
  }
  return talk->cut.pending && talk->cut.due_ms < due_ms ? talk->cut.due_ms : due_ms;
}

bool parley_talk_quiet(const parley_core_t *core) {
  const parley_talk_t *talk = &core->talk;
  return !talk->active && !talk->speaking && !talk->sounding && !talk->create_wanted && !talk->create_sent &&
         !parley_tool_waits(core);
}

void parley_response_want(parley_core_t *core) {
  parley_talk_t *talk = &core->talk;
  talk->create_wanted = true;
  if (!talk->create_sent) {
    talk->create_due_ms = core->now_ms + CREATE_LATEST_MS;
  }
  if (talk->speech_stopped_ms != PARLEY_NEVER && !talk->active) {
    talk->create_hold_ms = talk->speech_stopped_ms + SPEECH_ANSWER_MS;
  }
}

void parley_response_created(parley_core_t *core, parley_chars_t response) {
  parley_talk_t *talk = &core->talk;
  (void)parley_chars_copy(response, talk->response, sizeof talk->response);
  talk->speaker_item[0] = '\0';
  talk->active = true;
  talk->create_hold_ms = 0;
  if (!talk->create_sent) {
    talk->create_wanted = false; /* the service's own answer: it knows all that was wished for */
  }
  talk->create_sent = false;
  talk->create_due_ms = core->now_ms + CREATE_LATEST_MS;
}

void parley_response_done(parley_core_t *core, parley_chars_t response, bool cancelled, bool by_speech) {
  parley_talk_t *talk = &core->talk;
  if (parley_chars_equal(response, talk->response)) {
    talk->active = false;
  }
  if (cancelled) {
    (void)parley_chars_copy(response, talk->dead_response, sizeof talk->dead_response);
  }
  if (by_speech) {
    talk->create_wanted = false; /* the user speaks, and that is answered by itself */
  }
}

void parley_response_refused(parley_core_t *core, parley_chars_t event_id, bool conflict) {
  parley_talk_t *talk = &core->talk;
  char ours[PARLEY_ID_ROOM];
  parley_writer_t writer = parley_writer(ours, sizeof ours - 1);
  put_event_id(&writer, talk->create_number);
  ours[writer.length] = '\0';
  bool is_ours = parley_chars_empty(event_id) ? conflict : parley_chars_equal(event_id, ours);
  if (!talk->create_sent || !is_ours) {
    return;
  }
  talk->create_sent = false;
  if (conflict) {
    talk->active = true;
    parley_response_want(core);
  }
}
