/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A parley_core with nothing in it: every console event is one call of a port function, every event becomes one line.
 *
 * It lets the tests of the door reach each port function in any order, which the real core rightly refuses.
 * Commands: a word, then arguments separated by '|', the last one taking the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley_core.h"

struct parley_core {
  const parley_port_t *port;
  const parley_board_t *board;
  uint32_t wait_ms;
};

const char *parley_core_version(void) {
  return "probe";
}

size_t parley_core_size(void) {
  return sizeof(struct parley_core);
}

parley_core_t *parley_core_init(void *memory, size_t room, const parley_port_t *port, const parley_board_t *board) {
  if (room < sizeof(struct parley_core) || (uintptr_t)memory % _Alignof(max_align_t) != 0) {
    return NULL;
  }
  parley_core_t *core = memory;
  *core = (parley_core_t){.port = port, .board = board, .wait_ms = UINT32_MAX};
  return core;
}

static void say(const parley_core_t *core, const char *head, const char *bytes, size_t length) {
  size_t head_length = strlen(head);
  char *line = malloc(head_length + length + 1);
  memcpy(line, head, head_length);
  if (length > 0) {
    memcpy(line + head_length, bytes, length);
  }
  line[head_length + length] = '\n';
  core->port->console_write(core->port->ctx, line, head_length + length + 1);
  free(line);
}

static char *word(char **rest) {
  char *start = *rest;
  char *end = strchr(start, '|');
  if (end == NULL) {
    *rest = start + strlen(start);
  } else {
    *end = '\0';
    *rest = end + 1;
  }
  return start;
}

static void command(parley_core_t *core, char *rest, const char *end) {
  const parley_port_t *port = core->port;
  char head[600];
  char *what = word(&rest);
  if (strcmp(what, "tick") == 0) {
    core->wait_ms = (uint32_t)strtoul(rest, NULL, 10);
  } else if (strcmp(what, "random") == 0) {
    snprintf(head, sizeof head, "random %u", port->random(port->ctx));
    say(core, head, NULL, 0);
  } else if (strcmp(what, "number") == 0) {
    const char *key = word(&rest);
    int64_t value = -99;
    parley_kv_t found = port->kv_get_number(port->ctx, key, (int32_t)strtol(rest, NULL, 10), &value);
    snprintf(head, sizeof head, "number %d %lld", (int)found, (long long)value);
    say(core, head, NULL, 0);
  } else if (strcmp(what, "text") == 0) {
    const char *key = word(&rest);
    char out[300] = "untouched";
    size_t length = 0;
    parley_kv_t found = port->kv_get_text(port->ctx, key, out, strtoul(rest, NULL, 10), &length);
    snprintf(head, sizeof head, "text %d %zu %s", (int)found, length, out);
    say(core, head, NULL, 0);
  } else if (strcmp(what, "setnumber") == 0) {
    const char *key = word(&rest);
    const char *type = word(&rest);
    parley_kv_t done = port->kv_set_number(port->ctx, key, atoi(type), strtoll(rest, NULL, 10));
    snprintf(head, sizeof head, "set %d", (int)done);
    say(core, head, NULL, 0);
  } else if (strcmp(what, "settext") == 0) {
    const char *key = word(&rest);
    parley_kv_t done = port->kv_set_text(port->ctx, key, rest, (size_t)(end - rest));
    snprintf(head, sizeof head, "set %d", (int)done);
    say(core, head, NULL, 0);
  } else if (strcmp(what, "join") == 0) {
    const char *ssid = word(&rest);
    port->wifi_join(port->ctx, ssid, rest);
  } else if (strcmp(what, "leave") == 0) {
    port->wifi_leave(port->ctx);
  } else if (strcmp(what, "scan") == 0) {
    port->wifi_scan(port->ctx);
  } else if (strcmp(what, "post") == 0 || strcmp(what, "postcancel") == 0) {
    parley_http_request_t request = {.id = (uint32_t)strtoul(word(&rest), NULL, 10), .bearer = "sk-probe"};
    request.timeout_ms = (uint32_t)strtoul(word(&rest), NULL, 10);
    request.content_type = "application/sdp";
    request.url = word(&rest);
    request.body = (parley_text_t){rest, (size_t)(end - rest)};
    port->http_post(port->ctx, &request);
    if (strcmp(what, "postcancel") == 0) {
      port->http_cancel(port->ctx, request.id);
    }
  } else if (strcmp(what, "cancel") == 0) {
    port->http_cancel(port->ctx, (uint32_t)strtoul(rest, NULL, 10));
  } else if (strcmp(what, "open") == 0) {
    port->peer_open(port->ctx, (uint32_t)strtoul(rest, NULL, 10));
  } else if (strcmp(what, "answer") == 0) {
    uint32_t id = (uint32_t)strtoul(word(&rest), NULL, 10);
    port->peer_answer(port->ctx, id, rest, (size_t)(end - rest));
  } else if (strcmp(what, "send") == 0) {
    uint32_t id = (uint32_t)strtoul(word(&rest), NULL, 10);
    port->peer_send(port->ctx, id, rest, (size_t)(end - rest));
  } else if (strcmp(what, "close") == 0) {
    port->peer_close(port->ctx, (uint32_t)strtoul(rest, NULL, 10));
  } else if (strcmp(what, "flush") == 0) {
    port->speaker_flush(port->ctx);
  } else if (strcmp(what, "device") == 0) {
    parley_device_t device = {.volume = (uint8_t)strtoul(word(&rest), NULL, 10), .muted = atoi(rest) != 0};
    port->device_apply(port->ctx, &device);
  } else if (strcmp(what, "load") == 0) {
    port->load_sample(port->ctx);
  } else if (strcmp(what, "restart") == 0) {
    port->restart(port->ctx);
  } else {
    say(core, "unknown ", what, strlen(what));
  }
}

static void say_load(const parley_core_t *core, const parley_load_t *load) {
  char head[200];
  snprintf(head, sizeof head, "load %u %u %u %u %u %u %u %d", load->core_count, load->cpu_permille[0],
           load->cpu_permille[1], load->heap.free, load->heap.min_free, load->psram.free, load->psram.largest,
           load->rssi_dbm);
  say(core, head, NULL, 0);
  for (unsigned i = 0; i < load->task_count; i++) {
    const parley_task_load_t *task = &load->tasks[i];
    snprintf(head, sizeof head, "task %s %d %u %u %u", task->name, task->core, task->priority, task->cpu_permille,
             task->stack_left);
    say(core, head, NULL, 0);
  }
}

uint32_t parley_core_step(parley_core_t *core, const parley_event_t *event, uint64_t now_ms) {
  static const char *const peer_names[] = {"offer", "up", "down", "open", "message", "closed"};
  char head[600];
  core->wait_ms = UINT32_MAX;
  switch (event->kind) {
  case PARLEY_EV_BOOT:
    snprintf(head, sizeof head, "boot %s %s %s %s %u %u", core->board->board, core->board->idf, core->board->build,
             core->board->reset, core->board->psram_bytes, core->board->flash_bytes);
    say(core, head, NULL, 0);
    break;
  case PARLEY_EV_TICK:
    snprintf(head, sizeof head, "tick %llu", (unsigned long long)now_ms);
    say(core, head, NULL, 0);
    break;
  case PARLEY_EV_CONSOLE: {
    char *text = malloc(event->as.text.length + 1);
    memcpy(text, event->as.text.bytes, event->as.text.length);
    text[event->as.text.length] = '\0';
    command(core, text, text + event->as.text.length);
    free(text);
    break;
  }
  case PARLEY_EV_WIFI_UP:
    snprintf(head, sizeof head, "wifi up %d ", event->as.wifi.rssi_dbm);
    say(core, head, event->as.wifi.ip.bytes, event->as.wifi.ip.length);
    break;
  case PARLEY_EV_WIFI_DOWN:
    snprintf(head, sizeof head, "wifi down %d", event->as.wifi.reason);
    say(core, head, NULL, 0);
    break;
  case PARLEY_EV_WIFI_NETWORK:
    snprintf(head, sizeof head, "network %d %d %d ", event->as.network.rssi_dbm, event->as.network.security,
             event->as.network.channel);
    say(core, head, event->as.network.ssid.bytes, event->as.network.ssid.length);
    break;
  case PARLEY_EV_WIFI_SCANNED: say(core, "scanned", NULL, 0); break;
  case PARLEY_EV_HTTP_DONE:
    snprintf(head, sizeof head, "http %u %d %d %.*s|", event->as.http.id, event->as.http.why, event->as.http.status,
             (int)event->as.http.location.length, event->as.http.location.bytes);
    say(core, head, event->as.http.body.bytes, event->as.http.body.length);
    break;
  case PARLEY_EV_PEER_OFFER:
  case PARLEY_EV_PEER_UP:
  case PARLEY_EV_PEER_DOWN:
  case PARLEY_EV_CHANNEL_OPEN:
  case PARLEY_EV_CHANNEL_TEXT:
  case PARLEY_EV_CHANNEL_CLOSED:
    snprintf(head, sizeof head, "peer %u %s %d|", event->as.peer.id, peer_names[event->kind - PARLEY_EV_PEER_OFFER],
             event->as.peer.why);
    say(core, head, event->as.peer.text.bytes, event->as.peer.text.length);
    break;
  case PARLEY_EV_SPEAKER: say(core, event->as.speaker.playing ? "speaker on" : "speaker off", NULL, 0); break;
  case PARLEY_EV_LOAD: say_load(core, event->as.load); break;
  case PARLEY_EV_MEDIA:
    snprintf(head, sizeof head, "media %u %u %u %u %u %u", event->as.media->up_bps, event->as.media->down_bps,
             event->as.media->loss_permille, event->as.media->jitter_ms, event->as.media->round_trip_ms,
             event->as.media->underruns);
    say(core, head, NULL, 0);
    break;
  case PARLEY_EV_LEVEL:
    snprintf(head, sizeof head, "level %d %d %d", event->as.level->microphone_cdb, event->as.level->speaker_cdb,
             event->as.level->echo_left_cdb);
    say(core, head, NULL, 0);
    break;
  case PARLEY_EV_COUNT: break;
  }
  return core->wait_ms;
}
