/* SPDX-License-Identifier: Apache-2.0 */
/* What of the port needs no chip: the mailbox, the orders to the peer, the pulse and the rules, over a FreeRTOS of one
 * task in which waiting moves the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "parley_port.h"
#include "peer_orders.h"
#include "peer_pulse.h"
#include "rules.h"

static int checks, failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool holds, const char *text, int line) {
  checks++;
  if (!holds) {
    failures++;
    printf("test/port/main.c:%d: %s\n", line, text);
  }
}

/* ---- a FreeRTOS of one task
 * --------------------------------------------------------------------------------------------- */

struct QueueDefinition {
  UBaseType_t room, size, first, count;
  uint8_t items[64 * 16];
};

struct tskTaskControlBlock {
  int unused;
};

static struct tskTaskControlBlock core_task, other_task;
static TaskHandle_t running = &other_task;
static uint32_t waited_ms;
static size_t heap_left = SIZE_MAX;

TaskHandle_t xTaskGetCurrentTaskHandle(void) {
  return running;
}

void vTaskDelay(const TickType_t ticks) {
  waited_ms += ticks * 1000 / configTICK_RATE_HZ;
}

QueueHandle_t xQueueCreate(UBaseType_t room, UBaseType_t size) {
  QueueHandle_t queue = calloc(1, sizeof *queue);
  if (queue == NULL || room * size > sizeof queue->items) {
    abort();
  }
  queue->room = room;
  queue->size = size;
  return queue;
}

BaseType_t xQueueSend(QueueHandle_t queue, const void *item, TickType_t ticks) {
  (void)ticks;
  if (queue->count == queue->room) {
    return pdFALSE;
  }
  memcpy(queue->items + (queue->first + queue->count) % queue->room * queue->size, item, queue->size);
  queue->count++;
  return pdTRUE;
}

BaseType_t xQueueReceive(QueueHandle_t queue, void *const item, TickType_t ticks) {
  (void)ticks;
  if (queue->count == 0) {
    return pdFALSE;
  }
  memcpy(item, queue->items + queue->first * queue->size, queue->size);
  queue->first = (queue->first + 1) % queue->room;
  queue->count--;
  return pdTRUE;
}

UBaseType_t uxQueueSpacesAvailable(const QueueHandle_t queue) {
  return queue->room - queue->count;
}

void *heap_caps_malloc(size_t size, uint32_t caps) {
  (void)caps;
  return size > heap_left ? NULL : malloc(size);
}

void heap_caps_free(void *block) {
  free(block);
}

parley_kv_t parley_store_get_number(void *ctx, const char *key, int32_t type, int64_t *value) {
  (void)ctx;
  (void)type;
  *value = strcmp(key, "aec") == 0 ? 99 : -3;
  return PARLEY_KV_OK;
}

void esp_log_stub(const char *tag, const char *format, ...) {
  (void)tag, (void)format;
}

static ssize_t next_datagram;
struct sockaddr;
ssize_t __real_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size);
ssize_t __wrap_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size);

ssize_t __real_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size) {
  (void)socket, (void)to, (void)room, (void)flags, (void)from, (void)from_size;
  return next_datagram;
}

/* ---- mailbox
 * ------------------------------------------------------------------------------------------------------------ */

static bool post_text(parley_event_kind_t kind, const char *text, size_t length) {
  parley_event_t event = {.kind = kind, .as.peer = {.id = 7, .text = {.bytes = text, .length = length}}};
  return parley_mailbox_post(&event);
}

static bool post_plain(parley_event_kind_t kind) {
  const parley_level_t level = {.microphone_cdb = -100};
  parley_event_t event = {.kind = kind};
  if (kind == PARLEY_EV_LEVEL) {
    event.as.level = &level;
  }
  return parley_mailbox_post(&event);
}

static int drain(void) {
  int count = 0;
  for (parley_letter_t *letter; (letter = parley_mailbox_take(0)) != NULL; count++) {
    parley_mailbox_free(letter);
  }
  return count;
}

static void a_letter_is_a_copy(void) {
  char text[] = "hello";
  parley_task_load_t task = {.name = "peer", .cpu_permille = 12};
  parley_load_t load = {.core_count = 2, .task_count = 1, .tasks = &task};
  parley_event_t event = {.kind = PARLEY_EV_LOAD, .as.load = &load};
  CHECK(post_text(PARLEY_EV_CHANNEL_TEXT, text, 5) && parley_mailbox_post(&event));
  memset(text, 'x', sizeof text - 1);
  memset(&task, 0, sizeof task);
  memset(&load, 0, sizeof load);
  parley_letter_t *letter = parley_mailbox_take(0);
  CHECK(letter->event.as.peer.id == 7 && strcmp(letter->event.as.peer.text.bytes, "hello") == 0);
  parley_mailbox_free(letter);
  letter = parley_mailbox_take(UINT32_MAX);
  CHECK(letter->event.as.load->task_count == 1 && letter->event.as.load->tasks[0].cpu_permille == 12);
  parley_mailbox_free(letter);
  CHECK(parley_mailbox_take(0) == NULL);
}

static void measurements_leave_room_for_news(void) {
  uint32_t before = parley_mailbox_drops();
  int levels = 0, texts = 0, ends = 0;
  waited_ms = 0;
  while (post_plain(PARLEY_EV_LEVEL)) {
    levels++;
  }
  CHECK(levels == 48 && waited_ms == 0); /* a measurement does not wait */
  while (post_text(PARLEY_EV_CHANNEL_TEXT, "{}", 2)) {
    texts++;
  }
  CHECK(texts == 12 && waited_ms >= 1000); /* news does, for a moment */
  waited_ms = 0;
  running = &core_task;
  while (post_plain(PARLEY_EV_PEER_DOWN)) {
    ends++;
  }
  running = &other_task;
  CHECK(ends == 4 && waited_ms == 0); /* the core never waits for itself */
  CHECK(parley_mailbox_drops() - before == 3);
  CHECK(drain() == 64);
}

static void bytes_are_bounded(void) {
  static char big[100 * 1024];
  int taken = 0;
  while (post_text(PARLEY_EV_CHANNEL_TEXT, big, sizeof big)) {
    taken++;
  }
  CHECK(taken == 3);                              /* of 384 kB */
  CHECK(post_text(PARLEY_EV_PEER_DOWN, NULL, 0)); /* small ones pass */
  CHECK(drain() == 4);
  CHECK(post_text(PARLEY_EV_CHANNEL_TEXT, big, sizeof big)); /* and what was freed may be used again */
  CHECK(drain() == 1);
}

static void no_memory_is_a_drop(void) {
  uint32_t before = parley_mailbox_drops();
  heap_left = 0;
  CHECK(!post_text(PARLEY_EV_CHANNEL_TEXT, "{}", 2));
  heap_left = SIZE_MAX;
  CHECK(parley_mailbox_drops() - before == 1);
  CHECK(post_text(PARLEY_EV_CHANNEL_TEXT, "{}", 2) && drain() == 1);
}

/* ---- orders
 * ------------------------------------------------------------------------------------------------------------- */

static void orders_keep_their_order(void) {
  parley_peer_open(NULL, 1);
  parley_peer_answer(NULL, 1, "v=0", 3);
  parley_peer_send(NULL, 1, "{}", 2);
  parley_order_t *order = parley_order_take(0);
  /* What the settings say is put into range: 99 is no way to treat echo. */
  CHECK(order->kind == PARLEY_ORDER_OPEN && order->echo == PARLEY_ECHO_CANCEL && order->microphone_db == -3);
  heap_caps_free(order);
  order = parley_order_take(0);
  CHECK(order->kind == PARLEY_ORDER_ANSWER && order->length == 3 && strcmp(order->text, "v=0") == 0);
  heap_caps_free(order);
  order = parley_order_take(0);
  CHECK(order->kind == PARLEY_ORDER_SEND && order->id == 1);
  heap_caps_free(order);
  CHECK(parley_order_take(0) == NULL);
}

static void a_lost_order_ends_the_connection(void) {
  static char big[65 * 1024];
  CHECK(parley_order_close_id() != 2);
  parley_peer_answer(NULL, 2, big, sizeof big);
  CHECK(parley_order_close_id() == 2);
  heap_left = 0;
  parley_peer_open(NULL, 3);
  heap_left = SIZE_MAX;
  CHECK(parley_mailbox_take(0) == NULL); /* no memory for the letter either: counted there */
  for (int i = 0; i < 24; i++) {
    parley_peer_send(NULL, 3, "{}", 2);
  }
  parley_peer_open(NULL, 4);
  parley_letter_t *letter = parley_mailbox_take(0);
  CHECK(letter != NULL && letter->event.kind == PARLEY_EV_PEER_DOWN && letter->event.as.peer.id == 4);
  parley_mailbox_free(letter);
  for (parley_order_t *order; (order = parley_order_take(0)) != NULL;) {
    heap_caps_free(order);
  }
}

/* ---- pulse
 * -------------------------------------------------------------------------------------------------------------- */

static void datagrams_of_the_peers_task_count(void) {
  parley_pulse_watch(&other_task);
  next_datagram = -1;
  CHECK(__wrap_lwip_recvfrom(3, NULL, 0, 0, NULL, NULL) == -1 && !parley_pulse_taken());
  next_datagram = 48;
  running = &core_task; /* name look-ups and the like */
  CHECK(__wrap_lwip_recvfrom(3, NULL, 0, 0, NULL, NULL) == 48 && !parley_pulse_taken());
  running = &other_task;
  CHECK(__wrap_lwip_recvfrom(3, NULL, 0, 0, NULL, NULL) == 48 && parley_pulse_taken());
  CHECK(!parley_pulse_taken());
}

static void a_dead_peer_is_noticed_within_ten_seconds(void) {
  const int64_t second = 1000 * 1000;
  parley_pulse_t pulse = {0};
  CHECK(!parley_pulse_is_gone(&pulse, 3600 * second)); /* nothing is counted: no judgement */
  int64_t now = 5 * second;
  for (int i = 0; i < 100; i++, now += 6 * second) { /* binding answers and nothing else */
    CHECK(!parley_pulse_is_gone(&pulse, now));
    parley_pulse_hear(&pulse, now);
  }
  int64_t last = now - 6 * second;
  CHECK(!parley_pulse_is_gone(&pulse, last + 9 * second));
  CHECK(parley_pulse_is_gone(&pulse, last + 10 * second - second / 2));
}

/* ---- sound
 * -------------------------------------------------------------------------------------------------------------- */

static void missing_frames_are_counted(uint32_t unit) {
  parley_order_of_sound_t order = {0};
  uint32_t at = UINT32_MAX - 3 * unit; /* it wraps on the way */
  CHECK(parley_missing_before(&order, at) == 0);
  CHECK(parley_missing_before(&order, at += unit) == 0);
  CHECK(parley_missing_before(&order, at += 3 * unit) == 2);
  CHECK(parley_missing_before(&order, at - unit) == 0); /* late */
  CHECK(parley_missing_before(&order, at) == 0);        /* twice */
  CHECK(parley_missing_before(&order, at += unit) == 0);
  CHECK(parley_missing_before(&order, at += 26 * unit) == 0); /* a pause */
  CHECK(parley_missing_before(&order, at += 2 * unit) == 1);
  CHECK(parley_missing_before(&order, at -= 1000 * unit) == 0); /* a new stream */
  CHECK(parley_missing_before(&order, at += 2 * unit) == 1);
}

static void the_unit_is_learnt_downwards(void) {
  parley_order_of_sound_t order = {0};
  CHECK(parley_missing_before(&order, 0) == 0);
  CHECK(parley_missing_before(&order, 960) == 0); /* three frames of 320 or one of 960 */
  CHECK(parley_missing_before(&order, 1280) == 0);
  CHECK(parley_missing_before(&order, 2240) == 2);
}

static void a_silent_reference_is_found_out(void) {
  int16_t frame[320] = {0};
  uint32_t silent = 0;
  for (int i = 0; i < 160; i++) {
    frame[2 * i] = 5000; /* the microphone does not count */
  }
  for (int i = 0; i < 199; i++) {
    CHECK(!parley_reference_is_silent(&silent, frame, 320));
  }
  frame[319] = -5;
  CHECK(!parley_reference_is_silent(&silent, frame, 320) && silent == 0);
  frame[319] = -4;
  for (int i = 0; i < 199; i++) {
    CHECK(!parley_reference_is_silent(&silent, frame, 320));
  }
  CHECK(parley_reference_is_silent(&silent, frame, 320));
}

static void the_gate_stays_shut_for_its_tail(void) {
  CHECK(!parley_is_within(100, 0, 300)); /* never heard */
  CHECK(parley_is_within(1299, 1000, 300) && !parley_is_within(1300, 1000, 300));
  CHECK(parley_is_within(100, UINT32_MAX - 100, 300)); /* 49 days after the start */
}

static void loudness_is_in_hundredths_of_db(void) {
  int16_t samples[320];
  parley_loudness_t loudness = {0};
  CHECK(parley_loudness_cdb(loudness) == -9600);
  for (int i = 0; i < 320; i++) {
    samples[i] = i % 2 == 0 ? 32767 : -32768;
  }
  parley_loudness_add(&loudness, samples, 320);
  CHECK(parley_loudness_cdb(loudness) == 0);
  for (int i = 0; i < 320; i++) {
    samples[i] = i % 2 == 0 ? 328 : -328;
  }
  loudness = (parley_loudness_t){0};
  parley_loudness_add(&loudness, samples, 320);
  CHECK(parley_loudness_cdb(loudness) < -3990 && parley_loudness_cdb(loudness) > -4010);
}

static void jitter_follows_the_uneven(void) {
  parley_jitter_t even = {0}, uneven = {0};
  for (int i = 1; i < 200; i++) {
    parley_jitter_add(&even, i * 20000, 20000);
    parley_jitter_add(&uneven, i * 20000 + (i % 2) * 5000, 20000);
  }
  CHECK(even.jitter_us == 0);
  CHECK(uneven.jitter_us > 4500 && uneven.jitter_us <= 5000);
}

int main(void) {
  if (parley_mailbox_open() != ESP_OK || parley_orders_open() != ESP_OK) {
    return 2;
  }
  parley_mailbox_owner(&core_task);
  a_letter_is_a_copy();
  measurements_leave_room_for_news();
  bytes_are_bounded();
  no_memory_is_a_drop();
  orders_keep_their_order();
  a_lost_order_ends_the_connection();
  datagrams_of_the_peers_task_count();
  a_dead_peer_is_noticed_within_ten_seconds();
  missing_frames_are_counted(20);
  missing_frames_are_counted(320);
  missing_frames_are_counted(960);
  the_unit_is_learnt_downwards();
  a_silent_reference_is_found_out();
  the_gate_stays_shut_for_its_tail();
  loudness_is_in_hundredths_of_db();
  jitter_follows_the_uneven();
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
