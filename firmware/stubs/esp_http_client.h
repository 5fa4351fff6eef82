/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
#define ESP_ERR_HTTP_EAGAIN 0x7007
typedef struct esp_http_client *esp_http_client_handle_t;
typedef enum {
  HTTP_EVENT_ERROR,
  HTTP_EVENT_ON_CONNECTED,
  HTTP_EVENT_HEADERS_SENT,
  HTTP_EVENT_ON_HEADER
} esp_http_client_event_id_t;
typedef struct {
  esp_http_client_event_id_t event_id;
  esp_http_client_handle_t client;
  void *data;
  int data_len;
  void *user_data;
  char *header_key;
  char *header_value;
} esp_http_client_event_t;
typedef esp_err_t (*http_event_handle_cb)(esp_http_client_event_t *evt);
typedef enum { HTTP_METHOD_GET, HTTP_METHOD_POST } esp_http_client_method_t;
typedef struct {
  const char *url;
  esp_http_client_method_t method;
  int timeout_ms;
  bool disable_auto_redirect;
  int max_authorization_retries;
  http_event_handle_cb event_handler;
  int buffer_size;
  int buffer_size_tx;
  void *user_data;
  esp_err_t (*crt_bundle_attach)(void *conf);
} esp_http_client_config_t;
esp_http_client_handle_t esp_http_client_init(const esp_http_client_config_t *config);
esp_err_t esp_http_client_set_header(esp_http_client_handle_t client, const char *key, const char *value);
esp_err_t esp_http_client_set_timeout_ms(esp_http_client_handle_t client, int timeout_ms);
esp_err_t esp_http_client_open(esp_http_client_handle_t client, int write_len);
int esp_http_client_write(esp_http_client_handle_t client, const char *buffer, int len);
int64_t esp_http_client_fetch_headers(esp_http_client_handle_t client);
int esp_http_client_read(esp_http_client_handle_t client, char *buffer, int len);
int esp_http_client_get_status_code(esp_http_client_handle_t client);
bool esp_http_client_is_complete_data_received(esp_http_client_handle_t client);
esp_err_t esp_http_client_get_and_clear_last_tls_error(esp_http_client_handle_t client, int *esp_tls_error_code,
                                                       int *esp_tls_flags);
esp_err_t esp_http_client_cleanup(esp_http_client_handle_t client);
