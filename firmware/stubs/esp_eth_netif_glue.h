/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_eth_driver.h"
typedef struct esp_eth_netif_glue_t *esp_eth_netif_glue_handle_t;
esp_eth_netif_glue_handle_t esp_eth_new_netif_glue(esp_eth_handle_t eth_hdl);
