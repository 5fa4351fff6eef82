/* SPDX-License-Identifier: Apache-2.0 */
/* What the core wants of the peer, on its way to the peer's task: bounded, copied, in order. Only closing overtakes. */
#include "peer_orders.h"

#include <stdatomic.h>
#include <string.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"

enum { ORDERS_MAX = 24, BYTES_MAX = 64 * 1024 };

static const char *const TAG = "peer";
static QueueHandle_t orders;
static atomic_uint close_id; /* ids are not 0: 0 is "none" */

esp_err_t parley_orders_open(void) {
  orders = xQueueCreate(ORDERS_MAX, sizeof(parley_order_t *));
  return orders == NULL ? ESP_ERR_NO_MEM : ESP_OK;
}

parley_order_t *parley_order_take(TickType_t wait) {
  parley_order_t *order = NULL;
  return xQueueReceive(orders, &order, wait) == pdTRUE ? order : NULL;
}

uint32_t parley_order_close_id(void) {
  return atomic_load(&close_id);
}

static parley_order_t *new_order(parley_order_kind_t kind, uint32_t id, const char *text, size_t length) {
  if (length > BYTES_MAX) {
    return NULL;
  }
  parley_order_t *order = heap_caps_malloc(sizeof(parley_order_t) + length + 1, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (order == NULL) {
    return NULL;
  }
  *order = (parley_order_t){.kind = kind, .id = id, .length = length};
  if (length > 0) {
    memcpy(order->text, text, length);
  }
  order->text[length] = 0;
  return order;
}

static bool give(parley_order_t *order) {
  if (order != NULL && xQueueSend(orders, &order, 0) == pdTRUE) {
    return true;
  }
  ESP_LOGE(TAG, "no room for an order");
  heap_caps_free(order);
  return false;
}

static int64_t number_or(const char *key, parley_type_t type, int64_t otherwise) {
  int64_t value = 0;
  return parley_store_get_number(NULL, key, type, &value) == PARLEY_KV_OK ? value : otherwise;
}

void parley_peer_open(void *ctx, uint32_t id) {
  (void)ctx;
  parley_order_t *order = new_order(PARLEY_ORDER_OPEN, id, NULL, 0);
  if (order != NULL) {
    /* Read here: this is the core's task, which may touch NVS. */
    int64_t echo = number_or("aec", PARLEY_U8, PARLEY_ECHO_CANCEL);
    int64_t gain = number_or("mic_gain", PARLEY_I8, 30);
    order->echo = echo >= PARLEY_ECHO_NONE && echo <= PARLEY_ECHO_GATE ? (parley_echo_t)echo : PARLEY_ECHO_CANCEL;
    order->microphone_db = (int8_t)gain;
  }
  if (!give(order)) {
    parley_event_t event = {.kind = PARLEY_EV_PEER_DOWN, .as.peer = {.id = id, .why = PARLEY_NET_FAILED}};
    (void)parley_mailbox_post(&event); /* a drop is counted there */
  }
}

void parley_peer_answer(void *ctx, uint32_t id, const char *sdp, size_t length) {
  (void)ctx;
  if (!give(new_order(PARLEY_ORDER_ANSWER, id, sdp, length))) {
    atomic_store(&close_id, id); /* without its answer the connection is of no use */
  }
}

void parley_peer_send(void *ctx, uint32_t id, const char *text, size_t length) {
  (void)ctx;
  (void)give(new_order(PARLEY_ORDER_SEND, id, text, length)); /* said in the log */
}

void parley_peer_close(void *ctx, uint32_t id) {
  (void)ctx;
  atomic_store(&close_id, id);
}
