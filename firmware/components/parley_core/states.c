/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The session's law: states, moves and codes, as tables. What is not in the table of moves does not happen.
 */
#include "parley_core_private.h"

enum {
  SECRET_MS = 17000, /* the port's own limit is 15 s; this is for one that stays silent */
  ASK_MS = 30000,
  GATHER_MS = 10000,
  CONNECT_MS = 15000,
  CLOSING_MS = 3000,
};

static const struct {
  parley_state_t from;
  parley_move_t move;
  parley_state_t to;
} edges[] = {
    {PARLEY_IDLE, PARLEY_MOVE_BEGIN_SECRET, PARLEY_SECRET},    {PARLEY_IDLE, PARLEY_MOVE_BEGIN_ASK, PARLEY_ASK},
    {PARLEY_WAITING, PARLEY_MOVE_BEGIN_SECRET, PARLEY_SECRET}, {PARLEY_WAITING, PARLEY_MOVE_BEGIN_ASK, PARLEY_ASK},
    {PARLEY_WAITING, PARLEY_MOVE_DOWN, PARLEY_IDLE},           {PARLEY_SECRET, PARLEY_MOVE_HAVE_SECRET, PARLEY_GATHER},
    {PARLEY_ASK, PARLEY_MOVE_HAVE_SECRET, PARLEY_GATHER},      {PARLEY_GATHER, PARLEY_MOVE_HAVE_OFFER, PARLEY_SIGNAL},
    {PARLEY_SIGNAL, PARLEY_MOVE_HAVE_ANSWER, PARLEY_CONNECT},  {PARLEY_CONNECT, PARLEY_MOVE_CHANNEL_OPEN, PARLEY_LIVE},
    {PARLEY_SECRET, PARLEY_MOVE_END, PARLEY_CLOSING},          {PARLEY_ASK, PARLEY_MOVE_END, PARLEY_CLOSING},
    {PARLEY_GATHER, PARLEY_MOVE_END, PARLEY_CLOSING},          {PARLEY_SIGNAL, PARLEY_MOVE_END, PARLEY_CLOSING},
    {PARLEY_CONNECT, PARLEY_MOVE_END, PARLEY_CLOSING},         {PARLEY_LIVE, PARLEY_MOVE_END, PARLEY_CLOSING},
    {PARLEY_CLOSING, PARLEY_MOVE_DOWN, PARLEY_IDLE},           {PARLEY_CLOSING, PARLEY_MOVE_PAUSE, PARLEY_WAITING},
};

static const struct {
  const char *name;  /* on the wire */
  uint32_t guard_ms; /* 0: none */
  parley_code_t late;
  const char *why;
} states[] = {
    [PARLEY_IDLE] = {"idle", 0, PARLEY_CODE_NONE, ""},
    [PARLEY_SECRET] = {"token", SECRET_MS, PARLEY_TIMEOUT, "no secret in time"},
    [PARLEY_ASK] = {"token", ASK_MS, PARLEY_TOKEN_TIMEOUT, "no computer answered with a token"},
    [PARLEY_GATHER] = {"offer", GATHER_MS, PARLEY_PEER_FAILED, "the board made no offer"},
    [PARLEY_SIGNAL] = {"offer", SECRET_MS, PARLEY_TIMEOUT, "no answer to the offer in time"},
    [PARLEY_CONNECT] = {"connecting", CONNECT_MS, PARLEY_PEER_FAILED, "no connection for sound in time"},
    [PARLEY_LIVE] = {"live", 0, PARLEY_CODE_NONE, ""},
    [PARLEY_CLOSING] = {"closing", CLOSING_MS, PARLEY_CODE_NONE, ""},
    [PARLEY_WAITING] = {"waiting", 0, PARLEY_CODE_NONE, ""},
};
_Static_assert(sizeof states / sizeof states[0] == PARLEY_STATES, "describe every state");

static const struct {
  const char *name;
  bool repaired; /* by itself, once the session had been live */
  bool passes;   /* the service is away for a while: a session that nobody asked for is tried again */
} codes[] = {
    [PARLEY_CODE_NONE] = {"", false, false},
    [PARLEY_STOPPED] = {"stopped", false, false},
    [PARLEY_NO_WIFI] = {"no_wifi", true, false},
    [PARLEY_NO_KEY] = {"no_key", false, false},
    [PARLEY_BAD_BASE_URL] = {"bad_base_url", false, false},
    [PARLEY_UNAUTHORIZED] = {"unauthorized", false, false},
    [PARLEY_FORBIDDEN] = {"forbidden", false, false},
    [PARLEY_NOT_FOUND] = {"not_found", false, false},
    [PARLEY_NO_QUOTA] = {"no_quota", false, false},
    [PARLEY_RATE_LIMITED] = {"rate_limited", true, true},
    [PARLEY_REFUSED] = {"refused", false, false},
    [PARLEY_SERVER_ERROR] = {"server_error", true, true},
    [PARLEY_BAD_ANSWER] = {"bad_answer", false, false},
    [PARLEY_TIMEOUT] = {"timeout", true, true},
    [PARLEY_UNREACHABLE] = {"unreachable", true, true},
    [PARLEY_TLS] = {"tls", false, false},
    [PARLEY_PEER_FAILED] = {"peer_failed", true, false},
    [PARLEY_PEER_LOST] = {"peer_lost", true, false},
    [PARLEY_CHANNEL_CLOSED] = {"channel_closed", true, false},
    [PARLEY_EXPIRED] = {"expired", true, false},
    [PARLEY_TOKEN_TIMEOUT] = {"token_timeout", false, false},
};
_Static_assert(sizeof codes / sizeof codes[0] == PARLEY_CODES, "describe every code");

bool parley_code_repaired(const parley_session_t *session, parley_code_t code) {
  return (session->was_live && codes[code].repaired) || (session->automatic && codes[code].passes);
}

/* ---- moves */

void parley_session_tell(parley_core_t *core, uint32_t retry_ms) {
  const parley_session_t *session = &core->session;
  bool rests = session->state == PARLEY_IDLE || session->state == PARLEY_WAITING;
  parley_record_begin(core, "session");
  parley_record_text(core, "state", states[session->state].name);
  parley_record_chars(core, "call", parley_chars(session->call), PARLEY_REASON_ROOM);
  if (rests && session->code != PARLEY_CODE_NONE) {
    parley_record_text(core, "code", codes[session->code].name);
  }
  if (session->state == PARLEY_WAITING) {
    parley_record_number(core, "retry_ms", retry_ms);
  }
  if (rests) {
    parley_record_chars(core, "reason", parley_chars(session->reason), PARLEY_RECORD_MAX);
  }
  parley_record_end(core);
}

bool parley_session_move(parley_core_t *core, parley_move_t wanted) {
  parley_session_t *session = &core->session;
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
    if (edges[i].from == session->state && edges[i].move == wanted) {
      session->state = edges[i].to;
      uint32_t guard_ms = states[session->state].guard_ms;
      session->due_ms = guard_ms == 0 ? PARLEY_NEVER : core->now_ms + guard_ms;
      return true;
    }
  }
  return false;
}

void parley_session_log(parley_core_t *core) {
  const parley_session_t *session = &core->session;
  (void)parley_log_begin(core, session->code == PARLEY_STOPPED ? 'I' : 'W');
  parley_log_chars(core, parley_chars("session ended: "));
  parley_log_chars(core, parley_chars(codes[session->code].name));
  parley_log_chars(core, parley_chars(session->reason[0] == '\0' ? "" : ", "));
  parley_log_chars(core, parley_chars(session->reason));
  parley_log_end(core);
}

void parley_session_note(parley_core_t *core, parley_code_t code, parley_chars_t reason) {
  parley_session_t *session = &core->session;
  parley_writer_t writer = parley_writer(session->reason, sizeof session->reason - 1);
  session->code = code;
  (void)parley_put_chars(&writer, &reason, PARLEY_AS_PLAIN, &core->mask, writer.room);
  session->reason[writer.length] = '\0';
}

void parley_session_late(parley_core_t *core) {
  parley_state_t state = core->session.state;
  parley_session_end(core, states[state].late, parley_chars(states[state].why));
}
