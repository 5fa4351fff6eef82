/* SPDX-License-Identifier: Apache-2.0 */
/* One writer. Records, replies and the log of every task go through one ring, a line an item, and one task hands them
 * to the driver of the primary console: nothing is mixed. A full ring drops whole lines and says how many; a lost
 * record also shows as a gap in its number. Only text that closed libraries print past the log can stand between two
 * lines. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/ringbuf.h"
#include "parley_port.h"
#include "sdkconfig.h"

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG
#include "driver/usb_serial_jtag.h"
#include "driver/usb_serial_jtag_vfs.h"
#else
#include "driver/uart.h"
#include "driver/uart_vfs.h"
#endif

enum {
  RING_BYTES = 32 * 1024,
  LOG_LINE_MAX = 320, /* stands on the stack of whoever logs */
  DRIVER_RX_BYTES = 4096,
  DRIVER_TX_BYTES = 8192, /* more than one record: a record enters the driver in one piece */
  READ_BYTES = 256,
  READ_WAIT_MS = 20,
  HOST_WAIT_MS = 50,    /* a USB host that is there takes its bytes within a frame or two */
  HOST_START_MS = 5000, /* after a reset the host has to find the port again: the boot record waits for it */
  WRITER_STACK = 3072,
  READER_STACK = 3072,
};

static const char *const TAG = "console";
static RingbufHandle_t ring;
static atomic_uint lines_lost;

/* ---- the two drivers
 * --------------------------------------------------------------------------------------------------- */

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG

static esp_err_t driver_start(void) {
  usb_serial_jtag_driver_config_t config = {.tx_buffer_size = DRIVER_TX_BYTES, .rx_buffer_size = DRIVER_RX_BYTES};
  esp_err_t err = usb_serial_jtag_driver_install(&config);
  if (err == ESP_OK) {
    usb_serial_jtag_vfs_use_driver(); /* printf of libraries takes the driver's road too */
  }
  return err;
}

static int driver_read(uint8_t *bytes) {
  return usb_serial_jtag_read_bytes(bytes, READ_BYTES, pdMS_TO_TICKS(READ_WAIT_MS));
}

/* Nobody reads a board that hangs on a charger: its lines are dropped at once, they must not wait one by one. */
static bool driver_write(const char *bytes, size_t length) {
  while (!usb_serial_jtag_is_connected() && esp_log_timestamp() < HOST_START_MS) {
    vTaskDelay(pdMS_TO_TICKS(READ_WAIT_MS));
  }
  return usb_serial_jtag_is_connected() &&
         usb_serial_jtag_write_bytes(bytes, length, pdMS_TO_TICKS(HOST_WAIT_MS)) == (int)length;
}

#else

static esp_err_t driver_start(void) {
  esp_err_t err = uart_driver_install(UART_NUM_0, DRIVER_RX_BYTES, DRIVER_TX_BYTES, 0, NULL, 0);
  if (err == ESP_OK) {
    uart_vfs_dev_use_driver(UART_NUM_0);
  }
  return err;
}

static int driver_read(uint8_t *bytes) {
  return uart_read_bytes(UART_NUM_0, bytes, READ_BYTES, pdMS_TO_TICKS(READ_WAIT_MS));
}

static bool driver_write(const char *bytes, size_t length) {
  return uart_write_bytes(UART_NUM_0, bytes, length) == (int)length;
}

#endif

/* ---- lines out
 * ------------------------------------------------------------------------------------------------------------ */

static void put(const char *line, size_t length) {
  if (length > 0 && xRingbufferSend(ring, line, length, 0) != pdTRUE) {
    atomic_fetch_add(&lines_lost, 1);
  }
}

void parley_console_write(void *ctx, const char *line, size_t length) {
  (void)ctx;
  put(line, length);
}

static int log_line(const char *format, va_list arguments) {
  char line[LOG_LINE_MAX];
  int length = vsnprintf(line, sizeof line, format, arguments);
  if (length >= (int)sizeof line) {
    length = sizeof line - 1;
    line[length - 1] = '\n';
  }
  if (length > 0) {
    put(line, (size_t)length);
  }
  return length;
}

static bool tell_losses(void) {
  char line[64];
  unsigned lost = atomic_exchange(&lines_lost, 0);
  if (lost == 0) {
    return true;
  }
  int length = snprintf(line, sizeof line, "\nW (%u) %s: %u lines lost\n", (unsigned)esp_log_timestamp(), TAG, lost);
  return driver_write(line, (size_t)length);
}

static void write_forever(void *unused) {
  (void)unused;
  bool at_line_start = true;
  for (;;) {
    size_t length = 0;
    char *line = xRingbufferReceive(ring, &length, portMAX_DELAY);
    if (line == NULL) {
      continue;
    }
    /* A record must begin its line, also after a log text that had no newline. */
    bool is_record = line[0] == '\x1e';
    if ((!is_record || at_line_start || driver_write("\n", 1)) && driver_write(line, length)) {
      at_line_start = line[length - 1] == '\n';
      at_line_start = tell_losses() && at_line_start;
    } else {
      atomic_fetch_add(&lines_lost, 1);
      at_line_start = false;
    }
    vRingbufferReturnItem(ring, line);
  }
}

/* ---- bytes in
 * --------------------------------------------------------------------------------------------------------------- */

static void read_forever(void *unused) {
  (void)unused;
  static uint8_t bytes[READ_BYTES];
  for (;;) {
    int count = driver_read(bytes);
    if (count > 0) {
      parley_event_t event = {.kind = PARLEY_EV_CONSOLE,
                              .as.text = {.bytes = (const char *)bytes, .length = (size_t)count}};
      (void)parley_mailbox_post(&event); /* a drop is counted there */
      memset(bytes, 0, sizeof bytes);    /* a command may hold a password or a token */
    } else if (count < 0) {
      vTaskDelay(pdMS_TO_TICKS(READ_WAIT_MS)); /* the driver refused at once: no busy loop */
    }
  }
}

esp_err_t parley_console_start(void) {
  ring = xRingbufferCreateWithCaps(RING_BYTES, RINGBUF_TYPE_NOSPLIT, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (ring == NULL) {
    return ESP_ERR_NO_MEM;
  }
  esp_err_t err = driver_start();
  if (err != ESP_OK) {
    return err;
  }
  if (xTaskCreatePinnedToCore(write_forever, "console_out", WRITER_STACK, NULL, 6, NULL, 0) != pdPASS ||
      xTaskCreatePinnedToCore(read_forever, "console_in", READER_STACK, NULL, 7, NULL, 0) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  (void)esp_log_set_vprintf(log_line);
  return ESP_OK;
}
