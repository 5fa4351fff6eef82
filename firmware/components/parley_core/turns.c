/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who speaks when, with the milliseconds people feel.
 *
 * The user's speech silences the speaker here, before the service has said anything about the answer it cuts: a round
 * trip of talking over the user is heard. What the service tells later (cleared, truncated, in any order) and the
 * speaker's own silence are gathered into one record; what does not come in time is left out or estimated.
 */
#include "parley_core_private.h"

#include <string.h>

enum { GATHER_MS = 1000, ID_ROOM = 160 };

static void begin_record(parley_core_t *core, parley_role_t role, const char *item, const char *state) {
  parley_record_begin(core, "turn");
  parley_record_text(core, "role", role == PARLEY_USER ? "user" : "assistant");
  parley_record_chars(core, "item", parley_chars(item), ID_ROOM);
  parley_record_text(core, "state", state);
}

/* ---- an answer that is cut */

static void begin_cut(parley_core_t *core, uint64_t since_ms) {
  parley_talk_t *talk = &core->talk;
  talk->cut = (parley_cut_t){
      .pending = true,
      .since_ms = since_ms,
      .silent_ms = PARLEY_NEVER,
      .heard_ms = -1,
      .due_ms = core->now_ms + GATHER_MS,
  };
  memcpy(talk->cut.item, talk->sound_item, sizeof talk->cut.item);
  talk->sounding = false;
}

static void tell_cut(parley_core_t *core) {
  parley_talk_t *talk = &core->talk;
  parley_cut_t *cut = &talk->cut;
  bool silent = cut->silent_ms != PARLEY_NEVER;
  if (cut->heard_ms < 0 && silent) {
    cut->heard_ms = (int64_t)(cut->silent_ms - talk->sound_started_ms);
  }
  begin_record(core, PARLEY_ASSISTANT, cut->item, "interrupted");
  if (silent && cut->since_ms != PARLEY_NEVER) {
    parley_record_number(core, "ms", cut->silent_ms > cut->since_ms ? (int64_t)(cut->silent_ms - cut->since_ms) : 0);
  }
  if (cut->heard_ms >= 0) {
    parley_record_number(core, "cut_ms", cut->heard_ms);
  }
  parley_record_end(core);
  cut->pending = false;
}

void parley_turn_tick(parley_core_t *core) {
  const parley_cut_t *cut = &core->talk.cut;
  bool complete = cut->heard_ms >= 0 && cut->silent_ms != PARLEY_NEVER && cut->since_ms != PARLEY_NEVER;
  if (cut->pending && (complete || core->now_ms >= cut->due_ms)) {
    tell_cut(core);
  }
}

static void note_silence(parley_core_t *core) {
  parley_cut_t *cut = &core->talk.cut;
  if (cut->pending && cut->silent_ms == PARLEY_NEVER) {
    cut->silent_ms = core->now_ms;
  }
}

void parley_turn_sound_cleared(parley_core_t *core) {
  if (core->talk.sounding) {
    begin_cut(core, core->talk.speaking ? core->talk.speech_started_ms : PARLEY_NEVER);
  }
  note_silence(core);
}

void parley_turn_truncated(parley_core_t *core, int64_t heard_ms) {
  if (core->talk.sounding) {
    begin_cut(core, core->talk.speaking ? core->talk.speech_started_ms : PARLEY_NEVER);
  }
  core->talk.cut.heard_ms = heard_ms;
}

/* ---- the user */

void parley_turn_speech_started(parley_core_t *core, parley_chars_t id) {
  parley_talk_t *talk = &core->talk;
  const parley_item_t *item = parley_item(core, id, PARLEY_USER);
  core->port->speaker_flush(core->port->ctx);
  talk->speaking = true;
  talk->speech_started_ms = core->now_ms;
  talk->speech_stopped_ms = PARLEY_NEVER;
  if (talk->sounding) {
    begin_cut(core, core->now_ms);
  } else if (talk->cut.pending && talk->cut.since_ms == PARLEY_NEVER) {
    talk->cut.since_ms = core->now_ms; /* cleared came first */
  }
  if (item != NULL) {
    begin_record(core, PARLEY_USER, item->id, "started");
    parley_record_end(core);
  }
}

void parley_turn_speech_stopped(parley_core_t *core, parley_chars_t id) {
  parley_talk_t *talk = &core->talk;
  const parley_item_t *item = parley_item(core, id, PARLEY_USER);
  talk->speaking = false;
  talk->speech_stopped_ms = core->now_ms;
  if (talk->create_wanted) {
    parley_response_want(core);
  }
  if (item != NULL) {
    begin_record(core, PARLEY_USER, item->id, "ended");
    parley_record_end(core);
  }
}

/* ---- the assistant */

void parley_turn_sound_started(parley_core_t *core, parley_chars_t response) {
  parley_talk_t *talk = &core->talk;
  if (parley_chars_empty(response) || talk->speaker_item[0] == '\0' ||
      parley_chars_equal(response, talk->heard_response) || parley_chars_equal(response, talk->dead_response)) {
    return; /* told already, or sound of what is over */
  }
  if (talk->sounding) {
    parley_turn_sound_stopped(core);
  }
  (void)parley_chars_copy(response, talk->heard_response, sizeof talk->heard_response);
  memcpy(talk->sound_item, talk->speaker_item, sizeof talk->sound_item);
  talk->sounding = true;
  talk->sound_started_ms = core->now_ms;
  begin_record(core, PARLEY_ASSISTANT, talk->sound_item, "started");
  if (talk->speech_stopped_ms != PARLEY_NEVER) {
    parley_record_number(core, "ms", (int64_t)(core->now_ms - talk->speech_stopped_ms));
    talk->speech_stopped_ms = PARLEY_NEVER;
  }
  parley_record_end(core);
}

void parley_turn_sound_stopped(parley_core_t *core) {
  parley_talk_t *talk = &core->talk;
  if (!talk->sounding) {
    return;
  }
  talk->sounding = false;
  begin_record(core, PARLEY_ASSISTANT, talk->sound_item, "ended");
  parley_record_end(core);
}

void parley_turn_speaker(parley_core_t *core, bool playing) {
  if (playing) {
    parley_turn_sound_started(core, parley_chars(core->talk.response));
  } else {
    note_silence(core);
  }
}
