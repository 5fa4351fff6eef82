/* SPDX-License-Identifier: Apache-2.0 */
/* The frame on the wire decides everything here. Without a master clock the ES8311 multiplies its bit clock by eight
 * and takes it for 32 times the sample rate: two slots of 16 bits and nothing else. With the ES7210 beside it there are
 * four slots in, MIC1, MIC3, MIC2, MIC4, and MIC3 is what the ES8311 plays; esp_codec_dev then widens the slots out to
 * match. */
#include "codec.h"

#include "driver/i2s_std.h"
#include "driver/i2s_tdm.h"
#include "es7210_adc.h"
#include "es8311_codec.h"
#include "esp_codec_dev.h"
#include "esp_codec_dev_defaults.h"
#include "esp_log.h"

enum {
  I2C_HZ = 100000,
  I2C_WAIT_MS = 100,
  DMA_BLOCKS = 4, /* of 10 ms: what a flush cannot take back any more */
  DMA_FRAMES = PARLEY_SAMPLE_RATE / 100,
  ES7210_MIC1 = 1 << 0, /* gain masks count microphones, not slots */
};

static const char *const TAG = "codec";
static esp_codec_dev_handle_t output, input;
static bool input_is_es7210;

/* ---- I2C
 * ---------------------------------------------------------------------------------------------------------------- */

esp_err_t parley_i2c_bus(int port, int data, int clock, i2c_master_bus_handle_t *bus) {
  const i2c_master_bus_config_t config = {.i2c_port = port,
                                          .sda_io_num = data,
                                          .scl_io_num = clock,
                                          .clk_source = I2C_CLK_SRC_DEFAULT,
                                          .glitch_ignore_cnt = 7,
                                          .flags = {.enable_internal_pullup = 1}};
  return i2c_new_master_bus(&config, bus);
}

esp_err_t parley_i2c_device(i2c_master_bus_handle_t bus, uint8_t address, i2c_master_dev_handle_t *device) {
  esp_err_t err = i2c_master_probe(bus, address, I2C_WAIT_MS);
  if (err != ESP_OK) {
    return err;
  }
  const i2c_device_config_t config = {
      .dev_addr_length = I2C_ADDR_BIT_LEN_7, .device_address = address, .scl_speed_hz = I2C_HZ};
  return i2c_master_bus_add_device(bus, &config, device);
}

esp_err_t parley_i2c_put(i2c_master_dev_handle_t device, uint8_t reg, uint8_t value) {
  const uint8_t bytes[] = {reg, value};
  return i2c_master_transmit(device, bytes, sizeof bytes, I2C_WAIT_MS);
}

/* ---- I2S
 * ---------------------------------------------------------------------------------------------------------------- */

static esp_err_t init_output(const parley_codec_wiring_t *wiring, i2s_chan_handle_t channel) {
  const i2s_std_config_t config = {
      .clk_cfg = I2S_STD_CLK_DEFAULT_CONFIG(PARLEY_SAMPLE_RATE),
      .slot_cfg = I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_16BIT, I2S_SLOT_MODE_STEREO),
      .gpio_cfg = {.mclk = wiring->master_clock,
                   .bclk = wiring->bit_clock,
                   .ws = wiring->word_select,
                   .dout = wiring->to_codec,
                   .din = wiring->from_codec}};
  return i2s_channel_init_std_mode(channel, &config);
}

static esp_err_t init_four_slots(const parley_codec_wiring_t *wiring, i2s_chan_handle_t channel) {
  const i2s_tdm_config_t config = {
      .clk_cfg = I2S_TDM_CLK_DEFAULT_CONFIG(PARLEY_SAMPLE_RATE),
      .slot_cfg = I2S_TDM_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_16BIT, I2S_SLOT_MODE_STEREO,
                                                      I2S_TDM_SLOT0 | I2S_TDM_SLOT1 | I2S_TDM_SLOT2 | I2S_TDM_SLOT3),
      .gpio_cfg = {.mclk = wiring->master_clock,
                   .bclk = wiring->bit_clock,
                   .ws = wiring->word_select,
                   .dout = wiring->to_codec,
                   .din = wiring->from_codec}};
  return i2s_channel_init_tdm_mode(channel, &config);
}

static esp_err_t open_i2s(const parley_codec_wiring_t *wiring, const audio_codec_data_if_t **data) {
  i2s_chan_config_t config = I2S_CHANNEL_DEFAULT_CONFIG(I2S_NUM_0, I2S_ROLE_MASTER);
  config.dma_desc_num = DMA_BLOCKS;
  config.dma_frame_num = DMA_FRAMES;
  config.auto_clear_after_cb = true; /* silence, not the last 40 ms again, when nothing is written */
  i2s_chan_handle_t out = NULL, in = NULL;
  esp_err_t err = i2s_new_channel(&config, &out, &in);
  if (err == ESP_OK) {
    err = init_output(wiring, out);
  }
  if (err == ESP_OK) {
    err = wiring->has_es7210 ? init_four_slots(wiring, in) : init_output(wiring, in);
  }
  if (err == ESP_OK) {
    err = i2s_channel_enable(out); /* the codec wants a clock before its registers are written */
  }
  if (err == ESP_OK) {
    err = i2s_channel_enable(in);
  }
  if (err != ESP_OK) {
    return err;
  }
  audio_codec_i2s_cfg_t handles = {.port = I2S_NUM_0, .rx_handle = in, .tx_handle = out};
  *data = audio_codec_new_i2s_data(&handles);
  return *data == NULL ? ESP_ERR_NO_MEM : ESP_OK;
}

/* ---- codecs
 * --------------------------------------------------------------------------------------------------------------- */

static const audio_codec_ctrl_if_t *control(i2c_master_bus_handle_t bus, int port, uint8_t address) {
  audio_codec_i2c_cfg_t config = {.port = (uint8_t)port, .addr = address, .bus_handle = bus};
  return audio_codec_new_i2c_ctrl(&config);
}

static const audio_codec_if_t *new_es8311(const parley_codec_wiring_t *wiring, i2c_master_bus_handle_t bus, int port) {
  es8311_codec_cfg_t config = {.ctrl_if = control(bus, port, ES8311_CODEC_DEFAULT_ADDR),
                               .gpio_if = audio_codec_new_gpio(),
                               .codec_mode =
                                   wiring->has_es7210 ? ESP_CODEC_DEV_WORK_MODE_DAC : ESP_CODEC_DEV_WORK_MODE_BOTH,
                               .pa_pin = wiring->amplifier,
                               .use_mclk = wiring->master_clock >= 0,
                               .hw_gain = {.pa_gain = 6.0f},
                               .no_dac_ref = false};
  return config.ctrl_if == NULL || config.gpio_if == NULL ? NULL : es8311_codec_new(&config);
}

static const audio_codec_if_t *new_es7210(i2c_master_bus_handle_t bus, int port) {
  es7210_codec_cfg_t config = {.ctrl_if = control(bus, port, ES7210_CODEC_DEFAULT_ADDR),
                               .mic_selected = ES7210_SEL_MIC1 | ES7210_SEL_MIC2 | ES7210_SEL_MIC3 | ES7210_SEL_MIC4};
  return config.ctrl_if == NULL ? NULL : es7210_codec_new(&config);
}

static esp_err_t open_device(esp_codec_dev_type_t type, const audio_codec_if_t *codec,
                             const audio_codec_data_if_t *data, uint8_t channels, uint16_t mask,
                             esp_codec_dev_handle_t *device) {
  if (codec == NULL) {
    return ESP_ERR_NOT_FOUND;
  }
  esp_codec_dev_cfg_t config = {.dev_type = type, .codec_if = codec, .data_if = data};
  *device = esp_codec_dev_new(&config);
  if (*device == NULL) {
    return ESP_ERR_NO_MEM;
  }
  esp_codec_dev_sample_info_t format = {
      .bits_per_sample = 16, .channel = channels, .channel_mask = mask, .sample_rate = PARLEY_SAMPLE_RATE};
  return esp_codec_dev_open(*device, &format) == ESP_CODEC_DEV_OK ? ESP_OK : ESP_FAIL;
}

esp_err_t parley_codec_open(const parley_codec_wiring_t *wiring, i2c_master_bus_handle_t bus, int port) {
  const audio_codec_data_if_t *data = NULL;
  esp_err_t err = open_i2s(wiring, &data);
  if (err != ESP_OK) {
    return err;
  }
  const audio_codec_if_t *es8311 = new_es8311(wiring, bus, port);
  if (!wiring->has_es7210) {
    err = open_device(ESP_CODEC_DEV_TYPE_IN_OUT, es8311, data, 2, 0, &output);
    input = output;
    return err;
  }
  err = open_device(ESP_CODEC_DEV_TYPE_OUT, es8311, data, 2, 0, &output);
  if (err != ESP_OK) {
    return err;
  }
  input_is_es7210 = true;
  const uint16_t microphone_and_reference = ESP_CODEC_DEV_MAKE_CHANNEL_MASK(0) | ESP_CODEC_DEV_MAKE_CHANNEL_MASK(1);
  return open_device(ESP_CODEC_DEV_TYPE_IN, new_es7210(bus, port), data, 4, microphone_and_reference, &input);
}

bool parley_codec_capture(int16_t *frame) {
  return input != NULL &&
         esp_codec_dev_read(input, frame, 2 * PARLEY_CAPTURE_SAMPLES * (int)sizeof *frame) == ESP_CODEC_DEV_OK;
}

/* Both slots: the right one is the ES8311's echo reference. */
bool parley_codec_play(const int16_t *samples, size_t count) {
  static int16_t stereo[2 * PARLEY_FRAME_SAMPLES]; /* of the task `speaker` only */
  if (output == NULL || count > PARLEY_FRAME_SAMPLES) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    stereo[2 * i] = stereo[2 * i + 1] = samples[i];
  }
  return esp_codec_dev_write(output, stereo, (int)(2 * count * sizeof stereo[0])) == ESP_CODEC_DEV_OK;
}

void parley_codec_microphone(int8_t gain_db) {
  if (input == NULL) {
    return;
  }
  /* The reference keeps its own gain: 30 dB on top of line level would clip it. */
  int err = input_is_es7210 ? esp_codec_dev_set_in_channel_gain(input, ES7210_MIC1, (float)gain_db)
                            : esp_codec_dev_set_in_gain(input, (float)gain_db);
  if (err != ESP_CODEC_DEV_OK) {
    ESP_LOGW(TAG, "gain not set: %d", err);
  }
}

void parley_codec_volume(uint8_t percent) {
  if (output != NULL && esp_codec_dev_set_out_vol(output, percent) != ESP_CODEC_DEV_OK) {
    ESP_LOGW(TAG, "volume not set");
  }
}
