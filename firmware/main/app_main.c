/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the board together and gives the core its task. All that happens is: take a letter, step, wait as long as the
 * core says. Only what the board cannot be without stops it here; no sound, no network or no settings are conditions
 * the core and the user can see and live with. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_flash.h"
#include "esp_heap_caps.h"
#include "esp_idf_version.h"
#include "esp_log.h"
#include "esp_psram.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "nvs_flash.h"
#include "parley_core.h"
#include "parley_port.h"

enum {
  CORE_STACK = 8 * 1024, /* internal: the core writes to NVS */
  CORE_PRIORITY = 9,
  LAST_WORDS_MS = 300, /* for the console to empty itself before a restart */
};

static const char *const TAG = "main";
static char build[17];
static parley_board_t board;
static esp_timer_handle_t restart_timer;

static uint32_t chance(void *ctx) {
  (void)ctx;
  return esp_random();
}

static void restart_now(void *unused) {
  (void)unused;
  esp_restart();
}

static void restart(void *ctx) {
  (void)ctx;
  if (esp_timer_start_once(restart_timer, (uint64_t)LAST_WORDS_MS * 1000) == ESP_ERR_INVALID_ARG) {
    esp_restart(); /* no timer; asked twice is ESP_ERR_INVALID_STATE and needs nothing */
  }
}

static const parley_port_t port = {.console_write = parley_console_write,
                                   .random = chance,
                                   .kv_get_number = parley_store_get_number,
                                   .kv_get_text = parley_store_get_text,
                                   .kv_set_number = parley_store_set_number,
                                   .kv_set_text = parley_store_set_text,
                                   .wifi_join = parley_network_join,
                                   .wifi_leave = parley_network_leave,
                                   .wifi_scan = parley_network_scan,
                                   .http_post = parley_https_post,
                                   .http_cancel = parley_https_cancel,
                                   .peer_open = parley_peer_open,
                                   .peer_answer = parley_peer_answer,
                                   .peer_send = parley_peer_send,
                                   .peer_close = parley_peer_close,
                                   .speaker_flush = parley_audio_flush,
                                   .device_apply = parley_device_apply,
                                   .load_sample = parley_load_sample,
                                   .sound_test = parley_sound_test,
                                   .restart = restart};

/* ---- what this board is
 * ------------------------------------------------------------------------------------------------- */

static const char *reset_name(void) {
  switch (esp_reset_reason()) {
  case ESP_RST_POWERON: return "power_on";
  case ESP_RST_SW: return "software";
  case ESP_RST_PANIC: return "panic";
  case ESP_RST_INT_WDT:
  case ESP_RST_TASK_WDT:
  case ESP_RST_WDT: return "watchdog";
  case ESP_RST_BROWNOUT: return "brownout";
  case ESP_RST_USB: return "usb";
  default: return "other";
  }
}

static void describe_board(void) {
  uint32_t flash_bytes = 0;
  if (esp_flash_get_size(NULL, &flash_bytes) != ESP_OK) {
    flash_bytes = 0;
  }
  (void)esp_app_get_elf_sha256(build, sizeof build); /* as many digits as fit */
  board = (parley_board_t){.board = parley_board.name,
                           .idf = esp_get_idf_version(),
                           .build = build,
                           .reset = reset_name(),
                           .psram_bytes = (uint32_t)esp_psram_get_size(),
                           .flash_bytes = flash_bytes};
}

/* ---- the owner of the core
 * ------------------------------------------------------------------------------------------------ */

static uint64_t now_ms(void) {
  return (uint64_t)esp_timer_get_time() / 1000;
}

static uint32_t step(parley_core_t *core, parley_event_kind_t kind) {
  const parley_event_t event = {.kind = kind};
  return parley_core_step(core, &event, now_ms());
}

static void tell_drops(void) {
  static uint32_t told;
  uint32_t drops = parley_mailbox_drops();
  if (drops != told) {
    ESP_LOGW(TAG, "%u events dropped so far", (unsigned)drops);
    told = drops;
  }
}

static void own_core(void *memory) {
  parley_mailbox_owner(xTaskGetCurrentTaskHandle());
  parley_core_t *core = parley_core_init(memory, parley_core_size(), &port, &board);
  if (core == NULL) {
    ESP_LOGE(TAG, "the core cannot be made");
    abort();
  }
  uint32_t wait_ms = step(core, PARLEY_EV_BOOT);
  for (;;) {
    parley_letter_t *letter = parley_mailbox_take(wait_ms);
    if (letter == NULL) {
      wait_ms = step(core, PARLEY_EV_TICK);
    } else {
      wait_ms = parley_core_step(core, &letter->event, now_ms());
      parley_mailbox_free(letter);
    }
    tell_drops();
  }
}

/* ---- start
 * ------------------------------------------------------------------------------------------------------------------ */

/* The system's own partition, for the radio's calibration: it holds nothing of the user, so it may be made anew. */
static esp_err_t open_system_nvs(void) {
  esp_err_t err = nvs_flash_init();
  if (err == ESP_ERR_NVS_NO_FREE_PAGES || err == ESP_ERR_NVS_NEW_VERSION_FOUND) {
    err = nvs_flash_erase();
    if (err == ESP_OK) {
      err = nvs_flash_init();
    }
  }
  return err;
}

/* True: there; false: said in the log, and the board goes on without it. */
static bool have(const char *what, esp_err_t err) {
  if (err != ESP_OK) {
    ESP_LOGE(TAG, "%s: %s", what, esp_err_to_name(err));
  }
  return err == ESP_OK;
}

static void must_have(const char *what, esp_err_t err) {
  if (!have(what, err)) {
    abort(); /* the panic text and the next boot record tell of it */
  }
}

static void start_network(void) {
  char name[33];
  size_t length = 0;
  if (parley_store_get_text(NULL, "dev_name", name, sizeof name, &length) != PARLEY_KV_OK || length == 0) {
    strlcpy(name, "Parley", sizeof name);
  }
  (void)have("network", parley_network_start(name));
}

void app_main(void) {
  const esp_timer_create_args_t timer = {.callback = restart_now, .name = "restart"};
  must_have("mailbox", parley_mailbox_open());
  must_have("console", parley_console_start());
  must_have("timer", esp_timer_create(&timer, &restart_timer));
  (void)have("system NVS", open_system_nvs());
  (void)have("settings", parley_store_open());
  describe_board();
  must_have("device", parley_device_start());
  must_have("load", parley_load_start());
  must_have("https", parley_https_start());
  must_have("audio", parley_audio_start());
  must_have("peer", parley_peer_start());
  start_network();
  void *memory =
      heap_caps_aligned_calloc(_Alignof(max_align_t), 1, parley_core_size(), MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  must_have("memory for the core", memory == NULL ? ESP_ERR_NO_MEM : ESP_OK);
  must_have("core", xTaskCreatePinnedToCore(own_core, "core", CORE_STACK, memory, CORE_PRIORITY, NULL, 0) == pdPASS
                        ? ESP_OK
                        : ESP_ERR_NO_MEM);
}
