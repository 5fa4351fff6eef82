/* SPDX-License-Identifier: Apache-2.0 */
/* `sound`: is the speaker loud, does the microphone hear it, how long is the loop. One task plays and captures in turn
 * while no peer has the sound. The microphone is taken raw, so what is told as left of the echo is all of it. */
#include <stdatomic.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "sound.h"

enum {
  STACK = 4 * 1024,
  QUIET_STEPS = 10, /* frames of the speaker before the tone, for the noise of the room */
  TONE_STEPS = 25,
  TAIL_STEPS = 15,
  CAPTURE_MS = 10,
  CAPTURES = PARLEY_FRAME_MS / CAPTURE_MS,
  ABOVE_NOISE_CDB = 1000,
  AUDIBLE_CDB = -6000,
  TONE_CDB = -1525, /* root mean square of the table below */
};

static const char *const TAG = "sound";
static QueueHandle_t wishes;
static atomic_bool is_ended;

/* 1 kHz at 16 kHz. */
static const int16_t period[] = {0, 3061,  5657,  7391,  8000,  7391,  5657,  3061,
                                 0, -3061, -5657, -7391, -8000, -7391, -5657, -3061};
_Static_assert(PARLEY_SAMPLE_RATE == 16000, "the table is one period at this rate");

typedef struct {
  parley_loudness_t noise, heard;
  int32_t first_ms; /* capture in which the tone was heard first; -1: none yet */
  int32_t at_ms;
} loop_t;

static void play_step(bool sounds) {
  static int16_t frame[PARLEY_FRAME_SAMPLES];
  for (size_t i = 0; i < PARLEY_FRAME_SAMPLES; i++) {
    frame[i] = sounds ? period[i % (sizeof period / sizeof period[0])] : 0;
  }
  parley_sound_play(frame, PARLEY_FRAME_SAMPLES);
}

static void listen_step(loop_t *loop, bool before_tone) {
  static int16_t frame[2 * PARLEY_CAPTURE_SAMPLES];
  parley_loudness_t now = {0};
  parley_sound_capture(frame);
  for (size_t i = 0; i < PARLEY_CAPTURE_SAMPLES; i++) {
    parley_loudness_add(&now, &frame[i * parley_board.channels], 1);
  }
  int threshold_cdb = parley_loudness_cdb(loop->noise) + ABOVE_NOISE_CDB;
  threshold_cdb = threshold_cdb < AUDIBLE_CDB ? AUDIBLE_CDB : threshold_cdb;
  if (before_tone) {
    loop->noise.squares += now.squares;
    loop->noise.count += now.count;
  } else if (parley_loudness_cdb(now) > threshold_cdb) {
    loop->first_ms = loop->first_ms < 0 ? loop->at_ms : loop->first_ms;
    loop->heard.squares += now.squares;
    loop->heard.count += now.count;
  }
  loop->at_ms += before_tone ? 0 : CAPTURE_MS;
}

static void test(void) {
  loop_t loop = {.first_ms = -1};
  for (int step = 0; step < QUIET_STEPS + TONE_STEPS + TAIL_STEPS && !atomic_load(&is_ended); step++) {
    play_step(step >= QUIET_STEPS && step < QUIET_STEPS + TONE_STEPS);
    for (int i = 0; i < CAPTURES; i++) {
      listen_step(&loop, step < QUIET_STEPS);
    }
  }
  bool heard = loop.first_ms >= 0 && !atomic_load(&is_ended);
  int16_t heard_cdb = parley_loudness_cdb(heard ? loop.heard : loop.noise);
  parley_sound_t sound = {.delay_ms = heard ? loop.first_ms : -1,
                          .tone_cdb = TONE_CDB,
                          .microphone_cdb = heard_cdb,
                          .echo_left_cdb = heard_cdb};
  parley_event_t event = {.kind = PARLEY_EV_SOUND, .as.sound = &sound};
  if (!parley_mailbox_post(&event)) {
    ESP_LOGE(TAG, "event lost");
  }
}

static void test_forever(void *unused) {
  uint8_t wish;
  (void)unused;
  for (;;) {
    if (xQueueReceive(wishes, &wish, portMAX_DELAY) == pdTRUE) {
      test();
    }
  }
}

void parley_sound_test(void *ctx) {
  const uint8_t wish = 1;
  (void)ctx;
  atomic_store(&is_ended, false);
  (void)xQueueSend(wishes, &wish, 0); /* full: one is under way, its answer serves both */
}

void parley_sound_test_end(void) {
  atomic_store(&is_ended, true);
}

esp_err_t parley_sound_test_start(void) {
  wishes = xQueueCreate(1, sizeof(uint8_t));
  if (wishes == NULL || xTaskCreatePinnedToCore(test_forever, "sound", STACK, NULL, 14, NULL, 1) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  return ESP_OK;
}
