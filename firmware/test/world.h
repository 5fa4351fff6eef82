/* SPDX-License-Identifier: Apache-2.0 */
/** The world around one core: a store, a console that keeps everything, and counters of what the core asked for. */
#ifndef WORLD_H
#define WORLD_H

#include "parley_core.h"

enum { WORLD_ROWS = 24, WORLD_OUT = 1 << 20 };

typedef struct {
  char key[16];
  parley_kv_t answer; /* PARLEY_KV_OK: the value */
  bool is_text;
  int64_t number;
  char text[2100];
} world_row_t;

typedef struct {
  parley_core_t *core;
  uint64_t now_ms;
  uint32_t wait_ms;
  world_row_t rows[WORLD_ROWS];
  size_t row_count;
  parley_kv_t store_answer; /* of every write */
  char out[WORLD_OUT];
  size_t out_length;
  size_t records, bad_lines;
  uint32_t next_n;
  char sent[1 << 16]; /* events to the service, a line each */
  size_t sent_length;
  char url[256], bearer[600], content_type[40], body[13000], answer[4096], ssid[40], password[80];
  uint32_t request, cancelled, peer, closed, chance;
  parley_device_t device;
  int joins, leaves, scans, posts, opens, answers, sends, closes, flushes, applies, samples, sounds, restarts;
} world_t;

/** A new world: configured, with the core not booted. One at a time. */
world_t *world_new(void);
void world_text(world_t *world, const char *key, const char *text);
void world_number(world_t *world, const char *key, int64_t number);
void world_fault(world_t *world, const char *key, parley_kv_t answer);

void world_boot(world_t *world);
/** Forgets the output so far. */
void world_forget(world_t *world);
/** Whether the output since world_forget() holds this. */
bool world_said(const world_t *world, const char *text);
int world_said_times(const world_t *world, const char *text);
bool world_sent(const world_t *world, const char *text);
int world_sent_times(const world_t *world, const char *text);

void world_step(world_t *world, const parley_event_t *event);
void world_plain(world_t *world, parley_event_kind_t kind);
/** Time passes in ticks, as the core wishes them. */
void world_pass(world_t *world, uint64_t ms);
void world_type(world_t *world, const char *bytes, size_t length);
void world_line(world_t *world, const char *line);
void world_wifi_up(world_t *world);
void world_wifi_down(world_t *world, int32_t reason);
/** Answers the request under way. */
void world_http(world_t *world, int32_t status, const char *body, const char *location);
void world_http_fails(world_t *world, int32_t why);
void world_peer(world_t *world, parley_event_kind_t kind, uint32_t id, const char *text, int32_t why);
void world_say(world_t *world, const char *event);
void world_speaker(world_t *world, bool playing);

/** The road, stop by stop. */
void world_secret(world_t *world);
void world_offer(world_t *world);
void world_connect(world_t *world);
/** Boot to live. */
world_t *world_live(void);

#endif
