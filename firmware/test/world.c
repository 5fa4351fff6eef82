/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

static world_t the_world;
static max_align_t memory[48 * 1024 / sizeof(max_align_t)];

static void keep(char *out, size_t room, const char *bytes, size_t length) {
  size_t kept = length < room - 1 ? length : room - 1;
  memcpy(out, bytes, kept);
  out[kept] = '\0';
}

/* Each line is checked when it is written: form, size, UTF-8, JSON, sequence. */
static void check_line(world_t *world, const char *line, size_t length) {
  parley_json_t record;
  bool fits = length >= 2 && length <= PARLEY_RECORD_MAX && line[length - 1] == '\n' &&
              memchr(line, '\n', length - 1) == NULL && parley_utf8_valid(line, length);
  if (fits && line[0] == '\x1e') {
    int64_t n = -1;
    world->records++;
    fits = parley_json_read((parley_chars_t){.at = line + 1, .end = line + length}, &record) &&
           parley_json_whole(parley_json_get(record, "n"), &n) && n == world->next_n++;
  } else {
    for (size_t i = 0; i + 1 < length; i++) {
      fits = fits && (unsigned char)line[i] >= 0x20;
    }
  }
  world->bad_lines += !fits;
}

static void console_write(void *ctx, const char *line, size_t length) {
  world_t *world = ctx;
  check_line(world, line, length);
  if (world->out_length + length >= sizeof world->out) {
    world->out_length = 0;
  }
  memcpy(world->out + world->out_length, line, length);
  world->out_length += length;
  world->out[world->out_length] = '\0';
}

static uint32_t chance(void *ctx) {
  return ((world_t *)ctx)->chance;
}

/* ---- store */

static world_row_t *row_of(world_t *world, const char *key) {
  for (size_t i = 0; i < world->row_count; i++) {
    if (strcmp(world->rows[i].key, key) == 0) {
      return &world->rows[i];
    }
  }
  return NULL;
}

static world_row_t *new_row(world_t *world, const char *key) {
  world_row_t *row = row_of(world, key);
  if (row == NULL) {
    row = &world->rows[world->row_count++];
    keep(row->key, sizeof row->key, key, strlen(key));
  }
  row->answer = PARLEY_KV_OK;
  return row;
}

void world_text(world_t *world, const char *key, const char *text) {
  world_row_t *row = new_row(world, key);
  row->is_text = true;
  keep(row->text, sizeof row->text, text, strlen(text));
}

void world_number(world_t *world, const char *key, int64_t number) {
  world_row_t *row = new_row(world, key);
  row->is_text = false;
  row->number = number;
}

void world_fault(world_t *world, const char *key, parley_kv_t answer) {
  new_row(world, key)->answer = answer;
}

static parley_kv_t kv_get_number(void *ctx, const char *key, int32_t type, int64_t *value) {
  const world_row_t *row = row_of(ctx, key);
  (void)type;
  if (row == NULL) {
    return PARLEY_KV_MISSING;
  }
  *value = row->number;
  return row->is_text ? PARLEY_KV_WRONG_TYPE : row->answer;
}

static parley_kv_t kv_get_text(void *ctx, const char *key, char *out, size_t room, size_t *length) {
  const world_row_t *row = row_of(ctx, key);
  out[0] = '\0';
  if (row == NULL) {
    return PARLEY_KV_MISSING;
  }
  if (!row->is_text || row->answer != PARLEY_KV_OK) {
    return row->is_text ? row->answer : PARLEY_KV_WRONG_TYPE;
  }
  if (strlen(row->text) >= room) {
    return PARLEY_KV_TOO_LONG;
  }
  *length = strlen(row->text);
  memcpy(out, row->text, *length + 1);
  return PARLEY_KV_OK;
}

static parley_kv_t kv_set_number(void *ctx, const char *key, int32_t type, int64_t value) {
  world_t *world = ctx;
  (void)type;
  if (world->store_answer == PARLEY_KV_OK) {
    world_number(world, key, value);
  }
  return world->store_answer;
}

static parley_kv_t kv_set_text(void *ctx, const char *key, const char *text, size_t length) {
  world_t *world = ctx;
  if (world->store_answer == PARLEY_KV_OK) {
    world_row_t *row = new_row(world, key);
    row->is_text = true;
    keep(row->text, sizeof row->text, text, length);
  }
  return world->store_answer;
}

/* ---- the rest of the port */

static void wifi_join(void *ctx, const char *ssid, const char *password) {
  world_t *world = ctx;
  world->joins++;
  keep(world->ssid, sizeof world->ssid, ssid, strlen(ssid));
  keep(world->password, sizeof world->password, password, strlen(password));
}

static void wifi_leave(void *ctx) {
  ((world_t *)ctx)->leaves++;
}

static void wifi_scan(void *ctx) {
  ((world_t *)ctx)->scans++;
}

static void http_post(void *ctx, const parley_http_request_t *request) {
  world_t *world = ctx;
  world->posts++;
  world->request = request->id;
  keep(world->url, sizeof world->url, request->url, strlen(request->url));
  keep(world->bearer, sizeof world->bearer, request->bearer, strlen(request->bearer));
  keep(world->content_type, sizeof world->content_type, request->content_type, strlen(request->content_type));
  keep(world->body, sizeof world->body, request->body.bytes, request->body.length);
}

static void http_cancel(void *ctx, uint32_t id) {
  ((world_t *)ctx)->cancelled = id;
}

static void peer_open(void *ctx, uint32_t id) {
  world_t *world = ctx;
  world->opens++;
  world->peer = id;
}

static void peer_answer(void *ctx, uint32_t id, const char *sdp, size_t length) {
  world_t *world = ctx;
  world->answers += id == world->peer;
  keep(world->answer, sizeof world->answer, sdp, length);
}

static void peer_send(void *ctx, uint32_t id, const char *text, size_t length) {
  world_t *world = ctx;
  parley_json_t event;
  world->sends += id == world->peer;
  world->bad_lines += !parley_json_read((parley_chars_t){.at = text, .end = text + length}, &event);
  if (world->sent_length + length + 2 >= sizeof world->sent) {
    world->sent_length = 0;
  }
  memcpy(world->sent + world->sent_length, text, length);
  world->sent_length += length;
  world->sent[world->sent_length++] = '\n';
  world->sent[world->sent_length] = '\0';
}

static void peer_close(void *ctx, uint32_t id) {
  world_t *world = ctx;
  world->closes++;
  world->closed = id;
}

static void speaker_flush(void *ctx) {
  ((world_t *)ctx)->flushes++;
}

static void device_apply(void *ctx, const parley_device_t *device) {
  world_t *world = ctx;
  world->applies++;
  world->device = *device;
}

static void load_sample(void *ctx) {
  ((world_t *)ctx)->samples++;
}

static void sound_test(void *ctx) {
  ((world_t *)ctx)->sounds++;
}

static void restart(void *ctx) {
  ((world_t *)ctx)->restarts++;
}

/* ---- the world */

world_t *world_new(void) {
  static const parley_board_t board = {"emulator", "host", "0123456789abcdef", "power_on", 8 << 20, 16 << 20};
  static const parley_port_t port = {
      .ctx = &the_world,
      .console_write = console_write,
      .random = chance,
      .kv_get_number = kv_get_number,
      .kv_get_text = kv_get_text,
      .kv_set_number = kv_set_number,
      .kv_set_text = kv_set_text,
      .wifi_join = wifi_join,
      .wifi_leave = wifi_leave,
      .wifi_scan = wifi_scan,
      .http_post = http_post,
      .http_cancel = http_cancel,
      .peer_open = peer_open,
      .peer_answer = peer_answer,
      .peer_send = peer_send,
      .peer_close = peer_close,
      .speaker_flush = speaker_flush,
      .device_apply = device_apply,
      .load_sample = load_sample,
      .sound_test = sound_test,
      .restart = restart,
  };
  world_t *world = &the_world;
  memset(world, 0, sizeof *world);
  world->core = parley_core_init(memory, parley_core_size(), &port, &board);
  world_text(world, "wifi_ssid", "home");
  world_text(world, "wifi_psw", "wifi-secret");
  world_text(world, "api_key", "sk-secret-0123456789");
  world_text(world, "base_url", "http://127.0.0.1:8000/v1/");
  world_number(world, "volume", 50);
  return world;
}

void world_forget(world_t *world) {
  world->out_length = world->sent_length = 0;
  world->out[0] = world->sent[0] = '\0';
}

static int times(const char *where, const char *text) {
  int count = 0;
  for (const char *at = where; (at = strstr(at, text)) != NULL; at++) {
    count++;
  }
  return count;
}

bool world_said(const world_t *world, const char *text) {
  return strstr(world->out, text) != NULL;
}

int world_said_times(const world_t *world, const char *text) {
  return times(world->out, text);
}

bool world_sent(const world_t *world, const char *text) {
  return strstr(world->sent, text) != NULL;
}

int world_sent_times(const world_t *world, const char *text) {
  return times(world->sent, text);
}

void world_step(world_t *world, const parley_event_t *event) {
  world->wait_ms = parley_core_step(world->core, event, world->now_ms);
}

void world_plain(world_t *world, parley_event_kind_t kind) {
  world_step(world, &(parley_event_t){.kind = kind});
}

void world_pass(world_t *world, uint64_t ms) {
  uint64_t end_ms = world->now_ms + ms;
  while (world->wait_ms <= end_ms - world->now_ms) {
    world->now_ms += world->wait_ms;
    world_plain(world, PARLEY_EV_TICK);
  }
  world->wait_ms -= world->wait_ms == UINT32_MAX ? 0 : (uint32_t)(end_ms - world->now_ms);
  world->now_ms = end_ms;
}

void world_boot(world_t *world) {
  world_plain(world, PARLEY_EV_BOOT);
}

void world_type(world_t *world, const char *bytes, size_t length) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_CONSOLE, .as.text = {bytes, length}});
}

void world_line(world_t *world, const char *line) {
  world_type(world, line, strlen(line));
  world_type(world, "\n", 1);
}

void world_wifi_up(world_t *world) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_WIFI_UP, .as.wifi = {{"192.168.4.2", 11}, -50, 0}});
}

void world_wifi_down(world_t *world, int32_t reason) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_WIFI_DOWN, .as.wifi = {.reason = reason}});
}

void world_http(world_t *world, int32_t status, const char *body, const char *location) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_HTTP_DONE,
                                      .as.http = {.id = world->request,
                                                  .status = status,
                                                  .body = {body, strlen(body)},
                                                  .location = {location, strlen(location)}}});
}

void world_http_fails(world_t *world, int32_t why) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_HTTP_DONE, .as.http = {.id = world->request, .why = why}});
}

void world_peer(world_t *world, parley_event_kind_t kind, uint32_t id, const char *text, int32_t why) {
  world_step(world, &(parley_event_t){.kind = kind, .as.peer = {.id = id, .why = why, .text = {text, strlen(text)}}});
}

void world_say(world_t *world, const char *event) {
  world_peer(world, PARLEY_EV_CHANNEL_TEXT, world->peer, event, 0);
}

void world_speaker(world_t *world, bool playing) {
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_SPEAKER, .as.speaker = {playing}});
}

void world_secret(world_t *world) {
  world_http(world, 200, "{\"value\":\"ek_short_lived_secret\",\"expires_at\":1000600}", "");
}

void world_offer(world_t *world) {
  world_peer(world, PARLEY_EV_PEER_OFFER, world->peer, "v=0\r\noffer\r\n", 0);
}

void world_connect(world_t *world) {
  world_secret(world);
  world_offer(world);
  world_http(world, 201, "v=0\r\nanswer\r\n", "/v1/realtime/calls/rtc_1?x=/y");
  world_peer(world, PARLEY_EV_PEER_UP, world->peer, "", 0);
  world_peer(world, PARLEY_EV_CHANNEL_OPEN, world->peer, "", 0);
}

world_t *world_live(void) {
  world_t *world = world_new();
  world_boot(world);
  world_wifi_up(world);
  world_connect(world);
  world_forget(world);
  return world;
}
