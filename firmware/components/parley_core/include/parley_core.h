/* SPDX-License-Identifier: Apache-2.0 */
/**
 * parley_core: what a Parley board does, without the board.
 *
 * Theory of operation. One task owns the core. Everything that happens outside (console bytes, Wi-Fi, HTTP answers, the
 * WebRTC peer, time) arrives as a parley_event_t through parley_core_step(); everything the core wants done leaves
 * through parley_port_t. A port function only *starts* things and returns at once; what comes of it returns later as an
 * event. The port must not call parley_core_step() from inside a port function. So there is no lock, no wait and no
 * clock in here: a test is a list of events, and the virtual board is this code with other callbacks.
 *
 * Memory. The caller owns all of it: parley_core_size() bytes, aligned for max_align_t; nothing is allocated
 * afterwards. Pointers in events and in port calls are valid during the call only.
 *
 * Time is milliseconds since the chip started, never decreasing.
 */
#ifndef PARLEY_CORE_H
#define PARLEY_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PARLEY_PROTOCOL = 1,      /**< version of the console records */
  PARLEY_RECORD_MAX = 2048, /**< bytes of one record, from RS to newline inclusive */
  PARLEY_LINE_MAX = 1024,   /**< bytes of one command line without its end; a longer one is refused whole */
  PARLEY_CORES_MAX = 2,
  PARLEY_TASKS_MAX = 32,
};

typedef struct parley_core parley_core_t;

/* ---- what the port tells ---------------------------------------------------------------------------------------- */

/** Why a link or a request ended without an answer. */
typedef enum {
  PARLEY_NET_OK = 0,
  PARLEY_NET_TIMEOUT,     /**< nothing came in the time given */
  PARLEY_NET_UNREACHABLE, /**< name not found, refused, no route */
  PARLEY_NET_TLS,         /**< certificate or handshake refused */
  PARLEY_NET_TOO_LONG,    /**< the answer was larger than the port takes */
  PARLEY_NET_LOST,        /**< was up, nothing heard any more */
  PARLEY_NET_CLOSED,      /**< the other side closed */
  PARLEY_NET_FAILED,      /**< could not be set up */
} parley_net_t;

typedef enum {
  PARLEY_WIFI_BAD_PASSWORD = 1,
  PARLEY_WIFI_NOT_FOUND, /**< on 2.4 GHz: the chip hears no other band */
  PARLEY_WIFI_LOST,
  PARLEY_WIFI_REFUSED,
} parley_wifi_reason_t;

typedef enum {
  PARLEY_SECURITY_OPEN,
  PARLEY_SECURITY_WEP,
  PARLEY_SECURITY_WPA,
  PARLEY_SECURITY_WPA2,
  PARLEY_SECURITY_WPA3
} parley_security_t;

typedef enum {
  PARLEY_EV_BOOT,           /**< first event, once: read `cfg`, say hello */
  PARLEY_EV_TICK,           /**< time has passed; see the result of parley_core_step() */
  PARLEY_EV_CONSOLE,        /**< .text: bytes typed or sent, cut anywhere */
  PARLEY_EV_WIFI_UP,        /**< .wifi: ip, rssi_dbm */
  PARLEY_EV_WIFI_DOWN,      /**< .wifi: reason */
  PARLEY_EV_WIFI_NETWORK,   /**< .network: one result of a scan */
  PARLEY_EV_WIFI_SCANNED,   /**< scan is complete */
  PARLEY_EV_HTTP_DONE,      /**< .http */
  PARLEY_EV_PEER_OFFER,     /**< .peer: id, text = SDP offer with all candidates, exact bytes */
  PARLEY_EV_PEER_UP,        /**< .peer: id; ICE and DTLS are up, audio flows */
  PARLEY_EV_PEER_DOWN,      /**< .peer: id, why; the last event of this id, asked for or not, all of it is let go */
  PARLEY_EV_CHANNEL_OPEN,   /**< .peer: id */
  PARLEY_EV_CHANNEL_TEXT,   /**< .peer: id, text = one event of the data channel, any size */
  PARLEY_EV_CHANNEL_CLOSED, /**< .peer: id */
  PARLEY_EV_SPEAKER,        /**< .speaker: sound began to leave the speaker, or ended */
  PARLEY_EV_LOAD,           /**< .load: answer to load_sample */
  PARLEY_EV_MEDIA,          /**< .media: every 2 s while the peer is up */
  PARLEY_EV_LEVEL,          /**< .level: some 5 times a second while the peer is up */
  PARLEY_EV_SOUND,          /**< .sound: answer to sound_test */
  PARLEY_EV_COUNT,
} parley_event_kind_t;

typedef struct {
  const char *bytes;
  size_t length;
} parley_text_t;

typedef struct {
  char name[16]; /**< NUL-terminated */
  int8_t core;   /**< -1: not pinned */
  uint8_t priority;
  uint16_t cpu_permille; /**< of one core since the last sample */
  uint32_t stack_left;   /**< bytes never used */
} parley_task_load_t;

typedef struct {
  uint32_t free, min_free, largest; /**< bytes */
} parley_heap_t;

typedef struct {
  uint8_t core_count;
  uint16_t cpu_permille[PARLEY_CORES_MAX];
  parley_heap_t heap, psram;
  int8_t rssi_dbm; /**< 0: no Wi-Fi */
  uint8_t task_count;
  const parley_task_load_t *tasks;
} parley_load_t;

typedef struct {
  uint32_t up_bps, down_bps;
  uint16_t loss_permille, jitter_ms, round_trip_ms;
  uint32_t underruns; /**< since the peer came up */
} parley_media_t;

typedef struct {
  int16_t microphone_cdb, speaker_cdb, echo_left_cdb; /**< hundredths of dBFS, 0 loudest; -9600 silence */
} parley_level_t;

typedef struct {
  int32_t delay_ms; /**< from the speaker's queue to the microphone; negative: the tone was not heard */
  int16_t tone_cdb, microphone_cdb, echo_left_cdb; /**< sent, heard, left by the echo canceller; as parley_level_t */
} parley_sound_t;

typedef struct {
  parley_event_kind_t kind;
  union {
    parley_text_t text;
    struct {
      parley_text_t ip;
      int32_t rssi_dbm;
      int32_t reason; /**< parley_wifi_reason_t */
    } wifi;
    struct {
      parley_text_t ssid;
      int32_t rssi_dbm;
      int32_t security; /**< parley_security_t */
      int32_t channel;
    } network;
    struct {
      uint32_t id;
      int32_t why;    /**< parley_net_t; PARLEY_NET_OK: status is valid */
      int32_t status; /**< HTTP status */
      parley_text_t body;
      parley_text_t location; /**< header, may be empty */
    } http;
    struct {
      uint32_t id;
      int32_t why; /**< parley_net_t */
      parley_text_t text;
    } peer;
    struct {
      bool playing;
    } speaker;
    const parley_load_t *load;
    const parley_media_t *media;
    const parley_level_t *level;
    const parley_sound_t *sound;
  } as;
} parley_event_t;

/* ---- what the core asks of the port ------------------------------------------------------------------------------ */

typedef enum {
  PARLEY_KV_OK = 0,
  PARLEY_KV_MISSING,
  PARLEY_KV_WRONG_TYPE,
  PARLEY_KV_TOO_LONG,
  PARLEY_KV_FAILED
} parley_kv_t;

/** Types of the `cfg` schema, as NVS has them. */
typedef enum { PARLEY_U8, PARLEY_I8, PARLEY_U16, PARLEY_U32, PARLEY_STR } parley_type_t;

typedef struct {
  uint32_t id;        /**< comes back in PARLEY_EV_HTTP_DONE */
  const char *url;    /**< NUL-terminated, http or https */
  const char *bearer; /**< NUL-terminated secret for `Authorization: Bearer` */
  const char *content_type;
  parley_text_t body;
  uint32_t timeout_ms; /**< for the whole exchange */
} parley_http_request_t;

typedef struct {
  bool light;
  uint8_t red, green, blue;
  uint8_t volume; /**< percent */
  bool muted;     /**< microphone */
  bool door_open;
} parley_device_t;

/** Everything the core can do to the world. No function may be NULL. */
typedef struct {
  void *ctx;
  /** One whole line (log text or record) with its newline. Lines are written in the order of the calls, never mixed. */
  void (*console_write)(void *ctx, const char *line, size_t length);
  /** 32 bits nobody can guess. */
  uint32_t (*random)(void *ctx);

  /* `cfg`, namespace `parley`; these four answer at once */
  parley_kv_t (*kv_get_number)(void *ctx, const char *key, int32_t type, int64_t *value);
  /** *length is the text without NUL; out gets a NUL. PARLEY_KV_TOO_LONG leaves out empty. */
  parley_kv_t (*kv_get_text)(void *ctx, const char *key, char *out, size_t room, size_t *length);
  parley_kv_t (*kv_set_number)(void *ctx, const char *key, int32_t type, int64_t value);
  parley_kv_t (*kv_set_text)(void *ctx, const char *key, const char *text, size_t length);

  /* Wi-Fi: UP or DOWN follows each join; leave is silent */
  void (*wifi_join)(void *ctx, const char *ssid, const char *password);
  void (*wifi_leave)(void *ctx);
  void (*wifi_scan)(void *ctx);

  /* HTTP POST: exactly one HTTP_DONE follows, also after cancel (the core then ignores it) */
  void (*http_post)(void *ctx, const parley_http_request_t *request);
  void (*http_cancel)(void *ctx, uint32_t id);

  /* WebRTC: open → OFFER; answer → UP, CHANNEL_OPEN; the port creates the ordered channel `oai-events` */
  void (*peer_open)(void *ctx, uint32_t id);
  void (*peer_answer)(void *ctx, uint32_t id, const char *sdp, size_t length);
  void (*peer_send)(void *ctx, uint32_t id, const char *text, size_t length);
  /** Always ends with PEER_DOWN(id), after which nothing of this id comes any more. */
  void (*peer_close)(void *ctx, uint32_t id);

  /** Drop what has not been played yet: the user speaks. */
  void (*speaker_flush)(void *ctx);
  /** Light, volume, microphone and door as they shall be now. */
  void (*device_apply)(void *ctx, const parley_device_t *device);
  /** PARLEY_EV_LOAD follows. */
  void (*load_sample)(void *ctx);
  /** Plays a short tone and listens to it; PARLEY_EV_SOUND follows. Only asked for while there is no peer; a peer_open
   * that comes meanwhile ends the test. */
  void (*sound_test)(void *ctx);
  void (*restart)(void *ctx);
} parley_port_t;

/** Facts of this board and this boot; texts are NUL-terminated and outlive the core. */
typedef struct {
  const char *board; /**< korvo2, atoms3r, emulator */
  const char *idf;   /**< ESP-IDF version, or `host` */
  const char *build; /**< first 16 hex digits of the running image's ELF digest (esp_app_desc_t.app_elf_sha256) */
  const char *reset; /**< power_on, software, panic, watchdog, brownout, usb, other */
  uint32_t psram_bytes, flash_bytes;
} parley_board_t;

/* ---- the core ---------------------------------------------------------------------------------------------------- */

/** Firmware version, from firmware/version.txt. */
const char *parley_core_version(void);

/** Bytes that parley_core_init() needs: some 33 kB, guarded to stay under 48 kB. */
size_t parley_core_size(void);

/** A core in the caller's memory, silent before PARLEY_EV_BOOT. NULL when room is too small or misaligned. */
parley_core_t *parley_core_init(void *memory, size_t room, const parley_port_t *port, const parley_board_t *board);

/** Takes one event. Returns after how many ms a PARLEY_EV_TICK is wanted if nothing else comes (UINT32_MAX: never). */
uint32_t parley_core_step(parley_core_t *core, const parley_event_t *event, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
