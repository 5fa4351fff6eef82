/* SPDX-License-Identifier: Apache-2.0 */
/** Wi-Fi: one network, joined again and again with growing pauses. A board without a network's name is a normal board.
 */
#include "parley_core_private.h"

#include <string.h>

enum {
  JOIN_MS = 40000, /* the port tells the outcome; this is for one that does not */
  BACK_OFF_FIRST_MS = 1000,
  BACK_OFF_MOST_MS = 30000,
};

static const char *const state_names[] = {"off", "joining", "up", "waiting"};
_Static_assert(sizeof state_names / sizeof state_names[0] == PARLEY_WIFI_STATES, "name every state");

static const struct {
  const char *code, *reason;
} reasons[] = {
    [0] = {"refused", "no answer from the access point"},
    [PARLEY_WIFI_BAD_PASSWORD] = {"bad_password", "wrong password"},
    [PARLEY_WIFI_NOT_FOUND] = {"not_found", "no such network on 2.4 GHz"},
    [PARLEY_WIFI_LOST] = {"lost", "the network went away"},
    [PARLEY_WIFI_REFUSED] = {"refused", "the access point refused the board"},
};

static const char *const securities[] = {"open", "wep", "wpa", "wpa2", "wpa3"};
_Static_assert(sizeof securities / sizeof securities[0] == PARLEY_SECURITY_WPA3 + 1, "name every security");

uint32_t parley_back_off_ms(parley_core_t *core, uint32_t attempts) {
  uint32_t base = attempts < 5 ? (uint32_t)BACK_OFF_FIRST_MS << attempts : BACK_OFF_MOST_MS;
  uint32_t chance = core->port->random(core->port->ctx) % (base / 4 + 1);
  uint32_t pause = base + chance;
  return pause > BACK_OFF_MOST_MS ? BACK_OFF_MOST_MS - chance : pause;
}

static void begin_record(parley_core_t *core, parley_wifi_state_t state) {
  core->wifi.state = state;
  parley_record_begin(core, "wifi");
  parley_record_text(core, "state", state_names[state]);
  parley_record_chars(core, "ssid", parley_chars(core->wifi.ssid), PARLEY_REASON_ROOM);
}

static void log_wifi(parley_core_t *core, char level, const char *text, parley_chars_t detail) {
  (void)parley_log_begin(core, level);
  parley_log_chars(core, parley_chars(text));
  parley_log_chars(core, detail);
  parley_log_end(core);
}

static void join(parley_core_t *core) {
  parley_wifi_t *wifi = &core->wifi;
  begin_record(core, PARLEY_WIFI_JOINING);
  parley_record_end(core);
  wifi->due_ms = core->now_ms + JOIN_MS;
  core->port->wifi_join(core->port->ctx, wifi->ssid, wifi->password);
}

void parley_wifi_join(parley_core_t *core, const char *ssid, const char *password) {
  parley_wifi_t *wifi = &core->wifi;
  bool was_up = wifi->state == PARLEY_WIFI_UP;
  core->port->wifi_leave(core->port->ctx);
  parley_wipe(wifi->password, sizeof wifi->password);
  (void)parley_chars_copy(parley_chars(ssid), wifi->ssid, sizeof wifi->ssid);
  (void)parley_chars_copy(parley_chars(password), wifi->password, sizeof wifi->password);
  wifi->attempts = 0;
  join(core);
  if (was_up) {
    parley_session_wifi(core, false);
  }
}

void parley_wifi_begin(parley_core_t *core) {
  const parley_settings_t *settings = &core->kept.value;
  if (settings->wifi_ssid[0] != '\0') {
    parley_wifi_join(core, settings->wifi_ssid, settings->wifi_psw);
    return;
  }
  begin_record(core, PARLEY_WIFI_OFF);
  parley_record_end(core);
}

void parley_wifi_hurry(parley_core_t *core) {
  if (core->wifi.state == PARLEY_WIFI_WAITING) {
    join(core);
  }
}

static void up(parley_core_t *core, const parley_event_t *event) {
  parley_wifi_t *wifi = &core->wifi;
  wifi->attempts = 0;
  wifi->due_ms = PARLEY_NEVER;
  begin_record(core, PARLEY_WIFI_UP);
  parley_record_number(core, "rssi", event->as.wifi.rssi_dbm);
  parley_record_chars(core, "ip", parley_chars_of(event->as.wifi.ip), PARLEY_ID_ROOM);
  parley_record_end(core);
  log_wifi(core, 'I', "Wi-Fi is up, address ", parley_chars_of(event->as.wifi.ip));
  parley_session_wifi(core, true);
}

static void down(parley_core_t *core, int32_t reason) {
  parley_wifi_t *wifi = &core->wifi;
  bool was_up = wifi->state == PARLEY_WIFI_UP;
  bool known = reason >= PARLEY_WIFI_BAD_PASSWORD && reason <= PARLEY_WIFI_REFUSED;
  size_t index = known ? (size_t)reason : 0;
  /* Ethernet has no name to join: it comes back by itself. */
  bool again = wifi->ssid[0] != '\0';
  wifi->due_ms = again ? core->now_ms + parley_back_off_ms(core, wifi->attempts++) : PARLEY_NEVER;
  begin_record(core, again ? PARLEY_WIFI_WAITING : PARLEY_WIFI_OFF);
  parley_record_text(core, "code", reasons[index].code);
  parley_record_text(core, "reason", reasons[index].reason);
  parley_record_end(core);
  log_wifi(core, 'W', "no Wi-Fi: ", parley_chars(reasons[index].reason));
  if (was_up) {
    parley_session_wifi(core, false);
  }
}

static void network(parley_core_t *core, const parley_event_t *event) {
  int32_t security = event->as.network.security;
  bool known = security >= PARLEY_SECURITY_OPEN && security <= PARLEY_SECURITY_WPA3;
  parley_chars_t ssid = parley_chars_of(event->as.network.ssid);
  parley_record_begin(core, "scan");
  parley_record_number(core, "rssi", event->as.network.rssi_dbm);
  parley_record_text(core, "security", securities[known ? security : PARLEY_SECURITY_WPA2]);
  parley_record_number(core, "channel", event->as.network.channel);
  (void)parley_record_rest(core, "ssid", ssid);
  parley_record_end(core);
  if (core->wifi.scan_for_people) {
    parley_writer_t *line = parley_log_begin(core, 'I');
    parley_put_number(line, event->as.network.rssi_dbm);
    parley_put(line, " dBm, ");
    parley_put(line, securities[known ? security : PARLEY_SECURITY_WPA2]);
    parley_put(line, ": ");
    parley_log_chars(core, ssid);
    parley_log_end(core);
  }
}

void parley_wifi_take(parley_core_t *core, const parley_event_t *event) {
  switch (event->kind) {
  case PARLEY_EV_WIFI_UP: up(core, event); break;
  case PARLEY_EV_WIFI_DOWN:
    if (core->wifi.state == PARLEY_WIFI_JOINING || core->wifi.state == PARLEY_WIFI_UP) {
      down(core, event->as.wifi.reason);
    }
    break;
  case PARLEY_EV_WIFI_NETWORK: network(core, event); break;
  default: /* PARLEY_EV_WIFI_SCANNED */
    parley_record_begin(core, "scan");
    parley_record_flag(core, "done", true);
    parley_record_end(core);
    break;
  }
}

void parley_wifi_tick(parley_core_t *core) {
  if (core->now_ms < core->wifi.due_ms) {
    return;
  }
  if (core->wifi.state == PARLEY_WIFI_WAITING) {
    join(core);
  } else {
    core->port->wifi_leave(core->port->ctx);
    down(core, 0);
  }
}
