/* SPDX-License-Identifier: Apache-2.0 */
/* The emulated chip has a network card and no radio: the cable plays the part of any Wi-Fi network. A join is answered
 * with the address as soon as there is one; name and password do not matter. */
#include <stdatomic.h>
#include <stdio.h>

#include "esp_eth_driver.h"
#include "esp_eth_mac_openeth.h"
#include "esp_eth_netif_glue.h"
#include "esp_eth_phy.h"
#include "esp_event.h"
#include "esp_idf_version.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "parley_port.h"

static const char *const TAG = "ethernet";
static const char NAME[] = "ethernet";

typedef enum { IDLE, JOINING, UP } link_t;
static atomic_int link_state = IDLE;
static atomic_uint address; /* as lwIP keeps it; 0: none */

static void tell_up(uint32_t ip) {
  int joining = JOINING;
  if (ip == 0 || !atomic_compare_exchange_strong(&link_state, &joining, UP)) {
    return;
  }
  char text[16];
  const esp_ip4_addr_t as_ip = {.addr = ip};
  int length = snprintf(text, sizeof text, IPSTR, IP2STR(&as_ip));
  parley_event_t event = {.kind = PARLEY_EV_WIFI_UP, .as.wifi = {.ip = {.bytes = text, .length = (size_t)length}}};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static void on_address(void *unused, esp_event_base_t base, int32_t id, void *data) {
  (void)unused;
  (void)base;
  (void)id;
  const ip_event_got_ip_t *got = data;
  atomic_store(&address, got->ip_info.ip.addr);
  tell_up(got->ip_info.ip.addr);
}

static void on_link(void *unused, esp_event_base_t base, int32_t id, void *data) {
  (void)unused;
  (void)base;
  (void)data;
  if (id != ETHERNET_EVENT_DISCONNECTED) {
    return;
  }
  atomic_store(&address, 0);
  if (atomic_exchange(&link_state, IDLE) != IDLE) {
    parley_event_t event = {.kind = PARLEY_EV_WIFI_DOWN, .as.wifi = {.reason = PARLEY_WIFI_LOST}};
    (void)parley_mailbox_post(&event); /* a drop is counted there */
  }
}

static esp_eth_phy_t *new_phy(void) {
  eth_phy_config_t config = ETH_PHY_DEFAULT_CONFIG();
  config.autonego_timeout_ms = 100;
  config.reset_gpio_num = -1;
#if ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(6, 0, 0)
  return esp_eth_phy_new_generic(&config); /* the drivers of single chips left ESP-IDF with 6.0 */
#else
  return esp_eth_phy_new_dp83848(&config);
#endif
}

static esp_err_t start_card(esp_netif_t *netif) {
  eth_mac_config_t mac_config = ETH_MAC_DEFAULT_CONFIG();
  esp_eth_mac_t *mac = esp_eth_mac_new_openeth(&mac_config);
  esp_eth_phy_t *phy = new_phy();
  if (mac == NULL || phy == NULL) {
    return ESP_ERR_NO_MEM;
  }
  esp_eth_config_t config = ETH_DEFAULT_CONFIG(mac, phy);
  esp_eth_handle_t card = NULL;
  esp_err_t err = esp_eth_driver_install(&config, &card);
  if (err == ESP_OK) {
    err = esp_netif_attach(netif, esp_eth_new_netif_glue(card));
  }
  return err == ESP_OK ? esp_eth_start(card) : err;
}

esp_err_t parley_network_start(const char *host_name) {
  esp_err_t err = esp_netif_init();
  if (err == ESP_OK) {
    err = esp_event_loop_create_default();
  }
  if (err != ESP_OK) {
    return err;
  }
  esp_netif_config_t config = ESP_NETIF_DEFAULT_ETH();
  esp_netif_t *netif = esp_netif_new(&config);
  if (netif == NULL) {
    return ESP_ERR_NO_MEM;
  }
  if (esp_netif_set_hostname(netif, host_name) != ESP_OK) {
    ESP_LOGW(TAG, "name on the network not taken");
  }
  err = esp_event_handler_register(ETH_EVENT, ESP_EVENT_ANY_ID, on_link, NULL);
  if (err == ESP_OK) {
    err = esp_event_handler_register(IP_EVENT, IP_EVENT_ETH_GOT_IP, on_address, NULL);
  }
  return err == ESP_OK ? start_card(netif) : err;
}

void parley_network_join(void *ctx, const char *ssid, const char *password) {
  (void)ctx;
  (void)ssid;
  (void)password;
  atomic_store(&link_state, JOINING);
  tell_up(atomic_load(&address));
}

void parley_network_leave(void *ctx) {
  (void)ctx;
  atomic_store(&link_state, IDLE);
}

void parley_network_scan(void *ctx) {
  (void)ctx;
  parley_event_t found = {.kind = PARLEY_EV_WIFI_NETWORK,
                          .as.network = {.ssid = {.bytes = NAME, .length = sizeof NAME - 1}, .channel = 1}};
  parley_event_t end = {.kind = PARLEY_EV_WIFI_SCANNED};
  (void)parley_mailbox_post(&found); /* drops are counted there */
  (void)parley_mailbox_post(&end);
}

int8_t parley_network_rssi(void) {
  return 0;
}
