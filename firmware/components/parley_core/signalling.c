/* SPDX-License-Identifier: Apache-2.0 */
/** The two HTTP requests that make a session, and what their answers mean. */
#include "parley_core_private.h"

#include <string.h>

enum {
  HTTP_MS = 15000,
  SHOWN_MAX = 100, /* of a body that is no JSON */
};

/* ---- base_url: plain http stays within the house */

typedef struct {
  const char *at;
  size_t length;
} part_t;

static bool take_octet(const char **at, const char *end, unsigned *octet) {
  const char *start = *at;
  *octet = 0;
  while (*at < end && **at >= '0' && **at <= '9' && *at - start < 3) {
    *octet = *octet * 10 + (unsigned)(*(*at)++ - '0');
  }
  return *at > start && *octet < 256;
}

static bool is_private_ipv4(part_t host) {
  unsigned octets[4];
  const char *at = host.at, *end = host.at + host.length;
  for (size_t i = 0; i < 4; i++) {
    if (i > 0) {
      if (at == end || *at != '.') {
        return false;
      }
      at++;
    }
    if (!take_octet(&at, end, &octets[i])) {
      return false;
    }
  }
  return at == end && (octets[0] == 127 || octets[0] == 10 || (octets[0] == 172 && octets[1] >= 16 && octets[1] < 32) ||
                       (octets[0] == 192 && octets[1] == 168) || (octets[0] == 169 && octets[1] == 254));
}

static bool is_part(part_t part, const char *text) {
  return part.length == strlen(text) && memcmp(part.at, text, part.length) == 0;
}

/* Host, then nothing, a path, or a port of 1 to 5 digits and a path. */
static bool take_host(const char *at, part_t *host) {
  size_t length = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/?#@");
  if (length == 0 || length > strlen(at)) {
    return false;
  }
  *host = (part_t){at, length};
  at += length;
  if (*at == ':') {
    size_t digits = strspn(at + 1, "0123456789");
    if (digits == 0 || digits > 5) {
      return false;
    }
    at += 1 + digits;
  }
  return (*at == '\0' || *at == '/') && strpbrk(at, "?#@") == NULL;
}

bool parley_base_url_fits(const char *url) {
  static const char https[] = "https://", http[] = "http://";
  part_t host;
  if (strncmp(url, https, sizeof https - 1) == 0) {
    return take_host(url + sizeof https - 1, &host);
  }
  if (strncmp(url, http, sizeof http - 1) != 0 || !take_host(url + sizeof http - 1, &host)) {
    return false;
  }
  return is_private_ipv4(host) || is_part(host, "localhost") || is_part(host, "[::1]");
}

/* ---- asking */

static void post(parley_core_t *core, const char *path, const char *bearer, const char *content_type,
                 parley_text_t body) {
  parley_writer_t url = parley_writer(core->url, sizeof core->url - 1);
  parley_put(&url, core->kept.value.base_url);
  while (core->url[url.length - 1] == '/') {
    url.length--;
  }
  parley_put(&url, path);
  core->url[url.length] = '\0';
  parley_http_request_t request = {
      .id = core->session.request,
      .url = core->url,
      .bearer = bearer,
      .content_type = content_type,
      .body = body,
      .timeout_ms = HTTP_MS,
  };
  core->port->http_post(core->port->ctx, &request);
}

void parley_ask_secret(parley_core_t *core) {
  parley_writer_t body = parley_writer(core->body, sizeof core->body);
  parley_talk_secret_body(core, &body);
  core->session.token_made_ms = core->now_ms;
  post(core, "/realtime/client_secrets", core->kept.value.api_key, "application/json",
       (parley_text_t){core->body, body.length});
}

void parley_ask_call(parley_core_t *core, parley_text_t offer) {
  post(core, "/realtime/calls", core->session.token, "application/sdp", offer);
}

/* ---- refusals */

static parley_code_t code_of_net(int32_t why) {
  switch (why) {
  case PARLEY_NET_TIMEOUT: return PARLEY_TIMEOUT;
  case PARLEY_NET_TLS: return PARLEY_TLS;
  case PARLEY_NET_TOO_LONG: return PARLEY_BAD_ANSWER;
  default: return PARLEY_UNREACHABLE;
  }
}

static const char *text_of_net(int32_t why) {
  switch (why) {
  case PARLEY_NET_TIMEOUT: return "the service did not answer in time";
  case PARLEY_NET_TLS: return "the certificate or the handshake was refused";
  case PARLEY_NET_TOO_LONG: return "the answer is too long";
  case PARLEY_NET_UNREACHABLE: return "the service cannot be reached";
  default: return "the connection to the service broke";
  }
}

static parley_code_t code_of_status(int32_t status, parley_json_t error) {
  bool no_quota = parley_json_equal(parley_json_get(error, "code"), "insufficient_quota") ||
                  parley_json_equal(parley_json_get(error, "type"), "insufficient_quota");
  switch (status) {
  case 401: return PARLEY_UNAUTHORIZED;
  case 403: return PARLEY_FORBIDDEN;
  case 404: return PARLEY_NOT_FOUND;
  case 429: return no_quota ? PARLEY_NO_QUOTA : PARLEY_RATE_LIMITED;
  default: return status >= 500 ? PARLEY_SERVER_ERROR : PARLEY_REFUSED;
  }
}

/* "HTTP 401: the service's message", or the first characters of what is no JSON. */
static void end_with_body(parley_core_t *core, parley_code_t code, const parley_event_t *event) {
  char text[PARLEY_REASON_ROOM];
  parley_json_t body;
  parley_writer_t writer = parley_writer(text, sizeof text);
  parley_chars_t chars = parley_chars_of(event->as.http.body);
  bool is_json = parley_json_read(chars, &body);
  parley_json_t error = is_json ? parley_json_get(body, "error") : (parley_json_t){chars.end, chars.end};
  if (code == PARLEY_CODE_NONE) {
    code = code_of_status(event->as.http.status, error);
  }
  chars = is_json ? parley_json_get_chars(error, "message") : chars;
  parley_put(&writer, "HTTP ");
  parley_put_number(&writer, event->as.http.status);
  if (!parley_chars_empty(chars)) {
    parley_put(&writer, ": ");
    (void)parley_put_chars(&writer, &chars, PARLEY_AS_PLAIN, &core->mask,
                           is_json ? writer.room : writer.length + SHOWN_MAX);
  }
  parley_session_end(core, code, parley_chars_of((parley_text_t){text, writer.length}));
}

/* ---- answers */

static void take_secret(parley_core_t *core, const parley_event_t *event) {
  parley_session_t *session = &core->session;
  parley_json_t body;
  char *token = core->body; /* the request is gone */
  bool is_json = parley_json_read(parley_chars_of(event->as.http.body), &body);
  if (!is_json || !parley_chars_copy(parley_json_get_chars(body, "value"), token, PARLEY_TOKEN_ROOM)) {
    token[0] = '\0';
  }
  session->token_expires_s = 0;
  if (is_json) {
    (void)parley_json_whole(parley_json_get(body, "expires_at"), &session->token_expires_s);
  }
  if (!parley_session_token(core, token)) {
    parley_session_end(core, PARLEY_BAD_ANSWER, parley_chars("the service gave no secret"));
  }
  parley_wipe(token, PARLEY_TOKEN_ROOM);
}

/* The last segment of the Location's path, whatever the host and the query. */
static void note_call(parley_core_t *core, parley_text_t location) {
  parley_chars_t left = parley_chars_of(location), segment = left;
  for (uint32_t c = 0; c != PARLEY_CHAR_END && c != '?' && c != '#';) {
    const char *before = left.at;
    c = parley_chars_next(&left);
    if (c == '/') {
      segment.at = left.at;
    }
    segment.end = before;
  }
  if (!parley_chars_copy(segment, core->session.call, sizeof core->session.call)) {
    core->session.call[0] = '\0'; /* no id at all is better than half of one */
  }
}

static void take_answer(parley_core_t *core, const parley_event_t *event) {
  parley_text_t sdp = event->as.http.body;
  if (!parley_chars_start(parley_chars_of(sdp), "v=0")) {
    end_with_body(core, PARLEY_BAD_ANSWER, event);
    return;
  }
  note_call(core, event->as.http.location);
  parley_session_answered(core, sdp);
}

void parley_http_take(parley_core_t *core, const parley_event_t *event) {
  parley_session_t *session = &core->session;
  if (event->as.http.id != session->request || session->request == 0) {
    return; /* cancelled or late */
  }
  session->request = 0;
  int32_t why = event->as.http.why, status = event->as.http.status;
  if (why != PARLEY_NET_OK) {
    parley_session_end(core, code_of_net(why), parley_chars(text_of_net(why)));
  } else if (status < 200 || status > 299) {
    end_with_body(core, PARLEY_CODE_NONE, event);
  } else if (session->state == PARLEY_SECRET) {
    take_secret(core, event);
  } else {
    take_answer(core, event);
  }
}
