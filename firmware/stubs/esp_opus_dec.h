/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_audio_types.h"
typedef enum { ESP_AUDIO_DEC_RECOVERY_NONE, ESP_AUDIO_DEC_RECOVERY_PLC } esp_audio_dec_recovery_t;
typedef struct {
  uint8_t *buffer;
  uint32_t len;
  uint32_t consumed;
  esp_audio_dec_recovery_t frame_recover;
} esp_audio_dec_in_raw_t;
typedef struct {
  uint8_t *buffer;
  uint32_t len;
  uint32_t needed_size;
  uint32_t decoded_size;
} esp_audio_dec_out_frame_t;
typedef struct {
  uint32_t sample_rate;
  uint8_t bits_per_sample;
  uint8_t channel;
  uint32_t bitrate;
  uint32_t frame_size;
} esp_audio_dec_info_t;
typedef enum { ESP_OPUS_DEC_FRAME_DURATION_INVALID = -1 } esp_opus_dec_frame_duration_t;
typedef struct {
  uint32_t sample_rate;
  uint8_t channel;
  esp_opus_dec_frame_duration_t frame_duration;
  bool self_delimited;
} esp_opus_dec_cfg_t;
esp_audio_err_t esp_opus_dec_open(void *cfg, uint32_t cfg_sz, void **dec_handle);
esp_audio_err_t esp_opus_dec_decode(void *dec_handle, esp_audio_dec_in_raw_t *raw, esp_audio_dec_out_frame_t *frame,
                                    esp_audio_dec_info_t *dec_info);
esp_audio_err_t esp_opus_dec_reset(void *dec_handle);
