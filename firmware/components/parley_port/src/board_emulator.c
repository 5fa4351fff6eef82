/* SPDX-License-Identifier: Apache-2.0 */
/* Espressif's QEMU: no codec, no screen. The microphone hears a spoken sentence some seconds after it is switched on
 * and again now and then; the speaker takes sound at its pace and says in the log how loud it was. What it plays comes
 * back as the echo reference, so canceller and Opus above are the real ones. */
#include <string.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/idf_additions.h"
#include "freertos/stream_buffer.h"
#include "sound.h"

enum {
  FIRST_AFTER_S = 4,
  EVERY_S = 20,
  BEHIND_MAX_US = 100 * 1000,
  REFERENCE_BYTES = PARLEY_SAMPLE_RATE, /* half a second */
  TELL_EVERY_S = 2,
};

static const char *const TAG = "emulator";
/* 16 bit, little-endian, PARLEY_SAMPLE_RATE, mono; see ../README.md for what it says. */
extern const uint8_t clip_start[] __asm__("_binary_sentence_pcm_start");
extern const uint8_t clip_end[] __asm__("_binary_sentence_pcm_end");

static StreamBufferHandle_t reference;
static int64_t capture_due_us, play_due_us;
static size_t heard; /* samples since the microphone was switched on */

/* A late task catches up with the clock; one that was away starts anew. */
static void pace(int64_t *due_us, size_t samples) {
  int64_t now_us = esp_timer_get_time();
  if (now_us - *due_us > BEHIND_MAX_US) {
    *due_us = now_us;
  }
  *due_us += (int64_t)samples * 1000000 / PARLEY_SAMPLE_RATE;
  if (*due_us > now_us) {
    vTaskDelay(pdMS_TO_TICKS((*due_us - now_us) / 1000));
  }
}

static int16_t spoken(size_t position) {
  size_t start = (size_t)FIRST_AFTER_S * PARLEY_SAMPLE_RATE;
  if (position < start) {
    return 0;
  }
  size_t at = 2 * ((position - start) % ((size_t)EVERY_S * PARLEY_SAMPLE_RATE));
  if (at + 1 >= (size_t)(clip_end - clip_start)) {
    return 0;
  }
  return (int16_t)(uint16_t)(clip_start[at] | clip_start[at + 1] << 8);
}

static esp_err_t start(void) {
  reference = xStreamBufferCreateWithCaps(REFERENCE_BYTES, 1, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  return reference == NULL ? ESP_ERR_NO_MEM : ESP_OK;
}

static bool capture(int16_t *frame) {
  static int16_t played[PARLEY_CAPTURE_SAMPLES];
  pace(&capture_due_us, PARLEY_CAPTURE_SAMPLES);
  memset(played, 0, sizeof played);
  (void)xStreamBufferReceive(reference, played, sizeof played, 0); /* less than asked for: the rest is silence */
  for (size_t i = 0; i < PARLEY_CAPTURE_SAMPLES; i++) {
    frame[2 * i] = spoken(heard++);
    frame[2 * i + 1] = played[i];
  }
  return true;
}

static void tell_loudness(const int16_t *samples, size_t count) {
  static parley_loudness_t loudness;
  parley_loudness_add(&loudness, samples, count);
  if (loudness.count >= TELL_EVERY_S * PARLEY_SAMPLE_RATE) {
    ESP_LOGI(TAG, "speaker: %d cdB over %d s", parley_loudness_cdb(loudness), TELL_EVERY_S);
    loudness = (parley_loudness_t){0};
  }
}

static bool play(const int16_t *samples, size_t count) {
  if (xStreamBufferSpacesAvailable(reference) >= count * sizeof *samples) {
    (void)xStreamBufferSend(reference, samples, count * sizeof *samples, 0);
  }
  tell_loudness(samples, count);
  pace(&play_due_us, count);
  return true;
}

static void microphone(int8_t gain_db) {
  (void)gain_db;
  heard = 0;
}

static void show(const parley_device_t *device) {
  ESP_LOGI(TAG, "light %d (%u, %u, %u), volume %u, muted %d, door %d", device->light, device->red, device->green,
           device->blue, device->volume, device->muted, device->door_open);
}

const parley_board_driver_t parley_board = {.name = "emulator",
                                            .channels = 2,
                                            .start = start,
                                            .capture = capture,
                                            .play = play,
                                            .microphone = microphone,
                                            .show = show};
