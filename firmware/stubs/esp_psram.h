/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
size_t esp_psram_get_size(void);
