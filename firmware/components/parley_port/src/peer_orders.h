/* SPDX-License-Identifier: Apache-2.0 */
/* Between peer.c and peer_orders.c only. */
#ifndef PARLEY_PEER_ORDERS_H
#define PARLEY_PEER_ORDERS_H

#include "parley_port.h"

typedef enum { PARLEY_ORDER_OPEN, PARLEY_ORDER_ANSWER, PARLEY_ORDER_SEND } parley_order_kind_t;

/** One block of heap: this, then the text with a NUL. Whoever takes it frees it with heap_caps_free(). */
typedef struct {
  parley_order_kind_t kind;
  uint32_t id;
  parley_echo_t echo;   /**< of an opening */
  int8_t microphone_db; /**< of an opening */
  size_t length;
  char text[];
} parley_order_t;

esp_err_t parley_orders_open(void);
/** NULL: nothing came. */
parley_order_t *parley_order_take(TickType_t wait);
/** The connection that shall be closed; 0: none. */
uint32_t parley_order_close_id(void);

#endif
