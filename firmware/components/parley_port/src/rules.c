/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <math.h>

/* A living peer cannot be this quiet: it answers the library's binding request every 6 s (RFC 8445), reports on the
 * sound it gets at most 5 s apart (RFC 3550, 6.2; the microphone never pauses), and most ask for our consent every 5 s
 * themselves (RFC 7675). One lost datagram breaks none of that; 9 s leave a second to say so. */
static const int64_t GONE_AFTER_US = 9 * 1000 * 1000;

enum {
  LATE_MAX = 25,            /* frames: a longer step is a pause of the sender, or a new time */
  REFERENCE_SILENT = 4,     /* of 32,768: below the noise of any connected input */
  REFERENCE_PATIENCE = 200, /* captures of 10 ms */
  SILENCE_CDB = -9600,
};

void parley_pulse_hear(parley_pulse_t *pulse, int64_t now_us) {
  pulse->heard_us = now_us;
  pulse->count++;
}

bool parley_pulse_is_gone(const parley_pulse_t *pulse, int64_t now_us) {
  return pulse->count > 0 && now_us - pulse->heard_us > GONE_AFTER_US;
}

void parley_jitter_add(parley_jitter_t *jitter, int64_t now_us, int64_t frame_us) {
  if (jitter->arrived_us != 0) {
    int64_t off_us = now_us - jitter->arrived_us - frame_us;
    jitter->jitter_us += ((off_us < 0 ? -off_us : off_us) - jitter->jitter_us) / 16;
  }
  jitter->arrived_us = now_us;
}

static bool is_unit(uint32_t step) {
  return step == 20 || step == 320 || step == 960;
}

/* The unit of the time stamp is learnt: 20 ms are 20, 320 or 960 of it; what was taken for one frame may have been
 * three, until a single one comes. A packet that comes late or twice has nothing missing before it, and does not move
 * the place from which is counted. */
uint32_t parley_missing_before(parley_order_of_sound_t *order, uint32_t pts) {
  uint32_t step = pts - order->last_pts, back = order->last_pts - pts;
  uint32_t missing = 0;
  if (order->has_last && order->step != 0 && back / order->step <= LATE_MAX) {
    return 0;
  }
  if (order->has_last && is_unit(step) && (order->step == 0 || step < order->step)) {
    order->step = step;
  } else if (order->has_last && order->step != 0 && step % order->step == 0 && step / order->step <= LATE_MAX) {
    missing = step / order->step - 1;
  }
  order->has_last = true;
  order->last_pts = pts;
  return missing;
}

bool parley_reference_is_silent(uint32_t *silent_frames, const int16_t *frame, size_t samples) {
  for (size_t i = 1; i < samples; i += 2) {
    if (frame[i] > REFERENCE_SILENT || frame[i] < -REFERENCE_SILENT) {
      *silent_frames = 0;
      return false;
    }
  }
  return ++*silent_frames >= REFERENCE_PATIENCE;
}

bool parley_is_within(uint32_t now_ms, uint32_t loud_ms, uint32_t tail_ms) {
  return loud_ms != 0 && now_ms - loud_ms < tail_ms;
}

void parley_loudness_add(parley_loudness_t *loudness, const int16_t *samples, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int32_t sample = samples[i];
    loudness->squares += (uint32_t)(sample * sample);
  }
  loudness->count += (uint32_t)count;
}

int16_t parley_loudness_cdb(parley_loudness_t loudness) {
  if (loudness.squares == 0 || loudness.count == 0) {
    return SILENCE_CDB;
  }
  float mean = (float)loudness.squares / (float)loudness.count / (32768.0f * 32768.0f);
  float cdb = 1000.0f * log10f(mean);
  return cdb < (float)SILENCE_CDB ? SILENCE_CDB : (int16_t)cdb;
}
