/* SPDX-License-Identifier: Apache-2.0 */
/* A station that does one attempt for each join and says how it ended; when to try again is the core's business. All
 * state belongs to the event loop task and the core; both only read or write one atomic word. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "parley_port.h"

enum { JOIN_MAX_MS = 20000, SCAN_MAX = 24 };

typedef enum { IDLE, JOINING, UP } link_t;

static const char *const TAG = "wifi";
static atomic_int link_state = IDLE;
static atomic_bool leaving; /* we said so; access points use the same reason code when they go away themselves */
static esp_timer_handle_t join_timer;

static void tell_down(parley_wifi_reason_t reason) {
  parley_event_t event = {.kind = PARLEY_EV_WIFI_DOWN, .as.wifi = {.reason = reason}};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static parley_wifi_reason_t reason_of(uint8_t reason, link_t before) {
  if (before == UP) {
    return PARLEY_WIFI_LOST;
  }
  switch (reason) {
  case WIFI_REASON_NO_AP_FOUND:
  case WIFI_REASON_NO_AP_FOUND_IN_RSSI_THRESHOLD: return PARLEY_WIFI_NOT_FOUND;
  case WIFI_REASON_AUTH_FAIL:
  case WIFI_REASON_4WAY_HANDSHAKE_TIMEOUT:
  case WIFI_REASON_HANDSHAKE_TIMEOUT:
  case WIFI_REASON_MIC_FAILURE:
  case WIFI_REASON_802_1X_AUTH_FAILED: return PARLEY_WIFI_BAD_PASSWORD;
  case WIFI_REASON_BEACON_TIMEOUT: return PARLEY_WIFI_LOST;
  default: return PARLEY_WIFI_REFUSED;
  }
}

static void on_disconnected(const wifi_event_sta_disconnected_t *why) {
  /* A join that follows our leaving at once must not be taken for ended by it. */
  if (why->reason == WIFI_REASON_ASSOC_LEAVE && atomic_exchange(&leaving, false)) {
    return;
  }
  link_t before = atomic_exchange(&link_state, IDLE);
  if (before == IDLE) {
    return;
  }
  (void)esp_timer_stop(join_timer); /* not running: nothing to stop */
  ESP_LOGW(TAG, "disconnected, reason %u", why->reason);
  tell_down(reason_of(why->reason, before));
}

static parley_security_t security_of(wifi_auth_mode_t mode) {
  switch (mode) {
  case WIFI_AUTH_OPEN: return PARLEY_SECURITY_OPEN;
  case WIFI_AUTH_WEP: return PARLEY_SECURITY_WEP;
  case WIFI_AUTH_WPA_PSK: return PARLEY_SECURITY_WPA;
  case WIFI_AUTH_WPA3_PSK:
  case WIFI_AUTH_OWE: return PARLEY_SECURITY_WPA3;
  default: /* WPA2 and what may be joined as such */ return PARLEY_SECURITY_WPA2;
  }
}

static void tell_scanned(void) {
  parley_event_t event = {.kind = PARLEY_EV_WIFI_SCANNED};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static void on_scan_done(void) {
  static wifi_ap_record_t found; /* of the event loop task only */
  for (int i = 0; i < SCAN_MAX && esp_wifi_scan_get_ap_record(&found) == ESP_OK; i++) {
    size_t length = strnlen((const char *)found.ssid, sizeof found.ssid);
    parley_event_t event = {.kind = PARLEY_EV_WIFI_NETWORK,
                            .as.network = {.ssid = {.bytes = (const char *)found.ssid, .length = length},
                                           .rssi_dbm = found.rssi,
                                           .security = security_of(found.authmode),
                                           .channel = found.primary}};
    (void)parley_mailbox_post(&event); /* a drop is counted there */
  }
  (void)esp_wifi_clear_ap_list(); /* frees what was not fetched */
  tell_scanned();
}

static void on_wifi(void *unused, esp_event_base_t base, int32_t id, void *data) {
  (void)unused;
  (void)base;
  if (id == WIFI_EVENT_STA_DISCONNECTED) {
    on_disconnected(data);
  } else if (id == WIFI_EVENT_SCAN_DONE) {
    on_scan_done();
  }
}

static void on_address(void *unused, esp_event_base_t base, int32_t id, void *data) {
  (void)unused;
  (void)base;
  (void)id;
  const ip_event_got_ip_t *got = data;
  int joining = JOINING;
  if (!atomic_compare_exchange_strong(&link_state, &joining, UP)) {
    return; /* a renewed lease, or the join was given up */
  }
  (void)esp_timer_stop(join_timer);
  atomic_store(&leaving, false);
  char address[16];
  int length = snprintf(address, sizeof address, IPSTR, IP2STR(&got->ip_info.ip));
  parley_event_t event = {
      .kind = PARLEY_EV_WIFI_UP,
      .as.wifi = {.ip = {.bytes = address, .length = (size_t)length}, .rssi_dbm = parley_network_rssi()}};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static void disconnect(void) {
  atomic_store(&leaving, true);
  if (esp_wifi_disconnect() != ESP_OK) {
    atomic_store(&leaving, false); /* no event will follow */
  }
}

/* Joined the network, but no address came. */
static void on_join_timeout(void *unused) {
  (void)unused;
  int joining = JOINING;
  if (atomic_compare_exchange_strong(&link_state, &joining, IDLE)) {
    disconnect();
    ESP_LOGW(TAG, "no address within %d s", JOIN_MAX_MS / 1000);
    tell_down(PARLEY_WIFI_REFUSED);
  }
}

static esp_err_t listen(void) {
  const esp_timer_create_args_t timer = {.callback = on_join_timeout, .name = "wifi_join"};
  esp_err_t err = esp_timer_create(&timer, &join_timer);
  if (err == ESP_OK) {
    err = esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_wifi, NULL);
  }
  if (err == ESP_OK) {
    err = esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_address, NULL);
  }
  return err;
}

static esp_err_t start_radio(void) {
  wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
  esp_err_t err = esp_wifi_init(&init);
  if (err == ESP_OK) {
    err = esp_wifi_set_storage(WIFI_STORAGE_RAM); /* the password lives in `cfg`, once */
  }
  if (err == ESP_OK) {
    err = esp_wifi_set_mode(WIFI_MODE_STA);
  }
  if (err == ESP_OK) {
    err = esp_wifi_start();
  }
  if (err == ESP_OK) {
    err = esp_wifi_set_ps(WIFI_PS_NONE); /* modem sleep adds up to 100 ms to every packet */
  }
  return err;
}

esp_err_t parley_network_start(const char *host_name) {
  esp_err_t err = esp_netif_init();
  if (err == ESP_OK) {
    err = esp_event_loop_create_default();
  }
  if (err != ESP_OK) {
    return err;
  }
  esp_netif_t *station = esp_netif_create_default_wifi_sta();
  if (station == NULL) {
    return ESP_ERR_NO_MEM;
  }
  if (esp_netif_set_hostname(station, host_name) != ESP_OK) {
    ESP_LOGW(TAG, "name on the network not taken");
  }
  err = listen();
  return err == ESP_OK ? start_radio() : err;
}

void parley_network_join(void *ctx, const char *ssid, const char *password) {
  (void)ctx;
  wifi_config_t config = {.sta = {.scan_method = WIFI_ALL_CHANNEL_SCAN,
                                  .sort_method = WIFI_CONNECT_AP_BY_SIGNAL,
                                  .threshold = {.rssi = -127},
                                  .pmf_cfg = {.capable = true},
                                  .sae_pwe_h2e = WPA3_SAE_PWE_BOTH}};
  size_t ssid_length = strnlen(ssid, sizeof config.sta.ssid);
  size_t password_length = strnlen(password, sizeof config.sta.password);
  memcpy(config.sta.ssid, ssid, ssid_length); /* both fields may be full, without NUL */
  memcpy(config.sta.password, password, password_length);
  config.sta.threshold.authmode = password_length > 0 ? WIFI_AUTH_WPA_PSK : WIFI_AUTH_OPEN;
  if (atomic_exchange(&link_state, JOINING) != IDLE) {
    disconnect();
  }
  (void)esp_timer_stop(join_timer);
  esp_err_t err = esp_wifi_set_config(WIFI_IF_STA, &config);
  memset(&config, 0, sizeof config);
  if (err == ESP_OK) {
    err = esp_wifi_connect();
  }
  if (err == ESP_OK) {
    err = esp_timer_start_once(join_timer, (uint64_t)JOIN_MAX_MS * 1000);
  }
  if (err != ESP_OK) {
    ESP_LOGE(TAG, "cannot join: %s", esp_err_to_name(err));
    atomic_store(&link_state, IDLE);
    tell_down(PARLEY_WIFI_REFUSED);
  }
}

void parley_network_leave(void *ctx) {
  (void)ctx;
  (void)esp_timer_stop(join_timer);
  if (atomic_exchange(&link_state, IDLE) != IDLE) {
    disconnect();
  }
}

void parley_network_scan(void *ctx) {
  (void)ctx;
  const wifi_scan_config_t every_channel = {.show_hidden = false};
  esp_err_t err = esp_wifi_scan_start(&every_channel, false);
  if (err != ESP_OK) {
    ESP_LOGW(TAG, "cannot scan now: %s", esp_err_to_name(err));
    tell_scanned();
  }
}

int8_t parley_network_rssi(void) {
  wifi_ap_record_t access_point;
  return esp_wifi_sta_get_ap_info(&access_point) == ESP_OK ? access_point.rssi : 0;
}
