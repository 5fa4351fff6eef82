/* SPDX-License-Identifier: Apache-2.0 */
/** One hostile input each, for the fuzzer and for the replay of what it found. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

/** Whether the core kept its word: lines of the right form, no secret shown, no wish for a tick over and over. */
bool hostile_console(const char *bytes, size_t length);
/** Events of the service, parted by newlines. */
bool hostile_realtime(const char *bytes, size_t length);
/** First byte: which answer, and its status; then a line for the location, then the body. */
bool hostile_http(const char *bytes, size_t length);
/** Settings, a line each: a letter for the key, then its text, or # and its number. */
bool hostile_cfg(const char *bytes, size_t length);

#endif
