/* SPDX-License-Identifier: Apache-2.0 */
/* One request at a time on one task. The exchange is cut into slices of half a second, so that a cancel and the limit
 * for the whole exchange are obeyed; only the connecting itself (name, TCP, TLS) is one piece, bounded by what is left
 * of the time. Certificates are checked against ESP-IDF's bundle. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "esp_crt_bundle.h"
#include "esp_heap_caps.h"
#include "esp_http_client.h"
#include "esp_log.h"
#include "esp_timer.h"
#include "esp_tls_errors.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "parley_port.h"

enum {
  STACK = 10 * 1024, /* the TLS handshake wants 6 kB of it */
  WAITING_MAX = 4,
  REQUEST_MAX = 64 * 1024,
  JSON_MAX = 16 * 1024,
  SDP_MAX = 64 * 1024, /* "any size" of a session description, with an end */
  LOCATION_MAX = 256,
  SLICE_MS = 500,
  PIECE = 1024,           /* goes out whole or not at all: the client does not tell how far it came when a slice ends */
  CONNECT_MAX_MS = 10000, /* a cancelled request holds up the next one for no longer */
  BUFFER = 4096,          /* the bearer header alone may have 300 bytes */
};

/* A request in one block: this, then its texts, each with a NUL. */
typedef struct {
  uint32_t id;
  int64_t deadline_us;
  size_t size, body_length;
  const char *url, *bearer, *content_type, *body;
} request_t;

typedef struct {
  const request_t *request;
  char *body;
  size_t room, length;
  char location[LOCATION_MAX];
} exchange_t;

static const char *const TAG = "https";
static QueueHandle_t waiting;
static atomic_uint cancelled_id; /* ids are not 0: 0 is "none" */

static void tell(uint32_t id, parley_net_t why, int status, const exchange_t *exchange) {
  parley_event_t event = {.kind = PARLEY_EV_HTTP_DONE, .as.http = {.id = id, .why = why, .status = status}};
  if (why == PARLEY_NET_OK) {
    event.as.http.body = (parley_text_t){.bytes = exchange->body, .length = exchange->length};
    event.as.http.location = (parley_text_t){.bytes = exchange->location, .length = strlen(exchange->location)};
  }
  if (!parley_mailbox_post(&event)) {
    ESP_LOGE(TAG, "answer %" PRIu32 " lost", id);
  }
}

/* ---- the exchange
 * ----------------------------------------------------------------------------------------------------- */

static int left_ms(const exchange_t *exchange) {
  int64_t left = (exchange->request->deadline_us - esp_timer_get_time()) / 1000;
  return left > INT32_MAX ? INT32_MAX : (int)left;
}

static parley_net_t interrupted(const exchange_t *exchange) {
  if (atomic_load(&cancelled_id) == exchange->request->id) {
    return PARLEY_NET_CLOSED;
  }
  return left_ms(exchange) <= 0 ? PARLEY_NET_TIMEOUT : PARLEY_NET_OK;
}

static esp_err_t on_http(esp_http_client_event_t *event) {
  exchange_t *exchange = event->user_data;
  if (event->event_id == HTTP_EVENT_ON_HEADER && strcasecmp(event->header_key, "Location") == 0 &&
      strlen(event->header_value) < sizeof exchange->location) {
    strlcpy(exchange->location, event->header_value, sizeof exchange->location);
  }
  return ESP_OK;
}

static parley_net_t connect_failure(esp_http_client_handle_t client, const exchange_t *exchange) {
  int tls_code = 0, tls_flags = 0;
  esp_err_t last = esp_http_client_get_and_clear_last_tls_error(client, &tls_code, &tls_flags);
  ESP_LOGW(TAG, "no connection: %s, tls -0x%x, flags 0x%x", esp_err_to_name(last), (unsigned)-tls_code,
           (unsigned)tls_flags);
  if (left_ms(exchange) <= 0 || last == ESP_ERR_ESP_TLS_CONNECTION_TIMEOUT ||
      last == ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT) {
    return PARLEY_NET_TIMEOUT;
  }
  bool refused = last == ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED || last == ESP_ERR_MBEDTLS_X509_CRT_PARSE_FAILED;
  return refused || tls_flags != 0 ? PARLEY_NET_TLS : PARLEY_NET_UNREACHABLE;
}

static parley_net_t send_body(esp_http_client_handle_t client, const exchange_t *exchange) {
  const request_t *request = exchange->request;
  size_t sent = 0;
  while (sent < request->body_length) {
    parley_net_t why = interrupted(exchange);
    if (why != PARLEY_NET_OK) {
      return why;
    }
    size_t rest = request->body_length - sent;
    int count = esp_http_client_write(client, request->body + sent, (int)(rest < PIECE ? rest : PIECE));
    if (count < 0) {
      return PARLEY_NET_LOST;
    }
    sent += (size_t)count; /* 0: no room on a slow line within this slice */
  }
  return PARLEY_NET_OK;
}

static parley_net_t await_headers(esp_http_client_handle_t client, const exchange_t *exchange) {
  for (;;) {
    parley_net_t why = interrupted(exchange);
    if (why != PARLEY_NET_OK) {
      return why;
    }
    int64_t length = esp_http_client_fetch_headers(client);
    if (length >= 0) {
      return length > (int64_t)(exchange->room - 1) ? PARLEY_NET_TOO_LONG : PARLEY_NET_OK;
    }
    if (length != -ESP_ERR_HTTP_EAGAIN) {
      return PARLEY_NET_CLOSED;
    }
  }
}

static parley_net_t read_body(esp_http_client_handle_t client, exchange_t *exchange) {
  for (;;) {
    parley_net_t why = interrupted(exchange);
    if (why != PARLEY_NET_OK) {
      return why;
    }
    size_t room = exchange->room - exchange->length;
    int count = esp_http_client_read(client, exchange->body + exchange->length, (int)(room < 1024 ? room : 1024));
    if (count == -ESP_ERR_HTTP_EAGAIN) {
      continue;
    }
    if (count < 0) {
      return PARLEY_NET_LOST;
    }
    exchange->length += (size_t)count;
    if (exchange->length >= exchange->room) { /* one byte more was given than is allowed */
      return PARLEY_NET_TOO_LONG;
    }
    if (esp_http_client_is_complete_data_received(client)) {
      return PARLEY_NET_OK;
    }
    if (count == 0) {
      return PARLEY_NET_LOST; /* ended before it was complete */
    }
  }
}

static parley_net_t converse(esp_http_client_handle_t client, exchange_t *exchange, int *status) {
  if (esp_http_client_open(client, (int)exchange->request->body_length) != ESP_OK) {
    return connect_failure(client, exchange);
  }
  (void)esp_http_client_set_timeout_ms(client, SLICE_MS); /* fails for a NULL client only */
  parley_net_t why = send_body(client, exchange);
  if (why == PARLEY_NET_OK) {
    why = await_headers(client, exchange);
  }
  *status = esp_http_client_get_status_code(client);
  return why == PARLEY_NET_OK ? read_body(client, exchange) : why;
}

static esp_err_t set_headers(esp_http_client_handle_t client, const request_t *request) {
  static char authorization[512]; /* of this task only; a key has at most 256 bytes */
  int length = snprintf(authorization, sizeof authorization, "Bearer %s", request->bearer);
  esp_err_t err = length < (int)sizeof authorization ? ESP_OK : ESP_ERR_INVALID_SIZE;
  if (err == ESP_OK) {
    err = esp_http_client_set_header(client, "Authorization", authorization);
  }
  memset(authorization, 0, sizeof authorization);
  return err == ESP_OK ? esp_http_client_set_header(client, "Content-Type", request->content_type) : err;
}

static parley_net_t perform(exchange_t *exchange, int *status) {
  int timeout_ms = left_ms(exchange);
  if (timeout_ms <= 0) {
    return PARLEY_NET_TIMEOUT; /* it waited in the queue for too long */
  }
  const esp_http_client_config_t config = {.url = exchange->request->url,
                                           .method = HTTP_METHOD_POST,
                                           .timeout_ms = timeout_ms < CONNECT_MAX_MS ? timeout_ms : CONNECT_MAX_MS,
                                           .disable_auto_redirect = true,
                                           .max_authorization_retries = -1,
                                           .event_handler = on_http,
                                           .user_data = exchange,
                                           .buffer_size = BUFFER,
                                           .buffer_size_tx = BUFFER,
                                           .crt_bundle_attach = esp_crt_bundle_attach};
  esp_http_client_handle_t client = esp_http_client_init(&config);
  if (client == NULL) {
    return PARLEY_NET_FAILED;
  }
  parley_net_t why =
      set_headers(client, exchange->request) == ESP_OK ? converse(client, exchange, status) : PARLEY_NET_FAILED;
  (void)esp_http_client_cleanup(client); /* closes too; its result says nothing that could be acted on */
  return why;
}

static void serve(const request_t *request) {
  static exchange_t exchange; /* 0.3 kB that the stack need not hold; one request at a time */
  bool is_sdp = strcmp(request->content_type, "application/sdp") == 0;
  size_t room = (is_sdp ? SDP_MAX : JSON_MAX) + 1;
  exchange = (exchange_t){
      .request = request, .body = heap_caps_malloc(room, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT), .room = room};
  parley_net_t why = PARLEY_NET_FAILED;
  int status = 0;
  if (exchange.body != NULL) {
    why = atomic_load(&cancelled_id) == request->id ? PARLEY_NET_CLOSED : perform(&exchange, &status);
  }
  tell(request->id, why, status, &exchange);
  if (exchange.body != NULL) {
    memset(exchange.body, 0, room); /* a short-lived secret */
    heap_caps_free(exchange.body);
  }
}

/* ---- requests in
 * ---------------------------------------------------------------------------------------------------------- */

static void drop_request(request_t *request) {
  size_t size = request->size;
  memset(request, 0, size); /* the key */
  heap_caps_free(request);
}

static void serve_forever(void *unused) {
  (void)unused;
  for (;;) {
    request_t *request = NULL;
    if (xQueueReceive(waiting, &request, portMAX_DELAY) == pdTRUE) {
      serve(request);
      drop_request(request);
    }
  }
}

esp_err_t parley_https_start(void) {
  /* It warns at every slice in which nothing came. */
  esp_log_level_set("HTTP_CLIENT", ESP_LOG_ERROR);
  waiting = xQueueCreate(WAITING_MAX, sizeof(request_t *));
  if (waiting == NULL || xTaskCreatePinnedToCore(serve_forever, "https", STACK, NULL, 8, NULL, 0) != pdPASS) {
    return ESP_ERR_NO_MEM;
  }
  return ESP_OK;
}

static const char *append(char **end, const char *text, size_t length) {
  char *start = *end;
  if (length > 0) {
    memcpy(start, text, length);
  }
  start[length] = 0;
  *end += length + 1;
  return start;
}

static request_t *copy_request(const parley_http_request_t *from) {
  size_t url = strlen(from->url), bearer = strlen(from->bearer), type = strlen(from->content_type);
  size_t size = sizeof(request_t) + url + bearer + type + from->body.length + 4;
  if (size > REQUEST_MAX) {
    return NULL;
  }
  request_t *request = heap_caps_malloc(size, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT);
  if (request == NULL) {
    return NULL;
  }
  char *end = (char *)(request + 1);
  *request = (request_t){.id = from->id,
                         .deadline_us = esp_timer_get_time() + (int64_t)from->timeout_ms * 1000,
                         .size = size,
                         .body_length = from->body.length};
  request->url = append(&end, from->url, url);
  request->bearer = append(&end, from->bearer, bearer);
  request->content_type = append(&end, from->content_type, type);
  request->body = append(&end, from->body.bytes, from->body.length);
  return request;
}

void parley_https_post(void *ctx, const parley_http_request_t *request) {
  (void)ctx;
  request_t *copy = copy_request(request);
  if (copy != NULL && xQueueSend(waiting, &copy, 0) == pdTRUE) {
    return;
  }
  if (copy != NULL) {
    drop_request(copy);
  }
  ESP_LOGE(TAG, "no room for request %" PRIu32, request->id);
  tell(request->id, PARLEY_NET_FAILED, 0, NULL);
}

void parley_https_cancel(void *ctx, uint32_t id) {
  (void)ctx;
  atomic_store(&cancelled_id, id);
}
