/* SPDX-License-Identifier: Apache-2.0 */
/** The door: memory, boot, one event at a time, and when time alone shall bring the next. */
#include "parley_core_private.h"

#include <string.h>

_Static_assert(sizeof(struct parley_core) < 49152, "one core stays under 48 kB (49,152)");

const char *parley_core_version(void) {
  return PARLEY_VERSION;
}

size_t parley_core_size(void) {
  return sizeof(struct parley_core);
}

parley_core_t *parley_core_init(void *memory, size_t room, const parley_port_t *port, const parley_board_t *board) {
  parley_core_t *core = memory;
  if (room < sizeof *core || (uintptr_t)memory % _Alignof(max_align_t) != 0) {
    return NULL;
  }
  memset(core, 0, sizeof *core);
  core->port = port;
  core->board = board;
  core->wifi.due_ms = PARLEY_NEVER;
  core->session.due_ms = PARLEY_NEVER;
  core->stream.due_ms = PARLEY_NEVER;
  core->mask =
      (parley_mask_t){{core->kept.value.api_key, core->kept.value.wifi_psw, core->wifi.password, core->session.token}};
  return core;
}

void parley_boot_tell(parley_core_t *core, bool repeated) {
  const parley_board_t *board = core->board;
  parley_record_begin(core, "boot");
  parley_record_text(core, "version", PARLEY_VERSION);
  parley_record_number(core, "protocol", PARLEY_PROTOCOL);
  parley_record_number(core, "psram", board->psram_bytes);
  parley_record_number(core, "flash", board->flash_bytes);
  parley_record_text(core, "build", board->build);
  parley_record_text(core, "board", board->board);
  parley_record_text(core, "idf", board->idf);
  parley_record_text(core, "reset", board->reset);
  if (repeated) {
    parley_record_flag(core, "repeated", true);
  }
  (void)parley_record_rest(core, "cfg_id", parley_chars(core->kept.value.cfg_id));
  parley_record_end(core);
}

static void boot(parley_core_t *core) {
  core->booted = true;
  (void)parley_log_begin(core, 'I');
  parley_log_chars(core, parley_chars("Parley " PARLEY_VERSION " on "));
  parley_log_chars(core, parley_chars(core->board->board));
  parley_log_end(core);
  parley_settings_load(core);
  parley_boot_tell(core, false);
  parley_settings_tell(core);
  parley_device_change(
      core, &(parley_device_t){.red = 255, .green = 255, .blue = 255, .volume = (uint8_t)core->kept.value.volume});
  parley_session_tell(core, 0);
  parley_wifi_begin(core);
}

static void take(parley_core_t *core, const parley_event_t *event) {
  switch (event->kind) {
  case PARLEY_EV_CONSOLE: parley_console_take(core, event->as.text); break;
  case PARLEY_EV_WIFI_UP:
  case PARLEY_EV_WIFI_DOWN:
  case PARLEY_EV_WIFI_NETWORK:
  case PARLEY_EV_WIFI_SCANNED: parley_wifi_take(core, event); break;
  case PARLEY_EV_HTTP_DONE: parley_http_take(core, event); break;
  case PARLEY_EV_PEER_OFFER:
  case PARLEY_EV_PEER_UP:
  case PARLEY_EV_PEER_DOWN:
  case PARLEY_EV_CHANNEL_OPEN:
  case PARLEY_EV_CHANNEL_TEXT:
  case PARLEY_EV_CHANNEL_CLOSED: parley_session_take(core, event); break;
  case PARLEY_EV_SPEAKER:
    if (core->session.state == PARLEY_LIVE) {
      parley_turn_speaker(core, event->as.speaker.playing);
    }
    break;
  case PARLEY_EV_LOAD: parley_load_tell(core, event->as.load); break;
  case PARLEY_EV_MEDIA: parley_media_tell(core, event->as.media); break;
  case PARLEY_EV_LEVEL: parley_level_tell(core, event->as.level); break;
  case PARLEY_EV_SOUND: parley_sound_tell(core, event->as.sound); break;
  case PARLEY_EV_BOOT:
  case PARLEY_EV_TICK:
  case PARLEY_EV_COUNT: break;
  }
}

static uint32_t next_wake_ms(const parley_core_t *core) {
  const uint64_t dues[] = {core->wifi.due_ms, parley_session_due(core), parley_talk_due(core), core->stream.due_ms};
  uint64_t first = PARLEY_NEVER;
  for (size_t i = 0; i < sizeof dues / sizeof dues[0]; i++) {
    first = dues[i] < first ? dues[i] : first;
  }
  if (first == PARLEY_NEVER) {
    return UINT32_MAX;
  }
  uint64_t wait_ms = first > core->now_ms ? first - core->now_ms : 0;
  return wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX - 1;
}

uint32_t parley_core_step(parley_core_t *core, const parley_event_t *event, uint64_t now_ms) {
  core->now_ms = now_ms > core->now_ms ? now_ms : core->now_ms;
  if (!core->booted) {
    if (event->kind != PARLEY_EV_BOOT) {
      return UINT32_MAX;
    }
    boot(core);
  } else {
    take(core, event);
  }
  parley_wifi_tick(core);
  parley_session_tick(core);
  parley_talk_tick(core);
  parley_load_tick(core);
  return next_wake_ms(core);
}
