/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to sound. A queue in PSRAM between the peer and one task that decodes and writes at the speaker's pace. Three
 * packets are gathered before the first is played; what is missing is concealed by the decoder; the clocks of board and
 * service drift apart, so a long queue loses its silent frames, and a full one its oldest. */
#include <stdatomic.h>
#include <string.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_opus_dec.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/idf_additions.h"
#include "freertos/queue.h"
#include "sound.h"

enum {
  STACK = 40 * 1024, /* the Opus decoder; in PSRAM */
  QUEUE_MAX = 32,    /* 640 ms */
  GATHER = 3,
  GATHER_MS = 80,
  LONG_QUEUE = 15,
  WAIT_MS = 25, /* the DMA still holds 40 ms when a packet is late */
  CONCEAL_MAX = 3,
  GAP_MAX = 5, /* frames: more is a pause of the sender, not a loss */
  LOUD_CDB = -5000,
  QUIET_MS = 400,
  LEVEL_MS = 200,
  PCM_SAMPLES_MAX = PARLEY_SAMPLE_RATE / 1000 * 120, /* the longest an Opus packet may hold, RFC 6716, 2.1.4 */
};

static const char *const TAG = "speaker";
static QueueHandle_t packets;
static atomic_bool clear_wanted;
static atomic_uint received, lost, underruns;
static atomic_int level_cdb = -9600;
static atomic_uint loud_ms; /* when, of esp_timer in ms, modulo 2^32; 0: never */

/* Of the task `speaker` only. */
static void *decoder;
static int16_t pcm[PCM_SAMPLES_MAX];
static bool is_playing;
static parley_order_of_sound_t order;
static uint32_t concealed; /* frames since the last packet */
static parley_loudness_t loudness;

static uint32_t now_ms(void) {
  return (uint32_t)(esp_timer_get_time() / 1000);
}

bool parley_speaker_was_loud(uint32_t tail_ms) {
  uint32_t when = atomic_load(&loud_ms);
  return parley_is_within(now_ms(), when, tail_ms);
}

int16_t parley_speaker_cdb(void) {
  return (int16_t)atomic_load(&level_cdb);
}

parley_audio_count_t parley_speaker_count(void) {
  return (parley_audio_count_t){
      .received = atomic_load(&received), .lost = atomic_load(&lost), .underruns = atomic_load(&underruns)};
}

/* ---- from the peer
 * ------------------------------------------------------------------------------------------------------- */

bool parley_speaker_hear(const parley_packet_t *packet) {
  static parley_packet_t oldest; /* of the task `peer` only */
  if (xQueueSend(packets, packet, 0) == pdTRUE) {
    return true;
  }
  (void)xQueueReceive(packets, &oldest, 0); /* empty by now: as good */
  return xQueueSend(packets, packet, 0) == pdTRUE;
}

void parley_speaker_clear(void) {
  atomic_store(&clear_wanted, true);
}

/* ---- sound out
 * -------------------------------------------------------------------------------------------------------------- */

static void tell_playing(bool playing) {
  is_playing = playing;
  parley_event_t event = {.kind = PARLEY_EV_SPEAKER, .as.speaker = {.playing = playing}};
  if (!parley_mailbox_post(&event)) {
    ESP_LOGE(TAG, "event lost");
  }
}

static void fall_quiet(void) {
  if (is_playing && !parley_speaker_was_loud(QUIET_MS)) {
    tell_playing(false);
  }
}

static void measure(size_t count) {
  parley_loudness_t frame = {0};
  parley_loudness_add(&frame, pcm, count);
  loudness.squares += frame.squares;
  loudness.count += frame.count;
  if (loudness.count >= PARLEY_SAMPLE_RATE / 1000 * LEVEL_MS) {
    atomic_store(&level_cdb, parley_loudness_cdb(loudness));
    loudness = (parley_loudness_t){0};
  }
  if (parley_loudness_cdb(frame) > LOUD_CDB) {
    uint32_t now = now_ms();
    atomic_store(&loud_ms, now == 0 ? 1 : now);
    if (!is_playing) {
      tell_playing(true);
    }
  }
}

/* Samples decoded; 0: nothing. A missing frame is asked for with an empty packet. */
static size_t decode(const parley_packet_t *packet) {
  static uint8_t nothing[1];
  esp_audio_dec_in_raw_t raw = {.buffer = packet != NULL ? (uint8_t *)packet->bytes : nothing,
                                .len = packet != NULL ? packet->length : 0,
                                .frame_recover =
                                    packet != NULL ? ESP_AUDIO_DEC_RECOVERY_NONE : ESP_AUDIO_DEC_RECOVERY_PLC};
  esp_audio_dec_out_frame_t out = {.buffer = (uint8_t *)pcm, .len = sizeof pcm};
  esp_audio_dec_info_t info = {0};
  if (esp_opus_dec_decode(decoder, &raw, &out, &info) != ESP_AUDIO_ERR_OK) {
    return 0;
  }
  return out.decoded_size <= sizeof pcm ? out.decoded_size / sizeof pcm[0] : 0;
}

static void play(size_t count) {
  measure(count);
  for (size_t done = 0; done < count; done += PARLEY_FRAME_SAMPLES) {
    size_t rest = count - done;
    parley_sound_play(pcm + done, rest < PARLEY_FRAME_SAMPLES ? rest : PARLEY_FRAME_SAMPLES);
  }
}

static void conceal(uint32_t frames) {
  for (uint32_t i = 0; i < frames; i++) {
    /* Opened for frames of any length, the decoder may fill its longest; but one frame is missing. One that conceals
     * nothing gives no samples: silence keeps the pace. */
    for (size_t made = decode(NULL); made < PARLEY_FRAME_SAMPLES; made++) {
      pcm[made] = 0;
    }
    play(PARLEY_FRAME_SAMPLES);
    concealed++;
  }
}

static void play_packet(const parley_packet_t *packet) {
  uint32_t missing = parley_missing_before(&order, packet->pts);
  atomic_fetch_add(&received, 1);
  if (missing > 0 && missing <= GAP_MAX) {
    atomic_fetch_add(&lost, missing);
    if (missing > concealed) {
      conceal(missing - concealed);
    }
  }
  concealed = 0;
  size_t count = decode(packet);
  parley_loudness_t frame = {0};
  parley_loudness_add(&frame, pcm, count);
  bool is_silent = parley_loudness_cdb(frame) <= LOUD_CDB;
  if (count > 0 && !(is_silent && uxQueueMessagesWaiting(packets) > LONG_QUEUE)) {
    play(count);
  }
}

static void clear(void) {
  (void)xQueueReset(packets); /* always pdPASS */
  if (esp_opus_dec_reset(decoder) != ESP_AUDIO_ERR_OK) {
    ESP_LOGW(TAG, "decoder not reset");
  }
  order.has_last = false;
  concealed = 0;
  loudness = (parley_loudness_t){0};
  atomic_store(&level_cdb, -9600);
  if (is_playing) {
    atomic_store(&loud_ms, 0);
    tell_playing(false);
  }
}

static bool cleared(void) {
  if (!atomic_exchange(&clear_wanted, false)) {
    return false;
  }
  clear();
  return true;
}

/* Plays until nothing comes any more. */
static void play_stream(void) {
  static parley_packet_t packet;
  int64_t began_us = esp_timer_get_time();
  while (uxQueueMessagesWaiting(packets) < GATHER && esp_timer_get_time() - began_us < GATHER_MS * 1000) {
    vTaskDelay(pdMS_TO_TICKS(5));
  }
  bool was_dry = false;
  while (!cleared()) {
    if (xQueueReceive(packets, &packet, pdMS_TO_TICKS(WAIT_MS)) == pdTRUE) {
      if (was_dry) {
        atomic_fetch_add(&underruns, 1); /* late, not ended */
        was_dry = false;
      }
      play_packet(&packet);
    } else if (concealed < CONCEAL_MAX && is_playing) {
      was_dry = true;
      conceal(1);
    } else {
      return;
    }
    fall_quiet();
  }
}

/* By the task itself: nobody promises that opening is content with the stack of app_main. */
static bool open_decoder(void) {
  esp_opus_dec_cfg_t config = {
      .sample_rate = PARLEY_SAMPLE_RATE, .channel = 1, .frame_duration = ESP_OPUS_DEC_FRAME_DURATION_INVALID};
  return esp_opus_dec_open(&config, sizeof config, &decoder) == ESP_AUDIO_ERR_OK;
}

static void play_forever(void *unused) {
  (void)unused;
  static parley_packet_t next;
  if (!open_decoder()) {
    ESP_LOGE(TAG, "no decoder");
    vTaskSuspend(NULL);
  }
  for (;;) {
    (void)cleared();
    if (xQueuePeek(packets, &next, pdMS_TO_TICKS(50)) == pdTRUE) {
      play_stream();
    }
    fall_quiet();
  }
}

esp_err_t parley_speaker_start(void) {
  packets = xQueueCreateWithCaps(QUEUE_MAX, sizeof(parley_packet_t), MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (packets == NULL || xTaskCreatePinnedToCoreWithCaps(play_forever, "speaker", STACK, NULL, 15, NULL, 0,
                                                         MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  return ESP_OK;
}
