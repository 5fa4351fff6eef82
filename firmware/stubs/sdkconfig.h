/* SPDX-License-Identifier: Apache-2.0 */
/* The board's own symbols come from the command line of tools/typecheck. */
#pragma once
#define CONFIG_IDF_TARGET_ESP32S3 1
#define CONFIG_FREERTOS_HZ        1000
