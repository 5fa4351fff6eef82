/* SPDX-License-Identifier: Apache-2.0 */
/* 128 x 128 pixels on SPI3. Older lots have a GC9107, newer ones an ST7735: another window into the memory and inverted
 * colours, told apart by their id. Commands are those of MIPI DCS, which both obey; the panels' own tuning is left as
 * it comes out of reset. */
#include "codec.h"
#include "driver/gpio.h"
#include "driver/spi_master.h"
#include "esp_lcd_panel_io.h"
#include "esp_log.h"
#include "screen.h"

enum {
  INNER_PORT = 1,
  INNER_DATA = 45,
  INNER_CLOCK = 0,
  LP5562 = 0x30, /* backlight */
  PIN_CLOCK = 15,
  PIN_DATA = 21,
  PIN_DC = 42,
  PIN_SELECT = 14,
  PIN_RESET = 48,
  SPI_HZ = 40 * 1000 * 1000,
  ID_HZ = 8 * 1000 * 1000,
  SIDE = 128,
  ROWS_AT_ONCE = 16,
  DCS_ID = 0x04,
  DCS_SLEEP_OUT = 0x11,
  DCS_INVERT = 0x21,
  DCS_ON = 0x29,
  DCS_COLUMNS = 0x2A,
  DCS_ROWS = 0x2B,
  DCS_WRITE = 0x2C,
  DCS_ORIENTATION = 0x36,
  DCS_PIXEL = 0x3A,
};

typedef struct {
  uint8_t first_column, first_row;
  bool is_inverted;
  uint8_t orientation; /* bit 3: blue first; bits 6 and 7: mirrored */
} panel_t;

static const panel_t gc9107 = {.first_column = 0, .first_row = 32, .is_inverted = false, .orientation = 0x08};
static const panel_t st7735 = {.first_column = 2, .first_row = 3, .is_inverted = true, .orientation = 0xC8};

static const char *const TAG = "screen";
static const panel_t *panel;
static esp_lcd_panel_io_handle_t io;
DMA_ATTR static uint16_t pixels[SIDE * ROWS_AT_ONCE];

static esp_err_t light_up(void) {
  i2c_master_bus_handle_t bus = NULL;
  i2c_master_dev_handle_t led = NULL;
  esp_err_t err = parley_i2c_bus(INNER_PORT, INNER_DATA, INNER_CLOCK, &bus);
  if (err == ESP_OK) {
    err = parley_i2c_device(bus, LP5562, &led);
  }
  /* chip on; own clock; outputs from the registers; white channel */
  static const uint8_t steps[][2] = {{0x00, 0x40}, {0x08, 0x01}, {0x70, 0x00}, {0x0E, 0xC0}};
  for (size_t i = 0; err == ESP_OK && i < sizeof steps / sizeof steps[0]; i++) {
    err = parley_i2c_put(led, steps[i][0], steps[i][1]);
  }
  return err;
}

static esp_err_t reset_panel(void) {
  const gpio_config_t pins = {.pin_bit_mask = 1ULL << PIN_RESET | 1ULL << PIN_SELECT, .mode = GPIO_MODE_OUTPUT};
  esp_err_t err = gpio_config(&pins);
  if (err != ESP_OK) {
    return err;
  }
  (void)gpio_set_level((gpio_num_t)PIN_SELECT, 1); /* these pins are valid: it cannot fail */
  (void)gpio_set_level((gpio_num_t)PIN_RESET, 0);
  vTaskDelay(pdMS_TO_TICKS(10));
  (void)gpio_set_level((gpio_num_t)PIN_RESET, 1);
  vTaskDelay(pdMS_TO_TICKS(120));
  return ESP_OK;
}

/* One wire both ways: eight bits of command, one clock of nothing, then the id. 0: no answer. */
static uint32_t read_id(void) {
  const spi_device_interface_config_t config = {.clock_speed_hz = ID_HZ,
                                                .spics_io_num = -1,
                                                .queue_size = 1,
                                                .command_bits = 8,
                                                .dummy_bits = 1,
                                                .flags = SPI_DEVICE_HALFDUPLEX | SPI_DEVICE_3WIRE};
  spi_device_handle_t device = NULL;
  if (spi_bus_add_device(SPI3_HOST, &config, &device) != ESP_OK) {
    return 0;
  }
  spi_transaction_t question = {.cmd = DCS_ID, .rxlength = 24, .flags = SPI_TRANS_USE_RXDATA};
  const gpio_config_t dc = {.pin_bit_mask = 1ULL << PIN_DC, .mode = GPIO_MODE_OUTPUT};
  uint32_t id = 0;
  if (gpio_config(&dc) == ESP_OK) {
    (void)gpio_set_level((gpio_num_t)PIN_DC, 0);
    (void)gpio_set_level((gpio_num_t)PIN_SELECT, 0);
    if (spi_device_polling_transmit(device, &question) == ESP_OK) {
      id = question.rx_data[0] | (uint32_t)question.rx_data[1] << 8 | (uint32_t)question.rx_data[2] << 16;
    }
    (void)gpio_set_level((gpio_num_t)PIN_SELECT, 1);
  }
  if (spi_bus_remove_device(device) != ESP_OK) {
    ESP_LOGW(TAG, "SPI device stays");
  }
  return id;
}

static const panel_t *panel_of(uint32_t id) {
  uint32_t low = id & 0xFFFF;
  ESP_LOGI(TAG, "panel id %06x", (unsigned)id);
  return low == 0x7683 || low == 0x897C ? &st7735 : &gc9107;
}

static esp_err_t put(int command, const uint8_t *bytes, size_t count) {
  return esp_lcd_panel_io_tx_param(io, command, bytes, count);
}

static esp_err_t wake_panel(void) {
  const uint8_t sixteen_bits = 0x05;
  esp_err_t err = put(DCS_SLEEP_OUT, NULL, 0);
  vTaskDelay(pdMS_TO_TICKS(120));
  if (err == ESP_OK) {
    err = put(DCS_PIXEL, &sixteen_bits, 1);
  }
  if (err == ESP_OK) {
    err = put(DCS_ORIENTATION, &panel->orientation, 1);
  }
  if (err == ESP_OK && panel->is_inverted) {
    err = put(DCS_INVERT, NULL, 0);
  }
  return err == ESP_OK ? put(DCS_ON, NULL, 0) : err;
}

static esp_err_t open_panel(void) {
  const spi_bus_config_t bus = {.mosi_io_num = PIN_DATA,
                                .miso_io_num = -1,
                                .sclk_io_num = PIN_CLOCK,
                                .quadwp_io_num = -1,
                                .quadhd_io_num = -1,
                                .max_transfer_sz = sizeof pixels};
  const esp_lcd_panel_io_spi_config_t config = {.cs_gpio_num = PIN_SELECT,
                                                .dc_gpio_num = PIN_DC,
                                                .pclk_hz = SPI_HZ,
                                                .trans_queue_depth = 2,
                                                .lcd_cmd_bits = 8,
                                                .lcd_param_bits = 8};
  esp_err_t err = spi_bus_initialize(SPI3_HOST, &bus, SPI_DMA_CH_AUTO);
  if (err == ESP_OK) {
    err = reset_panel();
  }
  if (err != ESP_OK) {
    return err;
  }
  panel = panel_of(read_id());
  err = esp_lcd_new_panel_io_spi((esp_lcd_spi_bus_handle_t)SPI3_HOST, &config, &io);
  return err == ESP_OK ? wake_panel() : err;
}

void parley_screen_start(void) {
  esp_err_t err = open_panel();
  if (err == ESP_OK) {
    err = light_up();
  }
  if (err != ESP_OK) {
    ESP_LOGW(TAG, "nothing to see: %s", esp_err_to_name(err));
    io = NULL;
  }
}

/* 5, 6 and 5 bits, high byte first on the wire. */
static uint16_t colour_of(uint8_t red, uint8_t green, uint8_t blue) {
  uint16_t value = (uint16_t)((red & 0xF8) << 8 | (green & 0xFC) << 3 | blue >> 3);
  return (uint16_t)(value << 8 | value >> 8);
}

static esp_err_t window(int command, int first, int last) {
  const uint8_t bytes[] = {(uint8_t)(first >> 8), (uint8_t)first, (uint8_t)(last >> 8), (uint8_t)last};
  return put(command, bytes, sizeof bytes);
}

static void fill(int left, int top, int width, int height, uint16_t colour) {
  for (int row = top; row < top + height; row += ROWS_AT_ONCE) {
    int rows = top + height - row < ROWS_AT_ONCE ? top + height - row : ROWS_AT_ONCE;
    /* A parameter is sent only after the pixels before it: from here on the buffer is ours again. */
    int column = panel->first_column + left;
    esp_err_t err = window(DCS_COLUMNS, column, column + width - 1);
    if (err == ESP_OK) {
      err = window(DCS_ROWS, panel->first_row + row, panel->first_row + row + rows - 1);
    }
    for (int i = 0; i < width * rows; i++) {
      pixels[i] = colour;
    }
    if (err == ESP_OK) {
      err = esp_lcd_panel_io_tx_color(io, DCS_WRITE, pixels, (size_t)(width * rows) * sizeof pixels[0]);
    }
    if (err != ESP_OK) {
      ESP_LOGW(TAG, "not drawn: %s", esp_err_to_name(err));
      return;
    }
  }
}

void parley_screen_show(const parley_device_t *device) {
  enum { DOOR_LEFT = 44, DOOR_TOP = 34, DOOR_WIDTH = 40, DOOR_HEIGHT = 60, EDGE = 4, BAR = 8 };
  if (io == NULL) {
    return;
  }
  uint16_t ground = device->light ? colour_of(device->red, device->green, device->blue) : colour_of(0, 0, 0);
  uint16_t frame = colour_of(160, 160, 160);
  fill(0, 0, SIDE, SIDE, ground);
  fill(DOOR_LEFT, DOOR_TOP, DOOR_WIDTH, DOOR_HEIGHT, frame);
  if (device->door_open) {
    fill(DOOR_LEFT + EDGE, DOOR_TOP + EDGE, DOOR_WIDTH - 2 * EDGE, DOOR_HEIGHT - EDGE, ground);
  }
  if (device->muted) {
    fill(0, SIDE - BAR, SIDE, BAR, colour_of(255, 0, 0));
  }
}
