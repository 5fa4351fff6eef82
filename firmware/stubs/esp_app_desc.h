/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
int esp_app_get_elf_sha256(char *dst, size_t size);
