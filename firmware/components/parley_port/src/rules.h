/* SPDX-License-Identifier: Apache-2.0 */
/* What the port decides by counting and comparing. No ESP-IDF in here, so the tests of the host run it. */
#ifndef PARLEY_RULES_H
#define PARLEY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- is the peer still there
 * -------------------------------------------------------------------------------------------- */

/** Datagrams of one connection. */
typedef struct {
  int64_t heard_us;
  uint32_t count;
} parley_pulse_t;

void parley_pulse_hear(parley_pulse_t *pulse, int64_t now_us);
/** Nothing at all for so long that a living peer is out of the question. False while nothing was ever counted. */
bool parley_pulse_is_gone(const parley_pulse_t *pulse, int64_t now_us);

/* ---- how evenly packets come
 * -------------------------------------------------------------------------------------------- */

/** RFC 3550, 6.4.1, with the frame's length in the place of time stamps. */
typedef struct {
  int64_t arrived_us; /**< 0: nothing yet */
  int64_t jitter_us;
} parley_jitter_t;

void parley_jitter_add(parley_jitter_t *jitter, int64_t now_us, int64_t frame_us);

/* ---- what is missing before a packet
 * ------------------------------------------------------------------------------------ */

typedef struct {
  bool has_last;
  uint32_t last_pts;
  uint32_t step; /**< of the time stamp for 20 ms; 0: not learnt yet */
} parley_order_of_sound_t;

/** Frames missing before the packet with this time stamp. */
uint32_t parley_missing_before(parley_order_of_sound_t *order, uint32_t pts);

/* ---- echo
 * --------------------------------------------------------------------------------------------------------------- */

/** True from the moment when two seconds of loud playing left nothing in the reference (the odd samples of `frame`). */
bool parley_reference_is_silent(uint32_t *silent_frames, const int16_t *frame, size_t samples);

/** The speaker was heard at `loud_ms` (0: never) and the room may still sound; all modulo 2^32. */
bool parley_is_within(uint32_t now_ms, uint32_t loud_ms, uint32_t tail_ms);

/* ---- loudness
 * ----------------------------------------------------------------------------------------------------------- */

/** Sum of squares over some samples. */
typedef struct {
  uint64_t squares;
  uint32_t count;
} parley_loudness_t;

void parley_loudness_add(parley_loudness_t *loudness, const int16_t *samples, size_t count);
/** Hundredths of dBFS, as in parley_level_t. */
int16_t parley_loudness_cdb(parley_loudness_t loudness);

#endif
