/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
typedef enum { ESP_AUDIO_ERR_OK = 0, ESP_AUDIO_ERR_FAIL = -1 } esp_audio_err_t;
