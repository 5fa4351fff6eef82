/* SPDX-License-Identifier: Apache-2.0 */
/* The partition `cfg` belongs to the user: it is never erased here. Without it, or when it cannot be read, every key is
 * missing and the core goes on with its defaults. */
#include <string.h>

#include "esp_log.h"
#include "nvs.h"
#include "nvs_flash.h"
#include "parley_port.h"

static const char *const TAG = "store";
static const char *const PARTITION = "cfg";
static const char *const NAMESPACE = "parley";

static bool is_ready;

esp_err_t parley_store_open(void) {
  esp_err_t err = nvs_flash_init_partition(PARTITION);
  if (err != ESP_OK) {
    ESP_LOGE(TAG, "settings cannot be read: %s", esp_err_to_name(err));
    return err;
  }
  is_ready = true;
  return ESP_OK;
}

static parley_kv_t result_of(esp_err_t err) {
  switch (err) {
  case ESP_OK: return PARLEY_KV_OK;
  case ESP_ERR_NVS_NOT_FOUND: return PARLEY_KV_MISSING;
  case ESP_ERR_NVS_TYPE_MISMATCH: return PARLEY_KV_WRONG_TYPE;
  case ESP_ERR_NVS_INVALID_LENGTH:
  case ESP_ERR_NVS_VALUE_TOO_LONG: return PARLEY_KV_TOO_LONG;
  default: return PARLEY_KV_FAILED;
  }
}

/* A getter with a type of its own finds no entry of another type (NVS looks up key and type together), so "not there"
 * and "there, but of another type" look alike until the key is asked for by itself. */
static parley_kv_t missing_or_wrong_type(nvs_handle_t handle, const char *key, parley_kv_t result) {
  nvs_type_t type;
  if (result == PARLEY_KV_MISSING && nvs_find_key(handle, key, &type) == ESP_OK) {
    return PARLEY_KV_WRONG_TYPE;
  }
  return result;
}

static esp_err_t open_for(nvs_open_mode_t mode, nvs_handle_t *handle) {
  return is_ready ? nvs_open_from_partition(PARTITION, NAMESPACE, mode, handle) : ESP_ERR_NVS_NOT_FOUND;
}

static esp_err_t get_number(nvs_handle_t handle, const char *key, int32_t type, int64_t *value) {
  uint8_t u8 = 0;
  int8_t i8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  esp_err_t err = ESP_ERR_NVS_TYPE_MISMATCH;
  switch (type) {
  case PARLEY_U8:
    err = nvs_get_u8(handle, key, &u8);
    *value = u8;
    break;
  case PARLEY_I8:
    err = nvs_get_i8(handle, key, &i8);
    *value = i8;
    break;
  case PARLEY_U16:
    err = nvs_get_u16(handle, key, &u16);
    *value = u16;
    break;
  case PARLEY_U32:
    err = nvs_get_u32(handle, key, &u32);
    *value = u32;
    break;
  default: break;
  }
  return err;
}

parley_kv_t parley_store_get_number(void *ctx, const char *key, int32_t type, int64_t *value) {
  (void)ctx;
  nvs_handle_t handle;
  *value = 0;
  esp_err_t err = open_for(NVS_READONLY, &handle);
  if (err != ESP_OK) {
    return result_of(err);
  }
  parley_kv_t result = missing_or_wrong_type(handle, key, result_of(get_number(handle, key, type, value)));
  nvs_close(handle);
  return result;
}

parley_kv_t parley_store_get_text(void *ctx, const char *key, char *out, size_t room, size_t *length) {
  (void)ctx;
  nvs_handle_t handle;
  *length = 0;
  if (room == 0) {
    return PARLEY_KV_TOO_LONG;
  }
  out[0] = 0;
  esp_err_t err = open_for(NVS_READONLY, &handle);
  if (err != ESP_OK) {
    return result_of(err);
  }
  size_t used = room; /* in: room; out: bytes with NUL */
  parley_kv_t result = missing_or_wrong_type(handle, key, result_of(nvs_get_str(handle, key, out, &used)));
  nvs_close(handle);
  if (result == PARLEY_KV_OK) {
    *length = used > 0 ? used - 1 : 0;
  } else {
    out[0] = 0;
  }
  return result;
}

static esp_err_t set_number(nvs_handle_t handle, const char *key, int32_t type, int64_t value) {
  switch (type) {
  case PARLEY_U8: return nvs_set_u8(handle, key, (uint8_t)value);
  case PARLEY_I8: return nvs_set_i8(handle, key, (int8_t)value);
  case PARLEY_U16: return nvs_set_u16(handle, key, (uint16_t)value);
  case PARLEY_U32: return nvs_set_u32(handle, key, (uint32_t)value);
  default: return ESP_ERR_NVS_TYPE_MISMATCH;
  }
}

/* NVS keeps one entry for each type of a key: an entry of another type would stay and be found again. */
static void drop_other_type(nvs_handle_t handle, const char *key, nvs_type_t wanted) {
  nvs_type_t type;
  if (nvs_find_key(handle, key, &type) == ESP_OK && type != wanted && nvs_erase_key(handle, key) != ESP_OK) {
    ESP_LOGW(TAG, "old value of %s stays", key);
  }
}

static nvs_type_t nvs_type_of(int32_t type) {
  switch (type) {
  case PARLEY_U8: return NVS_TYPE_U8;
  case PARLEY_I8: return NVS_TYPE_I8;
  case PARLEY_U16: return NVS_TYPE_U16;
  case PARLEY_U32: return NVS_TYPE_U32;
  default: return NVS_TYPE_STR;
  }
}

static parley_kv_t commit(nvs_handle_t handle, esp_err_t err) {
  if (err == ESP_OK) {
    err = nvs_commit(handle);
  }
  nvs_close(handle);
  return result_of(err);
}

parley_kv_t parley_store_set_number(void *ctx, const char *key, int32_t type, int64_t value) {
  (void)ctx;
  nvs_handle_t handle;
  if (open_for(NVS_READWRITE, &handle) != ESP_OK) {
    return PARLEY_KV_FAILED;
  }
  drop_other_type(handle, key, nvs_type_of(type));
  return commit(handle, set_number(handle, key, type, value));
}

parley_kv_t parley_store_set_text(void *ctx, const char *key, const char *text, size_t length) {
  (void)ctx;
  static char terminated[4000]; /* what NVS takes, NUL included; only `core` comes here */
  nvs_handle_t handle;
  if (length >= sizeof terminated) {
    return PARLEY_KV_TOO_LONG;
  }
  if (open_for(NVS_READWRITE, &handle) != ESP_OK) {
    return PARLEY_KV_FAILED;
  }
  memcpy(terminated, text, length);
  terminated[length] = 0;
  drop_other_type(handle, key, NVS_TYPE_STR);
  parley_kv_t result = commit(handle, nvs_set_str(handle, key, terminated));
  memset(terminated, 0, sizeof terminated); /* it may be a key or a password */
  return result;
}
