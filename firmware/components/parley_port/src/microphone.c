/* SPDX-License-Identifier: Apache-2.0 */
/* Sound to packets. Task `mic` reads the board and feeds the echo canceller (esp-sr's AFE) or, without it, a plain
 * buffer; task `voice` takes the clean sound out again, gates, mutes, measures and encodes it. Two tasks, because the
 * canceller's output waits for its input and the encoder's stack must live in PSRAM, while the canceller is made on an
 * internal one.
 *
 * A call has a number. `mic` prepares and says READY, `voice` resets what it owns and says FEED; both leave their loops
 * when the number changes or ACTIVE goes, so an end and a begin in quick succession cannot strand one of them. */
#include <stdatomic.h>
#include <string.h>

#include "esp_afe_sr_models.h"
#include "esp_heap_caps.h"
#include "esp_log.h"
#include "esp_opus_enc.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"
#include "freertos/idf_additions.h"
#include "freertos/queue.h"
#include "freertos/stream_buffer.h"
#include "sound.h"

enum {
  MIC_STACK = 8 * 1024,    /* internal: makes the AFE */
  VOICE_STACK = 40 * 1024, /* the Opus encoder; in PSRAM */
  ACTIVE = 1 << 0,
  READY = 1 << 1,
  FEED = 1 << 2,
  QUEUE_MAX = 8,
  FEED_SAMPLES_MAX = 2048,
  PLAIN_BYTES = PARLEY_SAMPLE_RATE * 2 / 2, /* half a second */
  WAIT_MS = 100,
  GATE_TAIL_MS = 300, /* the room goes on sounding */
  LEVEL_EVERY = 200 / PARLEY_FRAME_MS,
  BITRATE = 32000,
  COMPLEXITY = 3,
};

static const char *const TAG = "microphone";
static EventGroupHandle_t phase;
static QueueHandle_t packets;
static StreamBufferHandle_t plain;
static atomic_uint call_number;
static atomic_int wanted_echo, wanted_gain_db;
static atomic_bool is_muted, is_gated;

/* Made once by `mic` and kept: making it again for each call would fragment the PSRAM. */
static const esp_afe_sr_iface_t *afe;
static esp_afe_sr_data_t *afe_data;
static atomic_bool uses_afe;

static bool goes_on(unsigned call) {
  return (xEventGroupGetBits(phase) & ACTIVE) != 0 && atomic_load(&call_number) == call;
}

/* ---- task `mic`
 * ------------------------------------------------------------------------------------------------------------ */

static bool make_afe(void) {
  static bool fits;
  if (afe_data != NULL) {
    return fits;
  }
  afe_config_t *config = afe_config_init("MR", NULL, AFE_TYPE_VC, AFE_MODE_HIGH_PERF);
  if (config == NULL) {
    return false;
  }
  config->aec_init = true;
  config->aec_mode = AEC_MODE_VOIP_HIGH_PERF;
  config->se_init = false;
  config->ns_init = false;
  config->vad_init = false;
  config->wakenet_init = false;
  config->agc_init = false;
  config->memory_alloc_mode = AFE_MEMORY_ALLOC_MORE_PSRAM;
  config->afe_perferred_core = 1;
  afe = esp_afe_handle_from_config(config);
  if (afe != NULL) {
    afe_data = afe->create_from_config(config);
  }
  afe_config_free(config);
  if (afe_data == NULL) {
    return false;
  }
  int chunk = afe->get_feed_chunksize(afe_data) * afe->get_feed_channel_num(afe_data);
  fits = afe->get_feed_channel_num(afe_data) == 2 && chunk > 0 && chunk <= FEED_SAMPLES_MAX;
  return fits;
}

static void prepare(void) {
  int echo = atomic_load(&wanted_echo);
  bool has_reference = parley_board.channels == 2;
  bool cancels = echo == PARLEY_ECHO_CANCEL && has_reference && make_afe();
  if (echo == PARLEY_ECHO_CANCEL && !cancels) {
    ESP_LOGW(TAG, "no echo canceller; the microphone is muted while the speaker plays");
  }
  atomic_store(&uses_afe, cancels);
  atomic_store(&is_gated, echo == PARLEY_ECHO_GATE || (echo == PARLEY_ECHO_CANCEL && !cancels));
  parley_board.microphone((int8_t)atomic_load(&wanted_gain_db));
}

/* A canceller without a reference cancels nothing: whoever listens would hear himself. */
static void watch_reference(const int16_t *frame, uint32_t *silent) {
  if (!atomic_load(&uses_afe) || atomic_load(&is_gated) || !parley_speaker_was_loud(100)) {
    return;
  }
  if (parley_reference_is_silent(silent, frame, (size_t)2 * PARLEY_CAPTURE_SAMPLES)) {
    ESP_LOGW(TAG, "the echo reference is silent; the microphone is muted while the speaker plays");
    atomic_store(&is_gated, true);
  }
}

static void feed_afe(const int16_t *frame, size_t *filled) {
  static int16_t chunk[FEED_SAMPLES_MAX];
  size_t chunk_samples = (size_t)afe->get_feed_chunksize(afe_data) * (size_t)afe->get_feed_channel_num(afe_data);
  for (size_t i = 0; i < (size_t)2 * PARLEY_CAPTURE_SAMPLES; i++) {
    chunk[(*filled)++] = frame[i];
    if (*filled == chunk_samples) {
      (void)afe->feed(afe_data, chunk); /* a full ring drops the frame; `voice` is behind then and will catch up */
      *filled = 0;
    }
  }
}

static void feed_plain(int16_t *frame) {
  for (size_t i = 0; i < PARLEY_CAPTURE_SAMPLES; i++) {
    frame[i] = frame[i * parley_board.channels];
  }
  const size_t bytes = PARLEY_CAPTURE_SAMPLES * sizeof(int16_t);
  /* Whole frames or none: half a sample would turn all that follows into noise. */
  if (xStreamBufferSpacesAvailable(plain) >= bytes) {
    (void)xStreamBufferSend(plain, frame, bytes, 0);
  }
}

static void capture_call(unsigned call) {
  static int16_t frame[2 * PARLEY_CAPTURE_SAMPLES];
  size_t filled = 0;
  uint32_t silent = 0;
  while (goes_on(call)) {
    parley_sound_capture(frame);
    if ((xEventGroupGetBits(phase) & FEED) == 0) {
      continue;
    }
    watch_reference(frame, &silent);
    if (atomic_load(&uses_afe)) {
      feed_afe(frame, &filled);
    } else {
      feed_plain(frame);
    }
  }
}

static void capture_forever(void *unused) {
  (void)unused;
  for (;;) {
    (void)xEventGroupWaitBits(phase, ACTIVE, pdFALSE, pdTRUE, portMAX_DELAY);
    unsigned call = atomic_load(&call_number);
    prepare();
    (void)xEventGroupSetBits(phase, READY);
    capture_call(call);
  }
}

/* ---- task `voice`
 * ------------------------------------------------------------------------------------------------------------ */

static void *encoder;
static uint8_t *encoded;
static int encoded_room;
static uint32_t sent_ms;

static void enqueue(const parley_packet_t *packet) {
  static parley_packet_t oldest;
  if (xQueueSend(packets, packet, 0) != pdTRUE) {
    (void)xQueueReceive(packets, &oldest, 0); /* the freshest sound counts */
    (void)xQueueSend(packets, packet, 0);
  }
}

static void encode(int16_t *frame) {
  static parley_packet_t packet;
  esp_audio_enc_in_frame_t in = {.buffer = (uint8_t *)frame, .len = PARLEY_FRAME_SAMPLES * sizeof frame[0]};
  esp_audio_enc_out_frame_t out = {.buffer = encoded, .len = (uint32_t)encoded_room};
  packet.pts = sent_ms;
  sent_ms += PARLEY_FRAME_MS; /* also for a frame that could not be encoded: time goes on */
  if (esp_opus_enc_process(encoder, &in, &out) == ESP_AUDIO_ERR_OK && out.encoded_bytes > 0 &&
      out.encoded_bytes <= PARLEY_PACKET_MAX) {
    packet.length = (uint16_t)out.encoded_bytes;
    memcpy(packet.bytes, encoded, out.encoded_bytes);
    enqueue(&packet);
  }
}

static void tell_level(parley_loudness_t loudness) {
  int16_t microphone_cdb = parley_loudness_cdb(loudness);
  parley_level_t level = {.microphone_cdb = microphone_cdb,
                          .speaker_cdb = parley_speaker_cdb(),
                          .echo_left_cdb =
                              parley_speaker_was_loud(PARLEY_FRAME_MS * LEVEL_EVERY) ? microphone_cdb : -9600};
  parley_event_t event = {.kind = PARLEY_EV_LEVEL, .as.level = &level};
  (void)parley_mailbox_post(&event); /* a drop is counted there */
}

static void finish_frame(int16_t *frame) {
  static parley_loudness_t loudness;
  static int frames;
  parley_loudness_add(&loudness, frame, PARLEY_FRAME_SAMPLES);
  if (++frames >= LEVEL_EVERY) {
    tell_level(loudness);
    loudness = (parley_loudness_t){0};
    frames = 0;
  }
  if (atomic_load(&is_muted) || (atomic_load(&is_gated) && parley_speaker_was_loud(GATE_TAIL_MS))) {
    memset(frame, 0, PARLEY_FRAME_SAMPLES * sizeof frame[0]);
  }
  encode(frame);
}

static void take(const int16_t *samples, size_t count, size_t *filled) {
  static int16_t frame[PARLEY_FRAME_SAMPLES];
  while (count > 0) {
    size_t room = PARLEY_FRAME_SAMPLES - *filled;
    size_t part = count < room ? count : room;
    memcpy(frame + *filled, samples, part * sizeof frame[0]);
    *filled += part;
    samples += part;
    count -= part;
    if (*filled == PARLEY_FRAME_SAMPLES) {
      finish_frame(frame);
      *filled = 0;
    }
  }
}

static void take_clean(size_t *filled) {
  afe_fetch_result_t *result = afe->fetch_with_delay(afe_data, pdMS_TO_TICKS(WAIT_MS));
  if (result != NULL && result->ret_value != ESP_FAIL && result->data_size > 0) {
    take(result->data, (size_t)result->data_size / sizeof(int16_t), filled);
  }
}

static void take_plain(size_t *filled) {
  static int16_t samples[PARLEY_FRAME_SAMPLES];
  size_t bytes = xStreamBufferReceive(plain, samples, sizeof samples, pdMS_TO_TICKS(WAIT_MS));
  take(samples, bytes / sizeof samples[0], filled);
}

static void reset_path(void) {
  if (atomic_load(&uses_afe)) {
    (void)afe->reset_buffer(afe_data); /* old sound left over is at worst 0.1 s of it */
  } else {
    (void)xStreamBufferReset(plain); /* refused only while somebody waits on it: nobody does */
  }
  if (esp_opus_enc_reset(encoder) != ESP_AUDIO_ERR_OK) {
    ESP_LOGW(TAG, "encoder not reset");
  }
  (void)xQueueReset(packets); /* always pdPASS */
  sent_ms = 0;
}

/* By the task itself: nobody promises that opening is content with the stack of app_main. */
static esp_err_t open_encoder(void) {
  esp_opus_enc_config_t config = {.sample_rate = PARLEY_SAMPLE_RATE,
                                  .channel = 1,
                                  .bits_per_sample = 16,
                                  .bitrate = BITRATE,
                                  .frame_duration = ESP_OPUS_ENC_FRAME_DURATION_20_MS,
                                  .application_mode = ESP_OPUS_ENC_APPLICATION_VOIP,
                                  .complexity = COMPLEXITY,
                                  .enable_fec = true,
                                  .enable_dtx = false,
                                  .enable_vbr = true};
  int in_bytes = 0;
  if (esp_opus_enc_open(&config, sizeof config, &encoder) != ESP_AUDIO_ERR_OK ||
      esp_opus_enc_get_frame_size(encoder, &in_bytes, &encoded_room) != ESP_AUDIO_ERR_OK) {
    return ESP_FAIL;
  }
  if (in_bytes != PARLEY_FRAME_SAMPLES * (int)sizeof(int16_t) || encoded_room <= 0) {
    return ESP_ERR_INVALID_SIZE;
  }
  encoded = heap_caps_malloc((size_t)encoded_room, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  return encoded == NULL ? ESP_ERR_NO_MEM : ESP_OK;
}

static void speak_forever(void *unused) {
  (void)unused;
  esp_err_t err = open_encoder();
  if (err != ESP_OK) {
    ESP_LOGE(TAG, "no encoder: %s", esp_err_to_name(err));
    vTaskSuspend(NULL);
  }
  for (;;) {
    (void)xEventGroupWaitBits(phase, ACTIVE | READY, pdFALSE, pdTRUE, portMAX_DELAY);
    unsigned call = atomic_load(&call_number);
    size_t filled = 0;
    reset_path();
    (void)xEventGroupSetBits(phase, FEED);
    while (goes_on(call)) {
      if (atomic_load(&uses_afe)) {
        take_clean(&filled);
      } else {
        take_plain(&filled);
      }
    }
  }
}

/* ---- from the peer
 * -------------------------------------------------------------------------------------------------------------- */

void parley_microphone_begin(parley_echo_t echo, int8_t gain_db) {
  atomic_store(&wanted_echo, echo);
  atomic_store(&wanted_gain_db, gain_db);
  (void)xEventGroupClearBits(phase, READY | FEED);
  atomic_fetch_add(&call_number, 1);
  (void)xEventGroupSetBits(phase, ACTIVE);
}

void parley_microphone_end(void) {
  (void)xEventGroupClearBits(phase, ACTIVE | READY | FEED);
}

bool parley_microphone_take(parley_packet_t *packet) {
  return xQueueReceive(packets, packet, 0) == pdTRUE;
}

void parley_microphone_mute(bool muted) {
  atomic_store(&is_muted, muted);
}

esp_err_t parley_microphone_start(void) {
  phase = xEventGroupCreate();
  packets = xQueueCreateWithCaps(QUEUE_MAX, sizeof(parley_packet_t), MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  plain = xStreamBufferCreateWithCaps(PLAIN_BYTES, 1, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (phase == NULL || packets == NULL || plain == NULL) {
    return ESP_ERR_NO_MEM;
  }
  if (xTaskCreatePinnedToCore(capture_forever, "mic", MIC_STACK, NULL, 16, NULL, 0) != pdPASS ||
      xTaskCreatePinnedToCoreWithCaps(speak_forever, "voice", VOICE_STACK, NULL, 10, NULL, 1,
                                      MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  return ESP_OK;
}
