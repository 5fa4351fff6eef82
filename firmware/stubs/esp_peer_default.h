/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_peer.h"
typedef struct {
  uint16_t cache_timeout;
  uint32_t send_cache_size;
  uint32_t recv_cache_size;
} esp_peer_default_data_ch_cfg_t;
typedef struct {
  uint16_t cache_timeout;
  uint16_t resend_delay;
  uint16_t pli_send_interval;
  uint32_t cache_size;
} esp_peer_default_jitter_cfg_t;
typedef struct {
  esp_peer_default_jitter_cfg_t audio_recv_jitter;
  esp_peer_default_jitter_cfg_t video_recv_jitter;
  uint32_t send_pool_size;
  uint32_t send_queue_num;
  uint16_t max_resend_count;
} esp_peer_default_rtp_cfg_t;
typedef struct {
  uint16_t agent_recv_timeout;
  esp_peer_default_data_ch_cfg_t data_ch_cfg;
  esp_peer_default_rtp_cfg_t rtp_cfg;
  uint8_t max_candidates;
} esp_peer_default_cfg_t;
const esp_peer_ops_t *esp_peer_get_default_impl(void);
