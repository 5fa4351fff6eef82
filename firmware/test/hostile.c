/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include "json.h"
#include "parley_schema.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { TICKS = 8, VALUE_MAX = 2098 };

static const char api_key[] = "sk-secret-0123456789";

/* The input may have given the board another key: the old one is a text like others then. */
static bool tells_its_key(const world_t *world) {
  for (size_t i = 0; i < world->row_count; i++) {
    if (strcmp(world->rows[i].key, "api_key") == 0 && strcmp(world->rows[i].text, api_key) == 0) {
      return world_said(world, api_key);
    }
  }
  return false;
}

static bool kept_its_word(world_t *world) {
  bool rests = false;
  for (int i = 0; i < TICKS && !rests; i++) {
    rests = world->wait_ms != 0;
    world_plain(world, PARLEY_EV_TICK);
  }
  return rests && world->bad_lines == 0 && !tells_its_key(world);
}

/* The next line, without its end. */
static size_t line_length(const char *bytes, size_t length) {
  const char *end = length == 0 ? NULL : memchr(bytes, '\n', length);
  return end == NULL ? length : (size_t)(end - bytes);
}

bool hostile_console(const char *bytes, size_t length) {
  world_t *world = world_live();
  size_t half = length / 2;
  world_type(world, bytes, half);
  world_type(world, bytes + half, length - half);
  world_line(world, "");
  return kept_its_word(world);
}

static world_t *live_with_tools(void) {
  world_t *world = world_new();
  world_text(world, "tools0", "[{\"type\":\"function\",\"name\":\"Mow\"},{\"type\":\"function\",\"name\":\"Water\"}]");
  world_boot(world);
  world_wifi_up(world);
  world_connect(world);
  return world;
}

bool hostile_realtime(const char *bytes, size_t length) {
  world_t *world = live_with_tools();
  while (length > 0) {
    size_t line = line_length(bytes, length);
    world_step(world, &(parley_event_t){.kind = PARLEY_EV_CHANNEL_TEXT,
                                        .as.peer = {.id = world->peer, .text = {bytes, line}}});
    world_pass(world, 300);
    line += line < length;
    bytes += line;
    length -= line;
  }
  world_line(world, "answer call_1 {}");
  world_pass(world, 30000);
  return kept_its_word(world);
}

bool hostile_http(const char *bytes, size_t length) {
  static const int32_t statuses[] = {200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503, 0, -1, 99, 299, 300};
  unsigned choice = length == 0 ? 0 : (unsigned char)bytes[0];
  size_t line = length == 0 ? 0 : line_length(bytes + 1, length - 1);
  size_t body = length < line + 2 ? length : line + 2;
  world_t *world = world_new();
  world_boot(world);
  world_wifi_up(world);
  if (choice & 0x10U) {
    world_secret(world);
    world_offer(world);
  }
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_HTTP_DONE,
                                      .as.http = {.id = world->request,
                                                  .status = statuses[choice & 0xFU],
                                                  .location = {bytes + (length > 0), line},
                                                  .body = {bytes + body, length - body}}});
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  return kept_its_word(world);
}

static void store(world_t *world, const char *bytes, size_t length) {
  char value[VALUE_MAX + 1];
  const char *key = parley_schema[(unsigned char)bytes[0] % PARLEY_KEY_COUNT].key;
  size_t kept = length - 1 < VALUE_MAX ? length - 1 : VALUE_MAX;
  memcpy(value, bytes + 1, kept);
  value[kept] = '\0';
  if (value[0] == '#') {
    world_number(world, key, strtoll(value + 1, NULL, 10));
  } else {
    world_text(world, key, value);
  }
}

bool hostile_cfg(const char *bytes, size_t length) {
  parley_json_t body;
  world_t *world = world_new();
  while (length > 0) {
    size_t line = line_length(bytes, length);
    if (line > 0) {
      store(world, bytes, line);
    }
    line += line < length;
    bytes += line;
    length -= line;
  }
  world_boot(world);
  world_wifi_up(world);
  world_line(world, "cfg");
  world_line(world, "start");
  /* Whatever is stored, what is asked of the service is JSON. */
  bool is_json = world->posts == 0 || parley_json_read(parley_chars(world->body), &body);
  return kept_its_word(world) && is_json;
}
