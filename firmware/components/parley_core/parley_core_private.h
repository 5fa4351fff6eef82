/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the files of the core share. One struct holds all state; each part of it belongs to one file, named beside it,
 * and is changed there only.
 */
#ifndef PARLEY_CORE_PRIVATE_H
#define PARLEY_CORE_PRIVATE_H

#include "json.h"
#include "parley_core.h"
#include "parley_schema.h"
#include "text.h"

enum {
  PARLEY_ID_ROOM = 64,       /**< ids of the service: some 30 characters */
  PARLEY_TOKEN_ROOM = 512,   /**< an ek_… has some 40 characters; no promise is given */
  PARLEY_REASON_ROOM = 320,  /**< detail for people */
  PARLEY_URL_ROOM = 192,     /**< base_url and the longest path */
  PARLEY_BODY_ROOM = 12288,  /**< longest JSON we send: 2,000 bytes of instructions, escaped, and the tools */
  PARLEY_RECALL_ROOM = 2048, /**< last turns, for the next session */
  PARLEY_ITEMS = 16,         /**< conversation items whose place is known */
  PARLEY_CALLS = 16,         /**< tool calls remembered, so that each runs once */
  PARLEY_ASKED = 8,          /**< tool calls the computer has not answered yet */
  PARLEY_NAME_ROOM = 64 + 1, /**< name of a tool; the service takes 64 letters */
  PARLEY_EVENTS = 64,        /**< events remembered, so that a doubled one counts once */
  PARLEY_WORDS_MAX = 4,      /**< words of a command */
  PARLEY_SECRET_S = 600,     /**< life we ask for a secret */
};
#define PARLEY_NEVER UINT64_MAX

typedef enum { PARLEY_USER, PARLEY_ASSISTANT } parley_role_t;

/* ---- state */

typedef struct { /* settings.c */
  parley_settings_t value;
  uint8_t fault[PARLEY_KEY_COUNT]; /* fault_t of settings.c */
  uint32_t told;                   /* bit by key: its complaint went out */
} parley_kept_t;

typedef struct { /* record.c */
  char line[PARLEY_RECORD_MAX];
  parley_writer_t writer;
  uint32_t sequence;
} parley_out_t;

typedef struct { /* console.c */
  char line[PARLEY_LINE_MAX + 1];
  size_t length;
  bool too_long;
  bool after_cr;
  bool numbered;
  uint32_t number;
} parley_console_t;

typedef enum {
  PARLEY_WIFI_OFF,
  PARLEY_WIFI_JOINING,
  PARLEY_WIFI_UP,
  PARLEY_WIFI_WAITING,
  PARLEY_WIFI_STATES
} parley_wifi_state_t;

typedef struct { /* wifi.c */
  parley_wifi_state_t state;
  uint64_t due_ms;
  uint32_t attempts;
  char ssid[32 + 1];
  char password[64 + 1];
  bool scan_for_people;
} parley_wifi_t;

typedef enum {
  PARLEY_IDLE,
  PARLEY_SECRET,  /* HTTP: client_secrets */
  PARLEY_ASK,     /* the computer is asked for a secret */
  PARLEY_GATHER,  /* the peer makes its offer */
  PARLEY_SIGNAL,  /* HTTP: calls */
  PARLEY_CONNECT, /* ICE, DTLS, channel */
  PARLEY_LIVE,
  PARLEY_CLOSING,
  PARLEY_WAITING,
  PARLEY_STATES,
} parley_state_t;

typedef enum {
  PARLEY_CODE_NONE,
  PARLEY_STOPPED,
  PARLEY_NO_WIFI,
  PARLEY_NO_KEY,
  PARLEY_BAD_BASE_URL,
  PARLEY_UNAUTHORIZED,
  PARLEY_FORBIDDEN,
  PARLEY_NOT_FOUND,
  PARLEY_NO_QUOTA,
  PARLEY_RATE_LIMITED,
  PARLEY_REFUSED,
  PARLEY_SERVER_ERROR,
  PARLEY_BAD_ANSWER,
  PARLEY_TIMEOUT,
  PARLEY_UNREACHABLE,
  PARLEY_TLS,
  PARLEY_PEER_FAILED,
  PARLEY_PEER_LOST,
  PARLEY_CHANNEL_CLOSED,
  PARLEY_EXPIRED,
  PARLEY_TOKEN_TIMEOUT,
  PARLEY_CODES,
} parley_code_t;

typedef enum {
  PARLEY_MOVE_BEGIN_SECRET,
  PARLEY_MOVE_BEGIN_ASK,
  PARLEY_MOVE_HAVE_SECRET,
  PARLEY_MOVE_HAVE_OFFER,
  PARLEY_MOVE_HAVE_ANSWER,
  PARLEY_MOVE_CHANNEL_OPEN,
  PARLEY_MOVE_END,
  PARLEY_MOVE_DOWN,
  PARLEY_MOVE_PAUSE,
} parley_move_t;

typedef enum { PARLEY_THEN_IDLE, PARLEY_THEN_WAIT, PARLEY_THEN_START, PARLEY_THEN_RESTART } parley_then_t;

typedef struct { /* session.c */
  parley_state_t state;
  uint64_t due_ms; /* guard of the state */
  uint32_t last_id;
  uint32_t request; /* id of the HTTP request under way, or 0 */
  uint32_t peer;    /* id of the peer, from peer_open to PEER_DOWN, or 0 */
  char token[PARLEY_TOKEN_ROOM];
  char call[PARLEY_ID_ROOM];
  int64_t token_expires_s; /* unix time; 0: unknown */
  uint64_t token_made_ms;
  uint64_t live_since_ms;
  uint64_t roll_ms, roll_latest_ms; /* the next session begins between these */
  uint32_t attempts;
  bool was_live;  /* since `start`: losses are repaired */
  bool automatic; /* nobody asked for it: a service that is away for a while is tried again */
  bool held;      /* `stop` was asked: Wi-Fi alone starts nothing */
  bool wanted;    /* `start` was asked before Wi-Fi was up */
  parley_then_t then;
  parley_code_t code;
  char reason[PARLEY_REASON_ROOM];
} parley_session_t;

typedef struct {
  char id[PARLEY_ID_ROOM];
  char previous[PARLEY_ID_ROOM];
  parley_role_t role;
  uint32_t whole; /* so many parts of its content went out completely */
  bool hidden;    /* no message: a link in the chain of places only */
} parley_item_t;

typedef struct {
  char call[PARLEY_ID_ROOM]; /* empty: free */
  char name[PARLEY_NAME_ROOM];
  uint64_t since_ms;
} parley_asked_t;

typedef struct {
  bool pending;
  char item[PARLEY_ID_ROOM];
  uint64_t since_ms; /* user's speech; PARLEY_NEVER: none */
  uint64_t silent_ms;
  int64_t heard_ms; /* -1: not told */
  uint64_t due_ms;
} parley_cut_t;

typedef struct { /* talk.c, turns.c, items.c, tools.c; new for each session */
  parley_item_t items[PARLEY_ITEMS];
  uint32_t next_item;
  uint64_t events[PARLEY_EVENTS];
  uint32_t next_event;
  char calls[PARLEY_CALLS][PARLEY_ID_ROOM];
  uint32_t next_call;
  parley_asked_t asked[PARLEY_ASKED];
  uint32_t unknown; /* events of types we do not know */
  uint32_t sent;    /* events we sent, for their ids */

  char response[PARLEY_ID_ROOM]; /* the last one created */
  bool active;                   /* it is not done */
  bool create_wanted, create_sent;
  uint32_t create_number;  /* of our event that asked for it */
  uint64_t create_due_ms;  /* sent: given up then; wanted: sent then even if no response.done came */
  uint64_t create_hold_ms; /* not before: the service answers speech by itself */

  bool speaking;
  uint64_t speech_started_ms, speech_stopped_ms; /* PARLEY_NEVER: not (any more) */
  char speaker_item[PARLEY_ID_ROOM];             /* message the response speaks */
  char heard_response[PARLEY_ID_ROOM];           /* whose first sound was told */
  char sound_item[PARLEY_ID_ROOM];               /* message that sounds */
  char dead_response[PARLEY_ID_ROOM];            /* cancelled: late sound of it counts nothing */
  bool sounding;
  uint64_t sound_started_ms;
  parley_cut_t cut;
} parley_talk_t;

typedef struct { /* items.c: lines "User: …", oldest first; outlives a session */
  char text[PARLEY_RECALL_ROOM];
  size_t length;
} parley_recall_t;

typedef struct { /* load.c */
  uint64_t due_ms;
  uint64_t every_ms; /* 0: no stream */
  bool for_people;
} parley_stream_t;

struct parley_core {
  const parley_port_t *port;
  const parley_board_t *board;
  uint64_t now_ms;
  bool booted;
  parley_mask_t mask;
  parley_kept_t kept;
  parley_out_t out;
  parley_console_t console;
  parley_wifi_t wifi;
  parley_session_t session;
  parley_talk_t talk;
  parley_recall_t recall;
  parley_stream_t stream;
  parley_device_t device;
  char body[PARLEY_BODY_ROOM]; /* JSON on its way out; scratch of one function at a time */
  char url[PARLEY_URL_ROOM];
  bool sound_for_people;
};

/* ---- record.c: everything that reaches the console */

void parley_record_begin(parley_core_t *core, const char *kind);
void parley_record_text(parley_core_t *core, const char *key, const char *text);
/** Text from outside: masked, made valid, cut to room bytes of JSON. Nothing is written for an empty one. */
void parley_record_chars(parley_core_t *core, const char *key, parley_chars_t chars, size_t room);
/** The last text of a record: all that fits; `cut` is added when something did not. Whether all did. */
bool parley_record_rest(parley_core_t *core, const char *key, parley_chars_t chars);
void parley_record_number(parley_core_t *core, const char *key, int64_t value);
void parley_record_flag(parley_core_t *core, const char *key, bool value);
void parley_record_key(parley_core_t *core, const char *key);
void parley_record_end(parley_core_t *core);
/** Text of an item, in as many records as it takes. *part is 0 for a delta, otherwise the number of the first record;
 * then it is the number of the next. last: nothing follows. */
void parley_record_words(parley_core_t *core, const parley_item_t *item, parley_chars_t text, int64_t *part, bool last);

parley_writer_t *parley_log_begin(parley_core_t *core, char level);
void parley_log_chars(parley_core_t *core, parley_chars_t chars);
void parley_log_end(parley_core_t *core);
void parley_log(parley_core_t *core, char level, const char *text);

void parley_error(parley_core_t *core, const char *code, parley_chars_t message, bool fatal);

/* ---- settings.c */

void parley_settings_load(parley_core_t *core);
/** Error records for what was missing or unfit, each once. */
void parley_settings_tell(parley_core_t *core);
/** Checks and stores; NULL or what is wrong. */
const char *parley_settings_set(parley_core_t *core, const char *key, const char *text);
void parley_settings_print(parley_core_t *core);
bool parley_parse_number(const char *text, int64_t low, int64_t high, int64_t *number);

/* ---- console.c, commands.c */

void parley_console_take(parley_core_t *core, parley_text_t bytes);
void parley_command_run(parley_core_t *core, char *line);
void parley_reply(parley_core_t *core, bool ok, const char *text);

/* ---- device.c */

void parley_device_tell(parley_core_t *core);
void parley_device_change(parley_core_t *core, const parley_device_t *device);
void parley_media_tell(parley_core_t *core, const parley_media_t *media);
void parley_level_tell(parley_core_t *core, const parley_level_t *level);
void parley_sound_ask(parley_core_t *core, bool for_people);
void parley_sound_tell(parley_core_t *core, const parley_sound_t *sound);

/* ---- core.c */

/** The `boot` record; repeated: because the computer asked. */
void parley_boot_tell(parley_core_t *core, bool repeated);

/* ---- wifi.c */

void parley_wifi_begin(parley_core_t *core);
void parley_wifi_join(parley_core_t *core, const char *ssid, const char *password);
void parley_wifi_hurry(parley_core_t *core);
void parley_wifi_take(parley_core_t *core, const parley_event_t *event);
void parley_wifi_tick(parley_core_t *core);
/** 1 to 30 s, doubling, with a quarter of chance. */
uint32_t parley_back_off_ms(parley_core_t *core, uint32_t attempts);

/* ---- states.c: the session's tables */

/** Whether the table has this move; then the state is the new one and its guard runs. */
bool parley_session_move(parley_core_t *core, parley_move_t move);
void parley_session_tell(parley_core_t *core, uint32_t retry_ms);
/** Keeps why the session ends, masked. */
void parley_session_note(parley_core_t *core, parley_code_t code, parley_chars_t reason);
void parley_session_log(parley_core_t *core);
/** Ends the session because its state lasts too long. */
void parley_session_late(parley_core_t *core);
/** By itself: once the session had been live, or when it was never asked for. */
bool parley_code_repaired(const parley_session_t *session, parley_code_t code);

/* ---- session.c: its life; signalling.c: HTTP and URLs */

/** NULL, or why no session starts. */
const char *parley_session_start(parley_core_t *core);
void parley_session_stop(parley_core_t *core, parley_then_t then);
void parley_session_end(parley_core_t *core, parley_code_t code, parley_chars_t reason);
bool parley_session_token(parley_core_t *core, const char *token);
void parley_session_take(parley_core_t *core, const parley_event_t *event);
void parley_session_wifi(parley_core_t *core, bool up);
void parley_session_tick(parley_core_t *core);
uint64_t parley_session_due(const parley_core_t *core);
/** The service told when the session ends, in unix time. */
void parley_session_expires(parley_core_t *core, int64_t expires_s);
/** The secret is here: next comes the offer. */
void parley_session_secret(parley_core_t *core);
void parley_session_answered(parley_core_t *core, parley_text_t sdp);

bool parley_base_url_fits(const char *url);
void parley_ask_secret(parley_core_t *core);
void parley_ask_call(parley_core_t *core, parley_text_t offer);
void parley_http_take(parley_core_t *core, const parley_event_t *event);

/* ---- talk.c: what goes to the service; realtime.c: what comes from it */

void parley_talk_secret_body(parley_core_t *core, parley_writer_t *writer);
void parley_talk_begin(parley_core_t *core, bool first);
void parley_talk_end(parley_core_t *core);
void parley_talk_say(parley_core_t *core, const char *text);
void parley_talk_output(parley_core_t *core, const char *call, const char *output);
void parley_talk_tick(parley_core_t *core);
uint64_t parley_talk_due(const parley_core_t *core);
bool parley_talk_quiet(const parley_core_t *core);
/** A response.create goes out now, or when the active response is done. */
void parley_response_want(parley_core_t *core);
void parley_response_created(parley_core_t *core, parley_chars_t response);
void parley_response_done(parley_core_t *core, parley_chars_t response, bool cancelled, bool by_speech);
/** The service refused our response.create; conflict: another one is active. */
void parley_response_refused(parley_core_t *core, parley_chars_t event_id, bool conflict);

void parley_realtime_take(parley_core_t *core, parley_text_t text);

/* ---- items.c: what was said, by item */

/** The item of this id, made when it is new; NULL without an id. */
parley_item_t *parley_item(parley_core_t *core, parley_chars_t id, parley_role_t role);
void parley_item_place(parley_core_t *core, parley_item_t *item, parley_chars_t previous);
/** Words of one part of its content, the first or a further one, as they come. */
void parley_item_delta(parley_core_t *core, parley_item_t *item, parley_chars_t text, bool first);
/** The first part of its content, complete. */
void parley_item_whole(parley_core_t *core, parley_item_t *item, parley_chars_t text);
/** An item as the service shows it; done: it will not change any more. */
void parley_item_seen(parley_core_t *core, parley_json_t item, parley_chars_t previous, bool done);

/* ---- turns.c: who speaks when */

void parley_turn_speech_started(parley_core_t *core, parley_chars_t item);
void parley_turn_speech_stopped(parley_core_t *core, parley_chars_t item);
void parley_turn_sound_started(parley_core_t *core, parley_chars_t response);
void parley_turn_sound_stopped(parley_core_t *core);
void parley_turn_sound_cleared(parley_core_t *core);
void parley_turn_truncated(parley_core_t *core, int64_t heard_ms);
void parley_turn_speaker(parley_core_t *core, bool playing);
void parley_turn_tick(parley_core_t *core);

/* ---- tools.c */

void parley_tools_put(const parley_core_t *core, parley_writer_t *writer);
bool parley_tool_is_ours(const char *name);
/** A call of the model; each call_id runs once. */
void parley_tool_call(parley_core_t *core, parley_chars_t call, parley_chars_t name, parley_chars_t arguments);
/** The computer's answer to a call; NULL or what is wrong. */
const char *parley_tool_answer(parley_core_t *core, const char *call, const char *output);
bool parley_tool_waits(const parley_core_t *core);
void parley_tool_tick(parley_core_t *core);
uint64_t parley_tool_due(const parley_core_t *core);
/** The session is over: calls that wait are given up. */
void parley_tool_end(parley_core_t *core);

/* ---- own_tools.c: tools that `cfg` defines and the computer carries out */

/** Whether one setting's text is a definition or a list of definitions. */
bool parley_own_tools_fit(const char *text);
/** Whether a name in the setting with this number is defined in one before it. */
bool parley_own_tools_repeat(const parley_settings_t *settings, size_t number);
bool parley_own_tool(const parley_settings_t *settings, parley_chars_t name);
/** Each definition with a comma before it. */
void parley_own_tools_put(const parley_settings_t *settings, parley_writer_t *writer);

/* ---- load.c */

void parley_load_ask(parley_core_t *core, int64_t every_s, bool for_people);
void parley_load_tell(parley_core_t *core, const parley_load_t *load);
void parley_load_tick(parley_core_t *core);

#endif
