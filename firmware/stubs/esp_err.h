/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sdkconfig.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
typedef int esp_err_t;
enum {
  ESP_OK = 0,
  ESP_FAIL = -1,
  ESP_ERR_NO_MEM = 0x101,
  ESP_ERR_INVALID_ARG = 0x102,
  ESP_ERR_INVALID_STATE = 0x103,
  ESP_ERR_INVALID_SIZE = 0x104,
  ESP_ERR_NOT_FOUND = 0x105,
};
const char *esp_err_to_name(esp_err_t code);
size_t strlcpy(char *to, const char *from, size_t size); /* newlib's string.h has it */
