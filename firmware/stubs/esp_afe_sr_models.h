/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "freertos/FreeRTOS.h"
typedef struct srmodel_list_t srmodel_list_t;
typedef enum { AFE_TYPE_SR, AFE_TYPE_VC } afe_type_t;
typedef enum { AFE_MODE_LOW_COST, AFE_MODE_HIGH_PERF } afe_mode_t;
typedef enum { AEC_MODE_VOIP_HIGH_PERF = 4 } aec_mode_t;
typedef enum { AFE_MEMORY_ALLOC_MORE_INTERNAL = 1, AFE_MEMORY_ALLOC_MORE_PSRAM = 3 } afe_memory_alloc_mode_t;
typedef struct {
  bool aec_init;
  aec_mode_t aec_mode;
  bool se_init;
  bool ns_init;
  bool vad_init;
  bool wakenet_init;
  bool agc_init;
  int afe_perferred_core;
  afe_memory_alloc_mode_t memory_alloc_mode;
} afe_config_t;
typedef struct {
  int16_t *data;
  int data_size;
  int ret_value;
} afe_fetch_result_t;
typedef struct esp_afe_sr_data_t esp_afe_sr_data_t;
typedef struct {
  esp_afe_sr_data_t *(*create_from_config)(afe_config_t *afe_config);
  int (*feed)(esp_afe_sr_data_t *afe, const int16_t *in);
  afe_fetch_result_t *(*fetch_with_delay)(esp_afe_sr_data_t *afe, TickType_t ticks_to_wait);
  int (*reset_buffer)(esp_afe_sr_data_t *afe);
  int (*get_feed_chunksize)(esp_afe_sr_data_t *afe);
  int (*get_feed_channel_num)(esp_afe_sr_data_t *afe);
} esp_afe_sr_iface_t;
afe_config_t *afe_config_init(const char *input_format, srmodel_list_t *models, afe_type_t type, afe_mode_t mode);
void afe_config_free(afe_config_t *afe_config);
const esp_afe_sr_iface_t *esp_afe_handle_from_config(const afe_config_t *config);
