/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
typedef struct esp_eth_phy_s esp_eth_phy_t;
typedef struct {
  int32_t phy_addr;
  uint32_t reset_timeout_ms;
  uint32_t autonego_timeout_ms;
  int reset_gpio_num;
} eth_phy_config_t;
#define ETH_PHY_DEFAULT_CONFIG() {.reset_gpio_num = 5}
esp_eth_phy_t *esp_eth_phy_new_generic(const eth_phy_config_t *config);
esp_eth_phy_t *esp_eth_phy_new_dp83848(const eth_phy_config_t *config);
