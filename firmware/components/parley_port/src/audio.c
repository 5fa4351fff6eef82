/* SPDX-License-Identifier: Apache-2.0 */
/* The sound as a whole: what the peer and the core see of microphone.c and speaker.c, and the one place that knows
 * whether this board has sound at all. A board without (no Echo Base under the AtomS3R) still holds its conversation in
 * writing. */
#include "esp_log.h"
#include "sound.h"

static const char *const TAG = "audio";
static bool has_sound;

void parley_sound_capture(int16_t *frame) {
  if (has_sound && parley_board.capture(frame)) {
    return;
  }
  for (size_t i = 0; i < (size_t)PARLEY_CAPTURE_SAMPLES * parley_board.channels; i++) {
    frame[i] = 0;
  }
  vTaskDelay(pdMS_TO_TICKS(PARLEY_CAPTURE_SAMPLES * 1000 / PARLEY_SAMPLE_RATE));
}

void parley_sound_play(const int16_t *samples, size_t count) {
  if (!has_sound || !parley_board.play(samples, count)) {
    vTaskDelay(pdMS_TO_TICKS(count * 1000 / PARLEY_SAMPLE_RATE));
  }
}

esp_err_t parley_audio_start(void) {
  esp_err_t err = parley_board.start();
  has_sound = err == ESP_OK;
  if (!has_sound) {
    ESP_LOGE(TAG, "no sound: %s", esp_err_to_name(err));
  }
  err = parley_speaker_start();
  err = err == ESP_OK ? parley_microphone_start() : err;
  return err == ESP_OK ? parley_sound_test_start() : err;
}

void parley_audio_begin(parley_echo_t echo, int8_t microphone_db) {
  parley_sound_test_end();
  parley_speaker_clear();
  parley_microphone_begin(echo, microphone_db);
}

void parley_audio_end(void) {
  parley_microphone_end();
  parley_speaker_clear();
}

bool parley_audio_hear(const parley_packet_t *packet) {
  return parley_speaker_hear(packet);
}

bool parley_audio_say(parley_packet_t *packet) {
  return parley_microphone_take(packet);
}

parley_audio_count_t parley_audio_count(void) {
  return parley_speaker_count();
}

void parley_audio_flush(void *ctx) {
  (void)ctx;
  parley_speaker_clear();
}

void parley_audio_mute(bool muted) {
  parley_microphone_mute(muted);
}
