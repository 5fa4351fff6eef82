/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "driver/i2s_std.h"
typedef enum {
  I2S_TDM_SLOT0 = 1 << 0,
  I2S_TDM_SLOT1 = 1 << 1,
  I2S_TDM_SLOT2 = 1 << 2,
  I2S_TDM_SLOT3 = 1 << 3,
} i2s_tdm_slot_mask_t;
typedef struct {
  i2s_data_bit_width_t data_bit_width;
  i2s_slot_mode_t slot_mode;
  i2s_tdm_slot_mask_t slot_mask;
} i2s_tdm_slot_config_t;
#define I2S_TDM_PHILIPS_SLOT_DEFAULT_CONFIG(bits, mode, mask)                                                          \
  {.data_bit_width = (bits), .slot_mode = (mode), .slot_mask = (mask)}
typedef i2s_std_clk_config_t i2s_tdm_clk_config_t;
#define I2S_TDM_CLK_DEFAULT_CONFIG(rate) {.sample_rate_hz = (rate)}
typedef i2s_std_gpio_config_t i2s_tdm_gpio_config_t;
typedef struct {
  i2s_tdm_clk_config_t clk_cfg;
  i2s_tdm_slot_config_t slot_cfg;
  i2s_tdm_gpio_config_t gpio_cfg;
} i2s_tdm_config_t;
esp_err_t i2s_channel_init_tdm_mode(i2s_chan_handle_t handle, const i2s_tdm_config_t *tdm_cfg);
