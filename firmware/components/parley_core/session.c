/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The life of a session.
 *
 * Theory of operation. The state is one value and its moves are the table of states.c. A
 * session has one ending: parley_session_end() notes why (the code decides whether it is repaired), lets go of the
 * request and closes the peer; what follows is decided once the peer is down. The road back is always the whole road: a
 * new secret, a new peer. Repaired is what had been live since `start`. A first try that fails is for people to look
 * at where one of them asked for it; the board that starts by itself tries again while the service is away.
 *
 * Answers carry the id of their question. Ids are never used twice, so that late answers fall through.
 */
#include "parley_core_private.h"

enum {
  STEADY_MS = 10000, /* live for so long: the next pause is short again */
  USUAL_LIFE_MS = 3600000,
  LEAST_LIFE_MS = 10000,
  ROLL_LOOK_MS = 500, /* how often a quiet moment is looked for */
};

/* ---- beginning */

/* NULL, or why not: then code and reason are noted. */
static const char *check_start(parley_core_t *core) {
  const parley_settings_t *settings = &core->kept.value;
  const char *why = NULL;
  parley_code_t code = PARLEY_CODE_NONE;
  if (core->wifi.state != PARLEY_WIFI_UP) {
    code = PARLEY_NO_WIFI;
    why = core->wifi.state == PARLEY_WIFI_OFF ? "no Wi-Fi name is set" : "the session starts once Wi-Fi is up";
  } else if (!parley_base_url_fits(settings->base_url)) {
    code = PARLEY_BAD_BASE_URL;
    why = settings->base_url[0] == '\0' ? "no base_url is set" : "base_url is https, or http to a private address";
  } else if (settings->token_mode == 0 && settings->api_key[0] == '\0') {
    code = PARLEY_NO_KEY;
    why = "no api_key is set";
  }
  if (why != NULL) {
    parley_session_note(core, code, parley_chars(why));
  }
  return why;
}

static const char *begin(parley_core_t *core) {
  parley_session_t *session = &core->session;
  parley_settings_load(core);
  parley_settings_tell(core);
  if (core->wifi.state == PARLEY_WIFI_OFF && core->kept.value.wifi_ssid[0] != '\0') {
    parley_wifi_begin(core);
  }
  session->call[0] = '\0';
  session->token_expires_s = 0;
  const char *problem = check_start(core);
  if (problem != NULL) {
    (void)parley_session_move(core, PARLEY_MOVE_DOWN);
    parley_session_tell(core, 0);
    return problem;
  }
  bool asks = core->kept.value.token_mode == 1;
  (void)parley_session_move(core, asks ? PARLEY_MOVE_BEGIN_ASK : PARLEY_MOVE_BEGIN_SECRET);
  parley_session_tell(core, 0);
  if (asks) {
    parley_record_begin(core, "token");
    parley_record_end(core);
  } else {
    session->request = ++session->last_id;
    parley_ask_secret(core);
  }
  return NULL;
}

const char *parley_session_start(parley_core_t *core) {
  parley_session_t *session = &core->session;
  session->held = false;
  session->automatic = false;
  if (session->state == PARLEY_CLOSING) {
    session->then = PARLEY_THEN_START;
    return NULL;
  }
  if (session->state != PARLEY_IDLE && session->state != PARLEY_WAITING) {
    return NULL; /* under way */
  }
  if (session->state == PARLEY_IDLE) {
    session->was_live = false;
    session->attempts = 0;
    core->recall.length = 0;
  }
  parley_wifi_hurry(core);
  if (session->state == PARLEY_WAITING && core->wifi.state != PARLEY_WIFI_UP) {
    return NULL; /* goes on once Wi-Fi is up */
  }
  const char *problem = begin(core);
  session->wanted = problem != NULL && core->wifi.state == PARLEY_WIFI_JOINING;
  return session->wanted ? NULL : problem;
}

bool parley_session_token(parley_core_t *core, const char *token) {
  parley_chars_t chars = parley_chars(token);
  size_t length = (size_t)(chars.end - chars.at);
  if (!parley_chars_start(chars, "ek_") || length < 8 || length >= PARLEY_TOKEN_ROOM) {
    return false;
  }
  for (const char *at = token; *at != '\0'; at++) {
    if (*at <= ' ' || *at > '~') {
      return false;
    }
  }
  (void)parley_chars_copy(chars, core->session.token, sizeof core->session.token);
  parley_session_secret(core);
  return true;
}

void parley_session_secret(parley_core_t *core) {
  parley_session_t *session = &core->session;
  session->request = 0;
  (void)parley_session_move(core, PARLEY_MOVE_HAVE_SECRET);
  parley_session_tell(core, 0);
  session->peer = ++session->last_id;
  core->port->peer_open(core->port->ctx, session->peer);
}

void parley_session_answered(parley_core_t *core, parley_text_t sdp) {
  core->session.request = 0;
  (void)parley_session_move(core, PARLEY_MOVE_HAVE_ANSWER);
  parley_session_tell(core, 0);
  core->port->peer_answer(core->port->ctx, core->session.peer, sdp.bytes, sdp.length);
}

/* ---- ending */

static void finish(parley_core_t *core) {
  parley_session_t *session = &core->session;
  parley_then_t then = session->then;
  session->peer = 0;
  parley_wipe(session->token, sizeof session->token);
  if (then == PARLEY_THEN_WAIT) {
    /* An expiry is no failure; one after the other is. */
    bool at_once = session->code == PARLEY_EXPIRED && session->attempts == 0;
    uint32_t pause_ms = parley_back_off_ms(core, session->attempts++);
    pause_ms = at_once ? 0 : pause_ms;
    (void)parley_session_move(core, PARLEY_MOVE_PAUSE);
    session->due_ms = core->now_ms + pause_ms;
    parley_session_tell(core, pause_ms);
    return;
  }
  (void)parley_session_move(core, PARLEY_MOVE_DOWN);
  parley_session_tell(core, 0);
  if (then == PARLEY_THEN_RESTART) {
    core->port->restart(core->port->ctx);
  } else if (then == PARLEY_THEN_START) {
    (void)parley_session_start(core);
  }
}

void parley_session_end(parley_core_t *core, parley_code_t code, parley_chars_t reason) {
  parley_session_t *session = &core->session;
  bool is_live = session->state == PARLEY_LIVE;
  bool was_steady = is_live && core->now_ms - session->live_since_ms >= STEADY_MS;
  if (!parley_session_move(core, PARLEY_MOVE_END)) {
    return; /* resting, or ending already */
  }
  parley_session_note(core, code, reason);
  session->then = parley_code_repaired(session, code) ? PARLEY_THEN_WAIT : PARLEY_THEN_IDLE;
  session->attempts = was_steady ? 0 : session->attempts;
  parley_session_log(core);
  if (is_live) {
    parley_talk_end(core);
  }
  if (session->request != 0) {
    core->port->http_cancel(core->port->ctx, session->request);
    session->request = 0;
  }
  if (session->peer != 0 || code == PARLEY_STOPPED) {
    parley_session_tell(core, 0);
  }
  if (session->peer != 0) {
    core->port->peer_close(core->port->ctx, session->peer);
  } else {
    finish(core);
  }
}

void parley_session_stop(parley_core_t *core, parley_then_t then) {
  parley_session_t *session = &core->session;
  session->held = true;
  session->wanted = false;
  if (session->state == PARLEY_IDLE || session->state == PARLEY_WAITING) {
    parley_session_note(core, PARLEY_STOPPED, parley_chars(""));
    session->then = then;
    finish(core);
    return;
  }
  parley_session_end(core, PARLEY_STOPPED, parley_chars(""));
  if (session->state == PARLEY_CLOSING) {
    parley_session_note(core, PARLEY_STOPPED, parley_chars(""));
    session->then = then;
  } else if (then == PARLEY_THEN_RESTART) {
    core->port->restart(core->port->ctx);
  }
}

/* ---- what comes from outside */

static void live(parley_core_t *core) {
  parley_session_t *session = &core->session;
  bool first = !session->was_live;
  session->was_live = true;
  session->live_since_ms = core->now_ms;
  parley_session_expires(core, 0);
  parley_session_tell(core, 0);
  parley_log(core, 'I', "session is live");
  parley_talk_begin(core, first);
}

static void peer_down(parley_core_t *core, int32_t why) {
  parley_session_t *session = &core->session;
  bool was_live = session->state == PARLEY_LIVE;
  session->peer = 0;
  if (session->state == PARLEY_CLOSING) {
    finish(core);
  } else if (!was_live) {
    parley_session_end(core, PARLEY_PEER_FAILED, parley_chars("the connection for sound failed"));
  } else if (why == PARLEY_NET_CLOSED) {
    parley_session_end(core, PARLEY_CHANNEL_CLOSED, parley_chars("the service closed the connection"));
  } else {
    parley_session_end(core, PARLEY_PEER_LOST, parley_chars("nothing was heard of the service any more"));
  }
}

void parley_session_take(parley_core_t *core, const parley_event_t *event) {
  parley_session_t *session = &core->session;
  if (event->as.peer.id != session->peer || session->peer == 0) {
    return; /* of a peer that is history */
  }
  switch (event->kind) {
  case PARLEY_EV_PEER_OFFER:
    if (parley_session_move(core, PARLEY_MOVE_HAVE_OFFER)) {
      session->request = ++session->last_id;
      parley_ask_call(core, event->as.peer.text);
    }
    break;
  case PARLEY_EV_PEER_DOWN: peer_down(core, event->as.peer.why); break;
  case PARLEY_EV_CHANNEL_OPEN:
    /* Live is the open channel: session.created comes through it at once, and nothing we send has to wait for it. */
    if (parley_session_move(core, PARLEY_MOVE_CHANNEL_OPEN)) {
      live(core);
    }
    break;
  case PARLEY_EV_CHANNEL_TEXT:
    if (session->state == PARLEY_LIVE) {
      parley_realtime_take(core, event->as.peer.text);
    }
    break;
  case PARLEY_EV_CHANNEL_CLOSED:
    parley_session_end(core, PARLEY_CHANNEL_CLOSED, parley_chars("the service closed the channel"));
    break;
  default: break; /* PARLEY_EV_PEER_UP: the channel follows */
  }
}

void parley_session_wifi(parley_core_t *core, bool up) {
  parley_session_t *session = &core->session;
  if (!up) {
    parley_session_end(core, PARLEY_NO_WIFI, parley_chars("Wi-Fi went away"));
  } else if (session->state == PARLEY_WAITING) {
    session->due_ms = core->now_ms;
  } else if (session->wanted || (core->kept.value.auto_start == 1 && !session->held)) {
    bool goes_on = session->state == PARLEY_CLOSING && session->then == PARLEY_THEN_WAIT;
    bool asked = session->wanted;
    session->wanted = false;
    if (!goes_on) {
      (void)parley_session_start(core); /* or once the old one is closed */
      session->automatic = !asked;
    }
  }
}

/* ---- time */

void parley_session_expires(parley_core_t *core, int64_t expires_s) {
  parley_session_t *session = &core->session;
  int64_t life_ms = USUAL_LIFE_MS;
  if (expires_s > 0 && session->token_expires_s > 0) {
    /* The board has no clock. The secret told when it expires, PARLEY_SECRET_S after it was made. */
    int64_t since_secret_ms = (expires_s - (session->token_expires_s - PARLEY_SECRET_S)) * 1000;
    int64_t told_ms = since_secret_ms - (int64_t)(session->live_since_ms - session->token_made_ms);
    life_ms = told_ms >= LEAST_LIFE_MS && told_ms < USUAL_LIFE_MS ? told_ms : USUAL_LIFE_MS;
  }
  session->roll_ms = session->live_since_ms + (uint64_t)(life_ms - life_ms / 12);
  session->roll_latest_ms = session->live_since_ms + (uint64_t)(life_ms - life_ms / 24);
}

static void roll_over(parley_core_t *core) {
  const parley_session_t *session = &core->session;
  if (core->now_ms >= session->roll_ms && (core->now_ms >= session->roll_latest_ms || parley_talk_quiet(core))) {
    parley_session_end(core, PARLEY_EXPIRED, parley_chars("the time limit is near; a new session goes on"));
  }
}

uint64_t parley_session_due(const parley_core_t *core) {
  const parley_session_t *session = &core->session;
  if (session->state != PARLEY_LIVE) {
    return session->due_ms;
  }
  return core->now_ms < session->roll_ms ? session->roll_ms : core->now_ms + ROLL_LOOK_MS;
}

void parley_session_tick(parley_core_t *core) {
  parley_session_t *session = &core->session;
  if (session->state == PARLEY_LIVE) {
    roll_over(core);
  }
  if (core->now_ms < session->due_ms) {
    return;
  }
  if (session->state == PARLEY_CLOSING) {
    finish(core); /* a port that lost its peer must not lose the board */
  } else if (session->state == PARLEY_WAITING && core->wifi.state != PARLEY_WIFI_UP) {
    session->due_ms = PARLEY_NEVER;
  } else if (session->state == PARLEY_WAITING) {
    (void)begin(core);
  } else {
    parley_session_late(core);
  }
}
