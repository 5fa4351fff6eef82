/* SPDX-License-Identifier: Apache-2.0 */
/* M5Stack AtomS3R on the Atomic Echo Base: ES8311 alone and without master clock (GPIO0, where drivers like to put it,
 * is the clock of the inner I2C bus and the boot strap), amplifier behind an expander, the screen as light and door. */
#include "codec.h"
#include "esp_log.h"
#include "screen.h"

enum {
  BASE_PORT = 0,
  BASE_DATA = 38,
  BASE_CLOCK = 39,
  ES8311 = 0x18,
  PI4IOE5V6408 = 0x43,
  REG_DIRECTION = 0x03, /* 1: output */
  REG_OUTPUT = 0x05,
  REG_HIGH_Z = 0x07, /* 1: not driven */
  AMPLIFIER = 1 << 0,
};

static const char *const TAG = "atoms3r";
static const parley_codec_wiring_t wiring = {.master_clock = -1,
                                             .bit_clock = 8,
                                             .word_select = 6,
                                             .to_codec = 5,
                                             .from_codec = 7,
                                             .amplifier = -1,
                                             .has_es7210 = false};

/* Level first, then direction, then drive: no click from a pin that is low for a moment. */
static esp_err_t switch_amplifier_on(i2c_master_bus_handle_t bus) {
  i2c_master_dev_handle_t expander = NULL;
  esp_err_t err = parley_i2c_device(bus, PI4IOE5V6408, &expander);
  if (err == ESP_OK) {
    err = parley_i2c_put(expander, REG_OUTPUT, AMPLIFIER);
  }
  if (err == ESP_OK) {
    err = parley_i2c_put(expander, REG_DIRECTION, AMPLIFIER);
  }
  return err == ESP_OK ? parley_i2c_put(expander, REG_HIGH_Z, (uint8_t)~AMPLIFIER) : err;
}

static esp_err_t start(void) {
  parley_screen_start();
  i2c_master_bus_handle_t bus = NULL;
  esp_err_t err = parley_i2c_bus(BASE_PORT, BASE_DATA, BASE_CLOCK, &bus);
  if (err != ESP_OK) {
    return err;
  }
  if (i2c_master_probe(bus, ES8311, 100) != ESP_OK) {
    ESP_LOGE(TAG, "no_echo_base: the Atomic Echo Base is not under the board");
    return ESP_ERR_NOT_FOUND;
  }
  err = parley_codec_open(&wiring, bus, BASE_PORT);
  return err == ESP_OK ? switch_amplifier_on(bus) : err;
}

static void show(const parley_device_t *device) {
  parley_codec_volume(device->volume);
  parley_screen_show(device);
}

const parley_board_driver_t parley_board = {.name = "atoms3r",
                                            .channels = 2,
                                            .start = start,
                                            .capture = parley_codec_capture,
                                            .play = parley_codec_play,
                                            .microphone = parley_codec_microphone,
                                            .show = show};
