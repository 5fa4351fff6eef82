/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Sizes and offsets of every structure that crosses the C border, for doors in other languages.
 *
 * A ctypes structure that is one byte off corrupts silently; comparing these numbers once makes it a clear error. The
 * order is the law:
 *
 *   parley_text_t       size; bytes length
 *   parley_event_t      size; kind as; as.wifi: ip rssi_dbm reason; as.network: ssid rssi_dbm security channel;
 *                       as.http: id why status body location; as.peer: id why text
 *   parley_port_t       size; ctx console_write random kv_get_number kv_get_text kv_set_number kv_set_text wifi_join
 *                       wifi_leave wifi_scan http_post http_cancel peer_open peer_answer peer_send peer_close
 *                       speaker_flush device_apply load_sample sound_test restart
 *   parley_board_t      size; board idf build reset psram_bytes flash_bytes
 *   parley_http_request_t  size; id url bearer content_type body timeout_ms
 *   parley_device_t     size; light red green blue volume muted door_open
 *   parley_heap_t       size; free min_free largest
 *   parley_load_t       size; core_count cpu_permille heap psram rssi_dbm task_count tasks
 *   parley_task_load_t  size; name core priority cpu_permille stack_left
 *   parley_media_t      size; up_bps down_bps loss_permille jitter_ms round_trip_ms underruns
 *   parley_level_t      size; microphone_cdb speaker_cdb echo_left_cdb
 *   parley_sound_t      size; delay_ms tone_cdb microphone_cdb echo_left_cdb
 *   PARLEY_EV_COUNT
 */
#include "parley_core.h"

size_t parley_host_layout(uint32_t *out, size_t room);

#define AT(type, member) (uint32_t)offsetof(type, member)

size_t parley_host_layout(uint32_t *out, size_t room) {
  static const uint32_t numbers[] = {
      sizeof(parley_text_t),
      AT(parley_text_t, bytes),
      AT(parley_text_t, length),

      sizeof(parley_event_t),
      AT(parley_event_t, kind),
      AT(parley_event_t, as),
      AT(parley_event_t, as.wifi.ip),
      AT(parley_event_t, as.wifi.rssi_dbm),
      AT(parley_event_t, as.wifi.reason),
      AT(parley_event_t, as.network.ssid),
      AT(parley_event_t, as.network.rssi_dbm),
      AT(parley_event_t, as.network.security),
      AT(parley_event_t, as.network.channel),
      AT(parley_event_t, as.http.id),
      AT(parley_event_t, as.http.why),
      AT(parley_event_t, as.http.status),
      AT(parley_event_t, as.http.body),
      AT(parley_event_t, as.http.location),
      AT(parley_event_t, as.peer.id),
      AT(parley_event_t, as.peer.why),
      AT(parley_event_t, as.peer.text),

      sizeof(parley_port_t),
      AT(parley_port_t, ctx),
      AT(parley_port_t, console_write),
      AT(parley_port_t, random),
      AT(parley_port_t, kv_get_number),
      AT(parley_port_t, kv_get_text),
      AT(parley_port_t, kv_set_number),
      AT(parley_port_t, kv_set_text),
      AT(parley_port_t, wifi_join),
      AT(parley_port_t, wifi_leave),
      AT(parley_port_t, wifi_scan),
      AT(parley_port_t, http_post),
      AT(parley_port_t, http_cancel),
      AT(parley_port_t, peer_open),
      AT(parley_port_t, peer_answer),
      AT(parley_port_t, peer_send),
      AT(parley_port_t, peer_close),
      AT(parley_port_t, speaker_flush),
      AT(parley_port_t, device_apply),
      AT(parley_port_t, load_sample),
      AT(parley_port_t, sound_test),
      AT(parley_port_t, restart),

      sizeof(parley_board_t),
      AT(parley_board_t, board),
      AT(parley_board_t, idf),
      AT(parley_board_t, build),
      AT(parley_board_t, reset),
      AT(parley_board_t, psram_bytes),
      AT(parley_board_t, flash_bytes),

      sizeof(parley_http_request_t),
      AT(parley_http_request_t, id),
      AT(parley_http_request_t, url),
      AT(parley_http_request_t, bearer),
      AT(parley_http_request_t, content_type),
      AT(parley_http_request_t, body),
      AT(parley_http_request_t, timeout_ms),

      sizeof(parley_device_t),
      AT(parley_device_t, light),
      AT(parley_device_t, red),
      AT(parley_device_t, green),
      AT(parley_device_t, blue),
      AT(parley_device_t, volume),
      AT(parley_device_t, muted),
      AT(parley_device_t, door_open),

      sizeof(parley_heap_t),
      AT(parley_heap_t, free),
      AT(parley_heap_t, min_free),
      AT(parley_heap_t, largest),

      sizeof(parley_load_t),
      AT(parley_load_t, core_count),
      AT(parley_load_t, cpu_permille),
      AT(parley_load_t, heap),
      AT(parley_load_t, psram),
      AT(parley_load_t, rssi_dbm),
      AT(parley_load_t, task_count),
      AT(parley_load_t, tasks),

      sizeof(parley_task_load_t),
      AT(parley_task_load_t, name),
      AT(parley_task_load_t, core),
      AT(parley_task_load_t, priority),
      AT(parley_task_load_t, cpu_permille),
      AT(parley_task_load_t, stack_left),

      sizeof(parley_media_t),
      AT(parley_media_t, up_bps),
      AT(parley_media_t, down_bps),
      AT(parley_media_t, loss_permille),
      AT(parley_media_t, jitter_ms),
      AT(parley_media_t, round_trip_ms),
      AT(parley_media_t, underruns),

      sizeof(parley_level_t),
      AT(parley_level_t, microphone_cdb),
      AT(parley_level_t, speaker_cdb),
      AT(parley_level_t, echo_left_cdb),

      sizeof(parley_sound_t),
      AT(parley_sound_t, delay_ms),
      AT(parley_sound_t, tone_cdb),
      AT(parley_sound_t, microphone_cdb),
      AT(parley_sound_t, echo_left_cdb),

      PARLEY_EV_COUNT,
  };
  size_t count = sizeof numbers / sizeof numbers[0];
  for (size_t i = 0; i < count && i < room; i++) {
    out[i] = numbers[i];
  }
  return count;
}
