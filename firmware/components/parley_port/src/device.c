/* SPDX-License-Identifier: Apache-2.0 */
/* What the board shows. I2C and SPI take milliseconds, so a small task does it; only the last wish counts, hence a
 * queue of one that is overwritten. The microphone is muted in the audio path at once, not here. */
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "parley_port.h"

enum { STACK = 4096 };

static QueueHandle_t wish;

static void show_forever(void *unused) {
  (void)unused;
  parley_device_t device;
  for (;;) {
    if (xQueueReceive(wish, &device, portMAX_DELAY) == pdTRUE) {
      parley_board.show(&device);
    }
  }
}

esp_err_t parley_device_start(void) {
  wish = xQueueCreate(1, sizeof(parley_device_t));
  if (wish == NULL || xTaskCreatePinnedToCore(show_forever, "device", STACK, NULL, 4, NULL, 0) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  return ESP_OK;
}

void parley_device_apply(void *ctx, const parley_device_t *device) {
  (void)ctx;
  parley_audio_mute(device->muted);
  (void)xQueueOverwrite(wish, device); /* cannot fail on a queue of one */
}
