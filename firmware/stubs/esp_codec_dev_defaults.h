/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_codec_dev.h"
typedef struct {
  uint8_t port;
  uint8_t addr;
  void *bus_handle;
} audio_codec_i2c_cfg_t;
typedef struct {
  uint8_t port;
  void *rx_handle;
  void *tx_handle;
} audio_codec_i2s_cfg_t;
const audio_codec_gpio_if_t *audio_codec_new_gpio(void);
const audio_codec_ctrl_if_t *audio_codec_new_i2c_ctrl(audio_codec_i2c_cfg_t *i2c_cfg);
const audio_codec_data_if_t *audio_codec_new_i2s_data(audio_codec_i2s_cfg_t *i2s_cfg);
