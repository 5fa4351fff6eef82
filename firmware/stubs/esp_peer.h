/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
enum {
  ESP_PEER_ERR_NONE = 0,
  ESP_PEER_ERR_FAIL = -6,
  ESP_PEER_ERR_WOULD_BLOCK = -9,
};
typedef enum { ESP_PEER_ROLE_CONTROLLING, ESP_PEER_ROLE_CONTROLLED } esp_peer_role_t;
typedef enum { ESP_PEER_ICE_TRANS_POLICY_ALL, ESP_PEER_ICE_TRANS_POLICY_RELAY } esp_peer_ice_trans_policy_t;
typedef enum {
  ESP_PEER_STATE_CLOSED = 0,
  ESP_PEER_STATE_DISCONNECTED = 1,
  ESP_PEER_STATE_CONNECTED = 7,
  ESP_PEER_STATE_CONNECT_FAILED = 8,
  ESP_PEER_STATE_DATA_CHANNEL_CONNECTED = 9,
} esp_peer_state_t;
typedef enum { ESP_PEER_AUDIO_CODEC_NONE, ESP_PEER_AUDIO_CODEC_OPUS = 3 } esp_peer_audio_codec_t;
typedef enum { ESP_PEER_DATA_CHANNEL_DATA = 1, ESP_PEER_DATA_CHANNEL_STRING = 2 } esp_peer_data_channel_type_t;
typedef enum { ESP_PEER_MEDIA_DIR_NONE = 0, ESP_PEER_MEDIA_DIR_SEND_RECV = 3 } esp_peer_media_dir_t;
typedef enum { ESP_PEER_MSG_TYPE_NONE, ESP_PEER_MSG_TYPE_SDP } esp_peer_msg_type_t;
typedef enum { ESP_PEER_DATA_CHANNEL_RELIABLE } esp_peer_data_channel_reliable_type_t;
typedef struct {
  esp_peer_audio_codec_t codec;
  uint32_t sample_rate;
  uint8_t channel;
} esp_peer_audio_stream_info_t;
typedef struct {
  uint32_t pts;
  uint8_t *data;
  int size;
} esp_peer_audio_frame_t;
typedef struct {
  esp_peer_data_channel_type_t type;
  uint16_t stream_id;
  uint8_t *data;
  int size;
} esp_peer_data_frame_t;
typedef struct {
  esp_peer_msg_type_t type;
  uint8_t *data;
  int size;
} esp_peer_msg_t;
typedef struct {
  esp_peer_data_channel_reliable_type_t type;
  bool ordered;
  char *label;
} esp_peer_data_channel_cfg_t;
typedef struct {
  const char *label;
  uint16_t stream_id;
} esp_peer_data_channel_info_t;
typedef void *esp_peer_handle_t;
typedef struct {
  esp_peer_role_t role;
  esp_peer_ice_trans_policy_t ice_trans_policy;
  esp_peer_audio_stream_info_t audio_info;
  esp_peer_media_dir_t audio_dir;
  esp_peer_media_dir_t video_dir;
  bool no_auto_reconnect;
  bool enable_data_channel;
  bool manual_ch_create;
  void *extra_cfg;
  int extra_size;
  void *ctx;
  int (*on_state)(esp_peer_state_t state, void *ctx);
  int (*on_msg)(esp_peer_msg_t *info, void *ctx);
  int (*on_audio_info)(esp_peer_audio_stream_info_t *info, void *ctx);
  int (*on_audio_data)(esp_peer_audio_frame_t *frame, void *ctx);
  int (*on_channel_open)(esp_peer_data_channel_info_t *ch, void *ctx);
  int (*on_data)(esp_peer_data_frame_t *frame, void *ctx);
  int (*on_channel_close)(esp_peer_data_channel_info_t *ch, void *ctx);
} esp_peer_cfg_t;
typedef struct esp_peer_ops_t esp_peer_ops_t;
int esp_peer_open(esp_peer_cfg_t *cfg, const esp_peer_ops_t *ops, esp_peer_handle_t *peer);
int esp_peer_new_connection(esp_peer_handle_t peer);
int esp_peer_create_data_channel(esp_peer_handle_t peer, esp_peer_data_channel_cfg_t *ch_cfg);
int esp_peer_send_msg(esp_peer_handle_t peer, esp_peer_msg_t *msg);
int esp_peer_send_audio(esp_peer_handle_t peer, esp_peer_audio_frame_t *info);
int esp_peer_send_data(esp_peer_handle_t peer, esp_peer_data_frame_t *frame);
int esp_peer_main_loop(esp_peer_handle_t peer);
int esp_peer_close(esp_peer_handle_t peer);
int esp_peer_pre_generate_cert(void);
