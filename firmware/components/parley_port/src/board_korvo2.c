/* SPDX-License-Identifier: Apache-2.0 */
/* ESP32-S3-Korvo-2 V3.0 and V3.1: ES8311 and ES7210 with a master clock, amplifier on a GPIO, two LEDs behind a TCA9554
 * (at 0x20) or TCA9554A (at 0x38). There is no coloured light: the red LED is the light, the other one the open door.
 */
#include "codec.h"
#include "esp_log.h"

enum {
  I2C_PORT = 0,
  I2C_DATA = 17,
  I2C_CLOCK = 18,
  TCA9554 = 0x20,
  TCA9554A = 0x38,
  REG_OUTPUT = 1,
  REG_DIRECTION = 3, /* 0: output */
  LED_LIGHT = 1 << 6,
  LED_DOOR = 1 << 7,
};

static const char *const TAG = "korvo2";
static const parley_codec_wiring_t wiring = {.master_clock = 16,
                                             .bit_clock = 9,
                                             .word_select = 45,
                                             .to_codec = 8,
                                             .from_codec = 10,
                                             .amplifier = 48,
                                             .has_es7210 = true};
static i2c_master_dev_handle_t expander;

static void set_leds(uint8_t on) {
  if (expander != NULL && parley_i2c_put(expander, REG_OUTPUT, on) != ESP_OK) {
    ESP_LOGW(TAG, "LEDs not set");
  }
}

static void start_leds(i2c_master_bus_handle_t bus) {
  if (parley_i2c_device(bus, TCA9554A, &expander) != ESP_OK && parley_i2c_device(bus, TCA9554, &expander) != ESP_OK) {
    ESP_LOGW(TAG, "no LEDs: expander not found");
    expander = NULL;
    return;
  }
  set_leds(0);
  if (parley_i2c_put(expander, REG_DIRECTION, (uint8_t)~(LED_LIGHT | LED_DOOR)) != ESP_OK) {
    ESP_LOGW(TAG, "LEDs not set up");
  }
}

static esp_err_t start(void) {
  i2c_master_bus_handle_t bus = NULL;
  esp_err_t err = parley_i2c_bus(I2C_PORT, I2C_DATA, I2C_CLOCK, &bus);
  if (err != ESP_OK) {
    return err;
  }
  start_leds(bus);
  return parley_codec_open(&wiring, bus, I2C_PORT);
}

static void show(const parley_device_t *device) {
  parley_codec_volume(device->volume);
  set_leds((uint8_t)((device->light ? LED_LIGHT : 0) | (device->door_open ? LED_DOOR : 0)));
}

const parley_board_driver_t parley_board = {.name = "korvo2",
                                            .channels = 2,
                                            .start = start,
                                            .capture = parley_codec_capture,
                                            .play = parley_codec_play,
                                            .microphone = parley_codec_microphone,
                                            .show = show};
