/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
#define ESP_CODEC_DEV_OK                         (0)
#define ESP_CODEC_DEV_MAKE_CHANNEL_MASK(channel) ((uint16_t)1 << (channel))
typedef struct audio_codec_if_t audio_codec_if_t;
typedef struct audio_codec_data_if_t audio_codec_data_if_t;
typedef struct audio_codec_ctrl_if_t audio_codec_ctrl_if_t;
typedef struct audio_codec_gpio_if_t audio_codec_gpio_if_t;
typedef enum {
  ESP_CODEC_DEV_TYPE_IN = 1,
  ESP_CODEC_DEV_TYPE_OUT = 2,
  ESP_CODEC_DEV_TYPE_IN_OUT = 3
} esp_codec_dev_type_t;
typedef enum { ESP_CODEC_DEV_WORK_MODE_DAC = 2, ESP_CODEC_DEV_WORK_MODE_BOTH = 3 } esp_codec_dec_work_mode_t;
typedef struct {
  float pa_voltage;
  float codec_dac_voltage;
  float pa_gain;
} esp_codec_dev_hw_gain_t;
typedef struct {
  uint8_t bits_per_sample;
  uint8_t channel;
  uint16_t channel_mask;
  uint32_t sample_rate;
  int mclk_multiple;
} esp_codec_dev_sample_info_t;
typedef struct {
  esp_codec_dev_type_t dev_type;
  const audio_codec_if_t *codec_if;
  const audio_codec_data_if_t *data_if;
} esp_codec_dev_cfg_t;
typedef void *esp_codec_dev_handle_t;
esp_codec_dev_handle_t esp_codec_dev_new(esp_codec_dev_cfg_t *codec_dev_cfg);
int esp_codec_dev_open(esp_codec_dev_handle_t codec, esp_codec_dev_sample_info_t *fs);
int esp_codec_dev_read(esp_codec_dev_handle_t codec, void *data, int len);
int esp_codec_dev_write(esp_codec_dev_handle_t codec, void *data, int len);
int esp_codec_dev_set_out_vol(esp_codec_dev_handle_t codec, int volume);
int esp_codec_dev_set_in_gain(esp_codec_dev_handle_t codec, float db_value);
int esp_codec_dev_set_in_channel_gain(esp_codec_dev_handle_t codec, uint16_t channel_mask, float db_value);
