/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_codec_dev.h"
#define ES8311_CODEC_DEFAULT_ADDR (0x30)
typedef struct {
  const audio_codec_ctrl_if_t *ctrl_if;
  const audio_codec_gpio_if_t *gpio_if;
  esp_codec_dec_work_mode_t codec_mode;
  int16_t pa_pin;
  bool pa_reverted;
  bool master_mode;
  bool use_mclk;
  esp_codec_dev_hw_gain_t hw_gain;
  bool no_dac_ref;
} es8311_codec_cfg_t;
const audio_codec_if_t *es8311_codec_new(es8311_codec_cfg_t *codec_cfg);
