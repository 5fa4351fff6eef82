/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_audio_types.h"
typedef struct {
  uint8_t *buffer;
  uint32_t len;
} esp_audio_enc_in_frame_t;
typedef struct {
  uint8_t *buffer;
  uint32_t len;
  uint32_t encoded_bytes;
  uint64_t pts;
} esp_audio_enc_out_frame_t;
typedef enum { ESP_OPUS_ENC_FRAME_DURATION_20_MS = 3 } esp_opus_enc_frame_duration_t;
typedef enum { ESP_OPUS_ENC_APPLICATION_VOIP = 0 } esp_opus_enc_application_t;
typedef struct {
  int sample_rate;
  int channel;
  int bits_per_sample;
  int bitrate;
  esp_opus_enc_frame_duration_t frame_duration;
  esp_opus_enc_application_t application_mode;
  int complexity;
  bool enable_fec;
  bool enable_dtx;
  bool enable_vbr;
} esp_opus_enc_config_t;
esp_audio_err_t esp_opus_enc_open(void *cfg, uint32_t cfg_sz, void **enc_hd);
esp_audio_err_t esp_opus_enc_get_frame_size(void *enc_hd, int *in_size, int *out_size);
esp_audio_err_t esp_opus_enc_process(void *enc_hd, esp_audio_enc_in_frame_t *in_frame,
                                     esp_audio_enc_out_frame_t *out_frame);
esp_audio_err_t esp_opus_enc_reset(void *enc_hd);
