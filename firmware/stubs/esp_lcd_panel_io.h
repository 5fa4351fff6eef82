/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
typedef int esp_lcd_spi_bus_handle_t;
typedef struct esp_lcd_panel_io_t *esp_lcd_panel_io_handle_t;
typedef struct {
  int cs_gpio_num;
  int dc_gpio_num;
  int spi_mode;
  unsigned int pclk_hz;
  size_t trans_queue_depth;
  int lcd_cmd_bits;
  int lcd_param_bits;
} esp_lcd_panel_io_spi_config_t;
esp_err_t esp_lcd_new_panel_io_spi(esp_lcd_spi_bus_handle_t bus, const esp_lcd_panel_io_spi_config_t *io_config,
                                   esp_lcd_panel_io_handle_t *ret_io);
esp_err_t esp_lcd_panel_io_tx_param(esp_lcd_panel_io_handle_t io, int lcd_cmd, const void *param, size_t param_size);
esp_err_t esp_lcd_panel_io_tx_color(esp_lcd_panel_io_handle_t io, int lcd_cmd, const void *color, size_t color_size);
