/* SPDX-License-Identifier: Apache-2.0 */
/* esp_peer on one task. The library has no thread of its own: everything happens in esp_peer_main_loop(), also its
 * callbacks, and closing from inside a callback waits for itself for ever. So callbacks copy and note, and this task
 * alone opens, feeds, answers and closes, between two turns of the loop. A connection is never reused: a second
 * esp_peer_new_connection() on one handle loses the data channel (esp-webrtc-solution, issue 131). */
#include <inttypes.h>
#include <string.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_peer.h"
#include "esp_peer_default.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/idf_additions.h"
#include "peer_orders.h"
#include "peer_pulse.h"
#include "rules.h"

enum {
  STACK = 25 * 1024, /* DTLS handshake; in PSRAM */
  TURN_MS = 10,
  OFFER_MAX_MS = 10000,
  CONNECT_MAX_MS = 20000,
  SEND_MAX_MS = 5000, /* how long a full data channel may refuse one event */
  MEDIA_EVERY_MS = 2000,
};

/* The one connection; id 0: none. Touched by the task `peer` only. */
typedef struct {
  uint32_t id;
  esp_peer_handle_t handle;
  bool is_offered, is_up, has_channel, wants_channel, is_over;
  parley_net_t why;
  parley_echo_t echo;
  int8_t microphone_db;
  uint16_t stream_id;
  int64_t deadline_us; /* of the step that is under way; 0: none */
  int64_t told_us;
  parley_pulse_t pulse;
  parley_jitter_t jitter;
  uint32_t bytes_up, bytes_down;    /* since told_us */
  parley_audio_count_t began, told; /* the counters run on from call to call */
} connection_t;

static const char *const TAG = "peer";
static const char CHANNEL[] = "oai-events";
static connection_t line;
static parley_order_t *held; /* an event that the full channel refused */
static int64_t held_until_us;

static int64_t after(int64_t ms) {
  return esp_timer_get_time() + ms * 1000;
}

static void tell(parley_event_kind_t kind, uint32_t id, parley_net_t why, const uint8_t *bytes, size_t length) {
  parley_event_t event = {.kind = kind,
                          .as.peer = {.id = id, .why = why, .text = {.bytes = (const char *)bytes, .length = length}}};
  if (!parley_mailbox_post(&event)) {
    ESP_LOGE(TAG, "event %d lost", (int)kind);
  }
}

static void end_with(parley_net_t why) {
  if (!line.is_over) {
    line.is_over = true;
    line.why = why;
  }
}

/* ---- callbacks: inside esp_peer_main_loop(), so on the task `peer`
 * ------------------------------------------------------ */

static void on_up(void) {
  if (line.is_up) {
    return;
  }
  line.is_up = true;
  line.deadline_us = 0;
  line.told_us = esp_timer_get_time();
  if (line.pulse.count == 0) {
    ESP_LOGW(TAG, "datagrams are not seen; a dead peer is noticed by esp_peer alone, after half a minute");
  }
  line.began = line.told = parley_audio_count();
  parley_audio_begin(line.echo, line.microphone_db);
  tell(PARLEY_EV_PEER_UP, line.id, PARLEY_NET_OK, NULL, 0);
}

static int on_state(esp_peer_state_t state, void *unused) {
  (void)unused;
  ESP_LOGI(TAG, "state %d", (int)state);
  switch (state) {
  case ESP_PEER_STATE_CONNECTED: on_up(); break;
  case ESP_PEER_STATE_CONNECT_FAILED: end_with(PARLEY_NET_FAILED); break;
  case ESP_PEER_STATE_DISCONNECTED:
  case ESP_PEER_STATE_CLOSED: end_with(line.is_up ? PARLEY_NET_LOST : PARLEY_NET_FAILED); break;
  case ESP_PEER_STATE_DATA_CHANNEL_CONNECTED:
    line.wants_channel = true; /* SCTP is up; made between two turns */
    break;
  default: break;
  }
  return ESP_PEER_ERR_NONE;
}

static int on_msg(esp_peer_msg_t *message, void *unused) {
  (void)unused;
  if (line.id == 0 || line.is_offered || message->type != ESP_PEER_MSG_TYPE_SDP || message->size <= 0) {
    return ESP_PEER_ERR_NONE;
  }
  line.is_offered = true;
  line.deadline_us = 0; /* the core's HTTP request has its own */
  /* The library counts the final NUL on some roads; it is no part of the text. */
  size_t length = strnlen((const char *)message->data, (size_t)message->size);
  tell(PARLEY_EV_PEER_OFFER, line.id, PARLEY_NET_OK, message->data, length);
  return ESP_PEER_ERR_NONE;
}

static int on_audio_info(esp_peer_audio_stream_info_t *info, void *unused) {
  (void)unused;
  ESP_LOGI(TAG, "sound: codec %d, %" PRIu32 " Hz, %u ch", (int)info->codec, info->sample_rate, info->channel);
  return ESP_PEER_ERR_NONE;
}

static int on_audio_data(esp_peer_audio_frame_t *frame, void *unused) {
  (void)unused;
  static parley_packet_t packet;
  if (line.id == 0 || frame->size <= 0 || frame->size > PARLEY_PACKET_MAX) {
    return ESP_PEER_ERR_NONE; /* closing, or no Opus frame */
  }
  line.bytes_down += (uint32_t)frame->size;
  parley_jitter_add(&line.jitter, esp_timer_get_time(), PARLEY_FRAME_MS * 1000);
  packet.length = (uint16_t)frame->size;
  packet.pts = frame->pts;
  memcpy(packet.bytes, frame->data, (size_t)frame->size);
  (void)parley_audio_hear(&packet); /* full: the oldest is dropped there */
  return ESP_PEER_ERR_NONE;
}

static int on_channel_open(esp_peer_data_channel_info_t *channel, void *unused) {
  (void)unused;
  if (!line.has_channel && channel->label != NULL && strcmp(channel->label, CHANNEL) == 0) {
    line.has_channel = true;
    line.stream_id = channel->stream_id;
    tell(PARLEY_EV_CHANNEL_OPEN, line.id, PARLEY_NET_OK, NULL, 0);
  }
  return ESP_PEER_ERR_NONE;
}

static int on_data(esp_peer_data_frame_t *frame, void *unused) {
  (void)unused;
  if (line.id != 0 && frame->size > 0) {
    tell(PARLEY_EV_CHANNEL_TEXT, line.id, PARLEY_NET_OK, frame->data, (size_t)frame->size);
  }
  return ESP_PEER_ERR_NONE;
}

static int on_channel_close(esp_peer_data_channel_info_t *channel, void *unused) {
  (void)unused;
  (void)channel;
  if (line.id != 0 && line.has_channel) {
    line.has_channel = false;
    tell(PARLEY_EV_CHANNEL_CLOSED, line.id, PARLEY_NET_OK, NULL, 0);
  }
  return ESP_PEER_ERR_NONE;
}

/* ---- opening and closing
 * -------------------------------------------------------------------------------------------------- */

static void close_line(parley_net_t why) {
  uint32_t id = line.id;
  if (line.is_up) {
    parley_audio_end();
  }
  line.id = 0; /* what the library says while it closes concerns nobody */
  if (line.handle != NULL && esp_peer_close(line.handle) != ESP_PEER_ERR_NONE) {
    ESP_LOGE(TAG, "connection not closed cleanly");
  }
  memset(&line, 0, sizeof line);
  if (held != NULL) {
    heap_caps_free(held);
    held = NULL;
  }
  tell(PARLEY_EV_PEER_DOWN, id, why, NULL, 0);
}

static int open_handle(void) {
  /* Sound only: the buffers for video are made small, not left at 0.7 MB. */
  esp_peer_default_cfg_t details = {
      .agent_recv_timeout = 100,
      .data_ch_cfg = {.send_cache_size = 100 * 1024, .recv_cache_size = 100 * 1024},
      .rtp_cfg = {.audio_recv_jitter = {.cache_timeout = 100, .resend_delay = 20, .cache_size = 64 * 1024},
                  .video_recv_jitter = {.cache_size = 4 * 1024},
                  .send_pool_size = 48 * 1024,
                  .send_queue_num = 64},
      .max_candidates = 8};
  esp_peer_cfg_t config = {
      .role = ESP_PEER_ROLE_CONTROLLING,
      .ice_trans_policy = ESP_PEER_ICE_TRANS_POLICY_ALL,
      .audio_info = {.codec = ESP_PEER_AUDIO_CODEC_OPUS, .sample_rate = PARLEY_SAMPLE_RATE, .channel = 1},
      .audio_dir = ESP_PEER_MEDIA_DIR_SEND_RECV,
      .video_dir = ESP_PEER_MEDIA_DIR_NONE,
      .no_auto_reconnect = true, /* it would offer again with a secret that is spent */
      .enable_data_channel = true,
      .manual_ch_create = true,
      .extra_cfg = &details,
      .extra_size = sizeof details,
      .on_state = on_state,
      .on_msg = on_msg,
      .on_audio_info = on_audio_info,
      .on_audio_data = on_audio_data,
      .on_channel_open = on_channel_open,
      .on_data = on_data,
      .on_channel_close = on_channel_close};
  return esp_peer_open(&config, esp_peer_get_default_impl(), &line.handle);
}

static void open_line(const parley_order_t *order) {
  if (order->id == parley_order_close_id()) { /* closed before it was opened */
    tell(PARLEY_EV_PEER_DOWN, order->id, PARLEY_NET_CLOSED, NULL, 0);
    return;
  }
  if (line.id != 0) {
    close_line(PARLEY_NET_CLOSED);
  }
  line = (connection_t){
      .id = order->id, .echo = order->echo, .microphone_db = order->microphone_db, .deadline_us = after(OFFER_MAX_MS)};
  int err = open_handle();
  if (err == ESP_PEER_ERR_NONE) {
    err = esp_peer_new_connection(line.handle);
  }
  if (err != ESP_PEER_ERR_NONE) {
    ESP_LOGE(TAG, "cannot open: %d", err);
    end_with(PARLEY_NET_FAILED);
  }
}

/* ---- the turn
 * ---------------------------------------------------------------------------------------------------------------- */

static void take_answer(parley_order_t *order) {
  esp_peer_msg_t message = {.type = ESP_PEER_MSG_TYPE_SDP, .data = (uint8_t *)order->text, .size = (int)order->length};
  line.deadline_us = after(CONNECT_MAX_MS);
  if (esp_peer_send_msg(line.handle, &message) != ESP_PEER_ERR_NONE) {
    ESP_LOGE(TAG, "answer refused");
    end_with(PARLEY_NET_FAILED);
  }
}

/* False: the channel is full, try again in the next turn. */
static bool send_text(parley_order_t *order) {
  esp_peer_data_frame_t frame = {.type = ESP_PEER_DATA_CHANNEL_STRING,
                                 .stream_id = line.stream_id,
                                 .data = (uint8_t *)order->text,
                                 .size = (int)order->length};
  int err = esp_peer_send_data(line.handle, &frame);
  if (err == ESP_PEER_ERR_WOULD_BLOCK) {
    return false;
  }
  if (err != ESP_PEER_ERR_NONE) {
    ESP_LOGW(TAG, "event of %u bytes not sent: %d", (unsigned)order->length, err);
  }
  return true;
}

/* False: the order stays. */
static bool carry_out(parley_order_t *order) {
  if (order->kind == PARLEY_ORDER_OPEN) {
    open_line(order);
    return true;
  }
  if (order->id != line.id || line.is_over) {
    return true; /* of a connection that is gone */
  }
  if (order->kind == PARLEY_ORDER_ANSWER) {
    take_answer(order);
    return true;
  }
  return send_text(order);
}

static bool retry_held(void) {
  if (held == NULL) {
    return true;
  }
  if (!send_text(held)) {
    if (esp_timer_get_time() > held_until_us) {
      end_with(PARLEY_NET_LOST); /* nobody acknowledges any more */
    }
    return false;
  }
  heap_caps_free(held);
  held = NULL;
  return true;
}

static void take_orders(TickType_t wait) {
  parley_order_t *order = NULL;
  while (retry_held() && (order = parley_order_take(wait)) != NULL) {
    wait = 0;
    if (carry_out(order)) {
      heap_caps_free(order);
    } else {
      held = order;
      held_until_us = after(SEND_MAX_MS);
    }
  }
}

static void create_channel(void) {
  line.wants_channel = false;
  static char label[sizeof CHANNEL];
  memcpy(label, CHANNEL, sizeof CHANNEL);
  esp_peer_data_channel_cfg_t config = {.type = ESP_PEER_DATA_CHANNEL_RELIABLE, .ordered = true, .label = label};
  if (esp_peer_create_data_channel(line.handle, &config) != ESP_PEER_ERR_NONE) {
    ESP_LOGE(TAG, "no data channel");
    end_with(PARLEY_NET_FAILED);
  }
}

static void send_sound(void) {
  static parley_packet_t packet;
  while (parley_audio_say(&packet)) {
    esp_peer_audio_frame_t frame = {.pts = packet.pts, .data = packet.bytes, .size = packet.length};
    if (esp_peer_send_audio(line.handle, &frame) == ESP_PEER_ERR_NONE) {
      line.bytes_up += packet.length;
    }
  }
}

static uint32_t per_second(uint32_t bytes, int64_t elapsed_us) {
  return (uint32_t)((uint64_t)bytes * 8 * 1000000 / (uint64_t)elapsed_us);
}

static void tell_media(int64_t now_us) {
  int64_t elapsed_us = now_us - line.told_us;
  if (elapsed_us < (int64_t)MEDIA_EVERY_MS * 1000) {
    return;
  }
  parley_audio_count_t count = parley_audio_count();
  uint32_t received = count.received - line.told.received, lost = count.lost - line.told.lost;
  parley_media_t media = {.up_bps = per_second(line.bytes_up, elapsed_us),
                          .down_bps = per_second(line.bytes_down, elapsed_us),
                          .loss_permille = (uint16_t)(received + lost == 0 ? 0 : lost * 1000 / (received + lost)),
                          .jitter_ms =
                              (uint16_t)(line.jitter.jitter_us > 9999000 ? 9999 : line.jitter.jitter_us / 1000),
                          .underruns = count.underruns - line.began.underruns};
  parley_event_t event = {.kind = PARLEY_EV_MEDIA, .as.media = &media};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
  line.told = count;
  line.told_us = now_us;
  line.bytes_up = line.bytes_down = 0;
}

static void watch(int64_t now_us) {
  if (line.deadline_us != 0 && now_us > line.deadline_us) {
    end_with(PARLEY_NET_TIMEOUT);
  }
  if (line.is_up && parley_pulse_is_gone(&line.pulse, now_us)) {
    ESP_LOGW(TAG, "nothing came from the peer for 9 s");
    end_with(PARLEY_NET_LOST);
  }
}

static void turn(void) {
  (void)esp_peer_main_loop(line.handle); /* what goes wrong arrives as a state */
  if (parley_pulse_taken()) {
    parley_pulse_hear(&line.pulse, esp_timer_get_time());
  }
  if (line.wants_channel && !line.is_over) {
    create_channel();
  }
  if (line.is_up && !line.is_over) {
    send_sound();
    tell_media(esp_timer_get_time());
  }
  watch(esp_timer_get_time());
}

static void run_forever(void *unused) {
  (void)unused;
  parley_pulse_watch(xTaskGetCurrentTaskHandle());
  /* Once, before the first call: it takes 0.2 s and is kept until reset. */
  if (esp_peer_pre_generate_cert() != ESP_PEER_ERR_NONE) {
    ESP_LOGW(TAG, "no certificate beforehand; the first call makes one");
  }
  for (;;) {
    take_orders(line.id == 0 ? portMAX_DELAY : 0);
    if (line.id != 0 && !line.is_over) {
      turn();
    }
    if (line.id != 0 && line.id == parley_order_close_id()) {
      close_line(PARLEY_NET_CLOSED);
    } else if (line.id != 0 && line.is_over) {
      close_line(line.why);
    } else if (line.id != 0) {
      vTaskDelay(pdMS_TO_TICKS(TURN_MS));
    }
  }
}

esp_err_t parley_peer_start(void) {
  esp_err_t err = parley_orders_open();
  if (err == ESP_OK && xTaskCreatePinnedToCoreWithCaps(run_forever, "peer", STACK, NULL, 18, NULL, 1,
                                                       MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT) != pdPASS) {
    err = ESP_ERR_NO_MEM;
  }
  return err;
}
