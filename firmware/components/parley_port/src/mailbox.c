/* SPDX-License-Identifier: Apache-2.0 */
/* Letters to the core: one block of PSRAM each, bounded in number and in bytes. A block, not a fixed slot, because an
 * event of the data channel has any size up to 100 kB and most have 200 bytes. Measurements are dropped first, so that
 * news which the core waits for (an answer, the end of a connection) finds room. */
#include <stdatomic.h>
#include <string.h>

#include "esp_heap_caps.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "parley_port.h"

enum {
  LETTERS_MAX = 64,
  LETTERS_KEPT = 16, /* places that measurements leave free */
  LETTERS_LAST = 4,  /* places that only answers and ends may take: the core waits for them */
  IN_FLIGHT_MAX = 384 * 1024,
  SMALL_BYTES = 1024, /* a letter that is never refused for its size */
  WAIT_MS = 1000,
  WAIT_STEP_MS = 5,
};

static QueueHandle_t letters;
static TaskHandle_t owner_task;
static atomic_uint bytes_in_flight;
static atomic_uint dropped;

typedef struct {
  parley_letter_t letter;
  size_t size;
} block_t;

esp_err_t parley_mailbox_open(void) {
  letters = xQueueCreate(LETTERS_MAX, sizeof(block_t *));
  return letters == NULL ? ESP_ERR_NO_MEM : ESP_OK;
}

void parley_mailbox_owner(TaskHandle_t owner) {
  owner_task = owner;
}

uint32_t parley_mailbox_drops(void) {
  return atomic_load(&dropped);
}

/* The texts of an event, so that copying is one loop for every kind. */
static size_t texts_of(parley_event_t *event, parley_text_t *texts[2]) {
  switch (event->kind) {
  case PARLEY_EV_CONSOLE: texts[0] = &event->as.text; return 1;
  case PARLEY_EV_WIFI_UP: texts[0] = &event->as.wifi.ip; return 1;
  case PARLEY_EV_WIFI_NETWORK: texts[0] = &event->as.network.ssid; return 1;
  case PARLEY_EV_HTTP_DONE:
    texts[0] = &event->as.http.body;
    texts[1] = &event->as.http.location;
    return 2;
  case PARLEY_EV_PEER_OFFER:
  case PARLEY_EV_CHANNEL_TEXT: texts[0] = &event->as.peer.text; return 1;
  default: return 0;
  }
}

static size_t structs_size(const parley_event_t *event) {
  switch (event->kind) {
  case PARLEY_EV_LOAD: return sizeof(parley_load_t) + event->as.load->task_count * sizeof(parley_task_load_t);
  case PARLEY_EV_MEDIA: return sizeof(parley_media_t);
  case PARLEY_EV_LEVEL: return sizeof(parley_level_t);
  case PARLEY_EV_SOUND: return sizeof(parley_sound_t);
  default: return 0;
  }
}

/* `to` is aligned for any of these structs: it follows block_t. */
static void copy_structs(parley_event_t *event, uint8_t *to) {
  switch (event->kind) {
  case PARLEY_EV_LOAD: {
    parley_load_t *load = (parley_load_t *)(void *)to;
    *load = *event->as.load;
    if (load->task_count > 0) {
      parley_task_load_t *tasks = (parley_task_load_t *)(void *)(load + 1);
      memcpy(tasks, event->as.load->tasks, load->task_count * sizeof *tasks);
      load->tasks = tasks;
    }
    event->as.load = load;
    break;
  }
  case PARLEY_EV_MEDIA:
    memcpy(to, event->as.media, sizeof(parley_media_t));
    event->as.media = (const parley_media_t *)(const void *)to;
    break;
  case PARLEY_EV_LEVEL:
    memcpy(to, event->as.level, sizeof(parley_level_t));
    event->as.level = (const parley_level_t *)(const void *)to;
    break;
  case PARLEY_EV_SOUND:
    memcpy(to, event->as.sound, sizeof(parley_sound_t));
    event->as.sound = (const parley_sound_t *)(const void *)to;
    break;
  default: break;
  }
}

static block_t *write_letter(const parley_event_t *event) {
  parley_event_t copy = *event;
  parley_text_t *texts[2] = {NULL, NULL};
  size_t count = texts_of(&copy, texts);
  size_t structs = structs_size(event);
  size_t size = sizeof(block_t) + structs;
  for (size_t i = 0; i < count; i++) {
    size += texts[i]->length + 1;
  }
  if (atomic_fetch_add(&bytes_in_flight, size) + size > IN_FLIGHT_MAX && size > SMALL_BYTES) {
    atomic_fetch_sub(&bytes_in_flight, size);
    return NULL;
  }
  block_t *block = heap_caps_malloc(size, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (block == NULL) {
    atomic_fetch_sub(&bytes_in_flight, size);
    return NULL;
  }
  uint8_t *end = (uint8_t *)(block + 1);
  copy_structs(&copy, end);
  end += structs;
  for (size_t i = 0; i < count; i++) {
    if (texts[i]->length > 0) {
      memcpy(end, texts[i]->bytes, texts[i]->length);
    }
    end[texts[i]->length] = 0;
    texts[i]->bytes = (const char *)end;
    end += texts[i]->length + 1;
  }
  block->letter.event = copy;
  block->size = size;
  return block;
}

/* How many places have to be left over for this kind to be taken. */
static UBaseType_t places_to_keep(parley_event_kind_t kind) {
  switch (kind) {
  case PARLEY_EV_LEVEL:
  case PARLEY_EV_MEDIA:
  case PARLEY_EV_LOAD:
  case PARLEY_EV_WIFI_NETWORK: return LETTERS_KEPT;
  case PARLEY_EV_CONSOLE:
  case PARLEY_EV_CHANNEL_TEXT:
  case PARLEY_EV_SPEAKER: return LETTERS_LAST;
  default: return 0;
  }
}

/* The core may not wait for itself, and a measurement is not worth it. Anybody else may, for a moment: the core is
 * busy, not gone. */
static bool await_place(parley_event_kind_t kind) {
  UBaseType_t keep = places_to_keep(kind);
  bool at_once = keep == LETTERS_KEPT || xTaskGetCurrentTaskHandle() == owner_task;
  for (int waited_ms = 0; uxQueueSpacesAvailable(letters) <= keep; waited_ms += WAIT_STEP_MS) {
    if (at_once || waited_ms >= WAIT_MS) {
      return false;
    }
    vTaskDelay(pdMS_TO_TICKS(WAIT_STEP_MS));
  }
  return true;
}

bool parley_mailbox_post(const parley_event_t *event) {
  block_t *block = await_place(event->kind) ? write_letter(event) : NULL;
  if (block != NULL) {
    if (xQueueSend(letters, &block, 0) == pdTRUE) { /* another task may have been faster */
      return true;
    }
    parley_mailbox_free(&block->letter);
  }
  atomic_fetch_add(&dropped, 1);
  return false;
}

parley_letter_t *parley_mailbox_take(uint32_t wait_ms) {
  block_t *block = NULL;
  /* pdMS_TO_TICKS multiplies in 32 bits: an hour is safe at 1,000 Hz, and a tick too many does no harm. */
  const uint32_t longest_ms = 3600 * 1000;
  TickType_t ticks = wait_ms == UINT32_MAX ? portMAX_DELAY : pdMS_TO_TICKS(wait_ms < longest_ms ? wait_ms : longest_ms);
  return xQueueReceive(letters, &block, ticks) == pdTRUE ? &block->letter : NULL;
}

void parley_mailbox_free(parley_letter_t *letter) {
  block_t *block = (block_t *)letter; /* the letter is its block's first member */
  size_t size = block->size;
  memset(block, 0, size); /* an answer of the service holds a short-lived secret, a command line may hold a password */
  heap_caps_free(block);
  atomic_fetch_sub(&bytes_in_flight, size);
}
