/* SPDX-License-Identifier: Apache-2.0 */
/* One sample of the load. Walking the heaps and copying the task list takes milliseconds, so a task of low priority
 * does it. Times are those of FreeRTOS' run-time counter, which ESP-IDF feeds from esp_timer: microseconds in 32 bits,
 * so only differences are used and they survive its wrap after 71 minutes. */
#include <stdlib.h>
#include <string.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "parley_port.h"

enum {
  STACK = 4096,
  ROOM = 48, /* tasks that may exist; uxTaskGetSystemState gives nothing when there are more */
};

typedef struct {
  UBaseType_t number; /* unique for each task since boot */
  uint32_t runtime_us;
} seen_t;

static const char *const TAG = "load";
static TaskHandle_t sampler;
static TaskStatus_t status[ROOM];
static seen_t seen[ROOM];
static size_t seen_count;
static uint32_t seen_at_us;

static uint32_t runtime_before(UBaseType_t number) {
  for (size_t i = 0; i < seen_count; i++) {
    if (seen[i].number == number) {
      return seen[i].runtime_us;
    }
  }
  return 0;
}

static uint16_t permille(uint32_t part, uint32_t whole) {
  uint64_t value = whole == 0 ? 0 : (uint64_t)part * 1000 / whole;
  return value > 1000 ? 1000 : (uint16_t)value;
}

static int busiest_first(const void *left, const void *right) {
  const parley_task_load_t *a = left, *b = right;
  return (int)b->cpu_permille - (int)a->cpu_permille;
}

static int8_t core_of(BaseType_t core) {
  return core == 0 || core == 1 ? (int8_t)core : -1;
}

static parley_heap_t heap_of(uint32_t caps) {
  return (parley_heap_t){.free = (uint32_t)heap_caps_get_free_size(caps),
                         .min_free = (uint32_t)heap_caps_get_minimum_free_size(caps),
                         .largest = (uint32_t)heap_caps_get_largest_free_block(caps)};
}

static void sample(void) {
  static parley_task_load_t tasks[ROOM];
  parley_load_t load = {.core_count = PARLEY_CORES_MAX, .tasks = tasks};
  uint32_t now_us = 0;
  UBaseType_t count = uxTaskGetSystemState(status, ROOM, &now_us);
  if (count == 0) {
    ESP_LOGW(TAG, "more than %d tasks", ROOM);
  }
  uint32_t elapsed_us = now_us - seen_at_us;
  for (UBaseType_t i = 0; i < count; i++) {
    uint32_t spent_us = status[i].ulRunTimeCounter - runtime_before(status[i].xTaskNumber);
    parley_task_load_t *task = &tasks[i];
    *task = (parley_task_load_t){.core = core_of(status[i].xCoreID),
                                 .priority = (uint8_t)status[i].uxCurrentPriority,
                                 .cpu_permille = permille(spent_us, elapsed_us),
                                 .stack_left = (uint32_t)status[i].usStackHighWaterMark * sizeof(StackType_t)};
    strlcpy(task->name, status[i].pcTaskName, sizeof task->name);
    for (BaseType_t core = 0; core < PARLEY_CORES_MAX; core++) {
      if (status[i].xHandle == xTaskGetIdleTaskHandleForCore(core)) {
        load.cpu_permille[core] = (uint16_t)(1000 - task->cpu_permille);
      }
    }
  }
  for (UBaseType_t i = 0; i < count; i++) {
    seen[i] = (seen_t){.number = status[i].xTaskNumber, .runtime_us = status[i].ulRunTimeCounter};
  }
  seen_count = count;
  seen_at_us = now_us;
  qsort(tasks, count, sizeof tasks[0], busiest_first);
  load.task_count = (uint8_t)(count < PARLEY_TASKS_MAX ? count : PARLEY_TASKS_MAX);
  load.heap = heap_of(MALLOC_CAP_INTERNAL | MALLOC_CAP_8BIT);
  load.psram = heap_of(MALLOC_CAP_SPIRAM);
  load.rssi_dbm = parley_network_rssi();
  parley_event_t event = {.kind = PARLEY_EV_LOAD, .as.load = &load};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static void sample_forever(void *unused) {
  (void)unused;
  for (;;) {
    if (ulTaskNotifyTake(pdTRUE, portMAX_DELAY) > 0) {
      sample();
    }
  }
}

esp_err_t parley_load_start(void) {
  return xTaskCreatePinnedToCore(sample_forever, "load", STACK, NULL, 2, &sampler, 0) == pdPASS ? ESP_OK
                                                                                                : ESP_ERR_NO_MEM;
}

void parley_load_sample(void *ctx) {
  (void)ctx;
  xTaskNotifyGive(sampler);
}
