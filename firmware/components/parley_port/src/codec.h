/* SPDX-License-Identifier: Apache-2.0 */
/* ES8311 (and ES7210) over I2C and I2S, for the boards that have them. One board is in an image, so there is one codec.
 */
#ifndef PARLEY_CODEC_H
#define PARLEY_CODEC_H

#include "driver/i2c_master.h"
#include "parley_port.h"

typedef struct {
  int8_t master_clock, bit_clock, word_select, to_codec, from_codec; /**< GPIO; -1: not wired */
  int8_t amplifier;                                                  /**< GPIO; -1: not on one */
  bool has_es7210; /**< microphones and reference on an ADC of their own, four slots; else all on the ES8311 */
} parley_codec_wiring_t;

/** A bus with the chip's weak pull-ups; the boards have their own resistors. */
esp_err_t parley_i2c_bus(int port, int data, int clock, i2c_master_bus_handle_t *bus);
esp_err_t parley_i2c_device(i2c_master_bus_handle_t bus, uint8_t address, i2c_master_dev_handle_t *device);
esp_err_t parley_i2c_put(i2c_master_dev_handle_t device, uint8_t reg, uint8_t value);

esp_err_t parley_codec_open(const parley_codec_wiring_t *wiring, i2c_master_bus_handle_t bus, int port);
bool parley_codec_capture(int16_t *frame);
bool parley_codec_play(const int16_t *samples, size_t count);
void parley_codec_microphone(int8_t gain_db);
void parley_codec_volume(uint8_t percent);

#endif
