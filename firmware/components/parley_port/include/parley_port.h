/* SPDX-License-Identifier: Apache-2.0 */
/**
 * parley_port: the ESP32-S3 side of parley_core's vtable, one file for each thing.
 *
 * Laws. Functions that take `void *ctx` first are members of parley_port_t: they are called by the task `core` only,
 * start something and return; what comes of it is posted with parley_mailbox_post(). Every other task owns its file's
 * state and hears of requests through a queue or an atomic. Tasks are made once, at boot, and never end: a connection
 * does not make or delete tasks, so nothing leaks from one call to the next. NVS and flash are touched by app_main and
 * by `core`, whose stacks are internal: a stack in PSRAM is out of reach while the flash is written.
 */
#ifndef PARLEY_PORT_H
#define PARLEY_PORT_H

#include "esp_err.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "parley_core.h"

enum {
  PARLEY_SAMPLE_RATE = 16000,
  PARLEY_FRAME_MS = 20,
  PARLEY_FRAME_SAMPLES = PARLEY_SAMPLE_RATE / 1000 * PARLEY_FRAME_MS,
  PARLEY_CAPTURE_SAMPLES = PARLEY_SAMPLE_RATE / 100, /**< of one channel, in one read of a board: 10 ms */
  PARLEY_PACKET_MAX = 1276,                          /**< bytes of an Opus packet of one frame, RFC 6716, 3.4 */
};

/* ---- mailbox.c: what the world tells the core -----------------------------------------------------------------------
 */

typedef struct {
  parley_event_t event;
} parley_letter_t;

esp_err_t parley_mailbox_open(void);
/** The task that takes the letters; posting from it never waits. */
void parley_mailbox_owner(TaskHandle_t owner);
/** Copies the event with all it points to. False: dropped and counted. Not from an interrupt. */
bool parley_mailbox_post(const parley_event_t *event);
/** NULL: nothing came in the time given (UINT32_MAX: waits for ever). Free the letter with parley_mailbox_free(). */
parley_letter_t *parley_mailbox_take(uint32_t wait_ms);
void parley_mailbox_free(parley_letter_t *letter);
uint32_t parley_mailbox_drops(void);

/* ---- store.c: NVS partition `cfg`, namespace `parley`
 * ---------------------------------------------------------------- */

esp_err_t parley_store_open(void);
parley_kv_t parley_store_get_number(void *ctx, const char *key, int32_t type, int64_t *value);
parley_kv_t parley_store_get_text(void *ctx, const char *key, char *out, size_t room, size_t *length);
parley_kv_t parley_store_set_number(void *ctx, const char *key, int32_t type, int64_t value);
parley_kv_t parley_store_set_text(void *ctx, const char *key, const char *text, size_t length);

/* ---- console.c: the primary console
 * ----------------------------------------------------------------------------------- */

esp_err_t parley_console_start(void);
void parley_console_write(void *ctx, const char *line, size_t length);

/* ---- network_wifi.c or network_eth.c, by board
 * ------------------------------------------------------------------------ */

esp_err_t parley_network_start(const char *host_name);
void parley_network_join(void *ctx, const char *ssid, const char *password);
void parley_network_leave(void *ctx);
void parley_network_scan(void *ctx);
/** dBm; 0 without Wi-Fi. */
int8_t parley_network_rssi(void);

/* ---- https.c
 * ------------------------------------------------------------------------------------------------------------ */

esp_err_t parley_https_start(void);
void parley_https_post(void *ctx, const parley_http_request_t *request);
void parley_https_cancel(void *ctx, uint32_t id);

/* ---- peer.c
 * ------------------------------------------------------------------------------------------------------------- */

esp_err_t parley_peer_start(void);
void parley_peer_open(void *ctx, uint32_t id);
void parley_peer_answer(void *ctx, uint32_t id, const char *sdp, size_t length);
void parley_peer_send(void *ctx, uint32_t id, const char *text, size_t length);
void parley_peer_close(void *ctx, uint32_t id);

/* ---- audio.c
 * ------------------------------------------------------------------------------------------------------------ */

typedef enum { PARLEY_ECHO_NONE = 0, PARLEY_ECHO_CANCEL = 1, PARLEY_ECHO_GATE = 2 } parley_echo_t;

typedef struct {
  uint16_t length;
  uint32_t pts; /**< time stamp as esp_peer gives it, to see what is missing */
  uint8_t bytes[PARLEY_PACKET_MAX];
} parley_packet_t;

typedef struct {
  uint32_t received, lost, underruns; /**< packets and frames since boot, modulo 2^32 */
} parley_audio_count_t;

esp_err_t parley_audio_start(void);
void parley_audio_begin(parley_echo_t echo, int8_t microphone_db);
void parley_audio_end(void);
/** From the peer to the speaker; false: no room, dropped. */
bool parley_audio_hear(const parley_packet_t *packet);
/** From the microphone to the peer; false: nothing ready. */
bool parley_audio_say(parley_packet_t *packet);
parley_audio_count_t parley_audio_count(void);
void parley_audio_flush(void *ctx);
void parley_audio_mute(bool muted);
void parley_sound_test(void *ctx);

/* ---- device.c: light, volume, microphone and door
 * ----------------------------------------------------------------------- */

esp_err_t parley_device_start(void);
void parley_device_apply(void *ctx, const parley_device_t *device);

/* ---- load.c
 * --------------------------------------------------------------------------------------------------------------- */

esp_err_t parley_load_start(void);
void parley_load_sample(void *ctx);

/* ---- board_*.c: the one board this image is for
 * ------------------------------------------------------------------------------ */

typedef struct {
  const char *name; /**< as in the `cfg` schema */
  uint8_t channels; /**< of a capture frame: 1 microphone, 2 microphone and what the speaker plays */
  /** Power, buses, codec. Anything but ESP_OK: the board talks, but has no sound. */
  esp_err_t (*start)(void);
  /** PARLEY_CAPTURE_SAMPLES of each channel, interleaved; returns at the pace of the sound. */
  bool (*capture)(int16_t *frame);
  /** Mono, at most PARLEY_FRAME_SAMPLES; returns when there is room for it. */
  bool (*play)(const int16_t *samples, size_t count);
  void (*microphone)(int8_t gain_db);
  void (*show)(const parley_device_t *device);
} parley_board_driver_t;

extern const parley_board_driver_t parley_board;

#endif
