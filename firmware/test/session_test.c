/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "world.h"

#include <string.h>

static void goes_the_whole_road(void) {
  world_t *world = world_new();
  test_name("the whole road");
  CHECK(parley_core_init(NULL, 10, NULL, NULL) == NULL);
  CHECK(parley_core_init((char *)world->core + 1, parley_core_size(), NULL, NULL) == NULL);
  CHECK(strcmp(parley_core_version(), PARLEY_VERSION) == 0);
  world_wifi_up(world);
  CHECK(world->out_length == 0 && world->wait_ms == UINT32_MAX);
  world_text(world, "lang", "de");
  world_boot(world);
  CHECK(world_said(world, "\"k\":\"boot\",\"n\":0") && world_said(world, "\"state\":\"joining\",\"ssid\":\"home\""));
  CHECK(world->joins == 1 && strcmp(world->password, "wifi-secret") == 0 && world->device.volume == 50);
  world_wifi_up(world);
  CHECK(world_said(world, "\"state\":\"up\",\"ssid\":\"home\",\"rssi\":-50,\"ip\":\"192.168.4.2\""));
  CHECK(world_said(world, "\"state\":\"token\""));
  CHECK(strcmp(world->url, "http://127.0.0.1:8000/v1/realtime/client_secrets") == 0);
  CHECK(strcmp(world->bearer, "sk-secret-0123456789") == 0 && strcmp(world->content_type, "application/json") == 0);
  CHECK(strstr(world->body, "\"transcription\":{\"model\":\"gpt-4o-mini-transcribe\",\"language\":\"de\"}") != NULL);
  CHECK(strstr(world->body, "\"name\":\"OpenDoor\"") != NULL);
  world_secret(world);
  CHECK(world_said(world, "\"state\":\"offer\"") && world->opens == 1);
  world_offer(world);
  CHECK(strcmp(world->url, "http://127.0.0.1:8000/v1/realtime/calls") == 0);
  CHECK(strcmp(world->bearer, "ek_short_lived_secret") == 0 && strcmp(world->content_type, "application/sdp") == 0);
  CHECK(strcmp(world->body, "v=0\r\noffer\r\n") == 0);
  world_http(world, 201, "v=0\r\nanswer\r\n", "https://x/v1/realtime/calls/rtc_7#x");
  CHECK(strcmp(world->answer, "v=0\r\nanswer\r\n") == 0 && world_said(world, "\"connecting\",\"call\":\"rtc_7\""));
  world_peer(world, PARLEY_EV_PEER_UP, world->peer, "", 0);
  world_peer(world, PARLEY_EV_CHANNEL_OPEN, world->peer, "", 0);
  CHECK(world_said(world, "\"state\":\"live\",\"call\":\"rtc_7\""));
  CHECK(world_sent(world, "\"response\":{\"instructions\":\"Greet the user in one short sentence.\"}"));
  world_line(world, "#1 start");
  CHECK(world_said(world, "\"to\":1,\"ok\":true") && world->posts == 2);
  world_line(world, "#2 stop");
  CHECK(world_said(world, "\"state\":\"closing\"") && world->closed == world->peer);
  world_line(world, "#3 stop");
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", PARLEY_NET_CLOSED);
  CHECK(world_said(world, "\"state\":\"idle\",\"call\":\"rtc_7\",\"code\":\"stopped\"}"));
  world_line(world, "#4 stop");
  CHECK(world_said(world, "\"to\":4,\"ok\":true") && world->wait_ms == UINT32_MAX);
  CHECK(!world_said(world, "ek_short") && !world_said(world, "sk-secret") && !world_said(world, "wifi-secret"));
  CHECK(world->bad_lines == 0);
  world_wifi_up(world);
  CHECK(world->posts == 2); /* stopped is stopped */
}

static void can_do_without_the_users_words(void) {
  world_t *world = world_new();
  test_name("no transcription");
  world_text(world, "stt_model", "");
  world_text(world, "greeting", "");
  world_boot(world);
  world_wifi_up(world);
  CHECK(strstr(world->body, "\"transcription\":null,") != NULL);
  world_connect(world);
  CHECK(world->sends == 0);
}

static void needs_wifi_and_key(void) {
  world_t *world = world_new();
  test_name("not configured");
  world_text(world, "wifi_ssid", "");
  world_boot(world);
  CHECK(world_said(world, "\"k\":\"wifi\"") && world_said(world, "\"state\":\"off\""));
  world_line(world, "#1 start");
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"no_wifi\",\"reason\":\"no Wi-Fi name is set\""));
  CHECK(world_said(world, "\"to\":1,\"ok\":false"));
  world_text(world, "api_key", "");
  world_text(world, "wifi_ssid", "home");
  world_line(world, "#2 start");
  CHECK(world->joins == 1 && world_said(world, "\"to\":2,\"ok\":true"));
  world_forget(world);
  world_wifi_up(world);
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"no_key\""));
  world_line(world, "#3 start");
  CHECK(world_said(world, "\"to\":3,\"ok\":false,\"text\":\"no api_key is set\""));
  CHECK(world->posts == 0);
}

static void keeps_plain_http_in_the_house(void) {
  static const char *const good[] = {
      "https://api.openai.com/v1", "https://x",
      "http://127.0.0.1:8000/v1",  "http://127.9.9.9",
      "http://10.0.2.2/v1",        "http://172.16.0.1",
      "http://172.31.255.255:1",   "http://192.168.1.1:65535/",
      "http://169.254.1.1/v1",     "http://localhost:9/v1",
      "http://[::1]:9/v1",         "http://[::1]",
  };
  static const char *const bad[] = {
      "",
      "http://",
      "https://",
      "ftp://10.0.0.1",
      "http://8.8.8.8",
      "http://172.15.0.1",
      "http://172.32.0.1",
      "http://192.169.0.1",
      "http://169.253.0.1",
      "http://10.0.0.1.evil.com",
      "http://10.0.0",
      "http://10.0.0.256",
      "http://10.0.0.1:/",
      "http://10.0.0.1:123456",
      "http://10.0.0.1:9x",
      "http://localhost.evil.com",
      "http://user@10.0.0.1",
      "http://10.0.0.1@evil.com",
      "http://10.0.0.1?x",
      "http://10.0.0.1/#x",
      "http://[::2]",
      "http://[::1",
      "http://[::1]x",
      "http://0010.0.0.1",
      "http://.0.0.1",
      "http://api.openai.com",
      "https://:9/",
      "10.0.0.1",
  };
  test_name("base_url");
  for (size_t i = 0; i < sizeof good / sizeof good[0] + sizeof bad / sizeof bad[0]; i++) {
    bool is_good = i < sizeof good / sizeof good[0];
    const char *url = is_good ? good[i] : bad[i - sizeof good / sizeof good[0]];
    world_t *world = world_new();
    world_text(world, "base_url", url);
    world_boot(world);
    world_wifi_up(world);
    check(is_good == (world->posts == 1) && is_good != world_said(world, "bad_base_url"), url, __FILE__, __LINE__);
  }
}

static void names_http_failures(void) {
  static const struct {
    int32_t status;
    const char *body, *expected;
  } cases[] = {
      {401,
       "{\"error\":{\"message\":\"Incorrect API key provided: sk-secret-0123456789.\",\"code\":\"invalid_api_key\"}}",
       "\"code\":\"unauthorized\",\"reason\":\"HTTP 401: Incorrect API key provided: ***.\""},
      {401, "{\"error\":{\"message\":\"wrong: sk-proj-someone-else, ek_0123456789\"}}", "HTTP 401: wrong: ***, ***\""},
      {403, "{\"error\":{\"message\":\"country\"}}", "\"code\":\"forbidden\",\"reason\":\"HTTP 403: country\""},
      {404, "{\"error\":{\"message\":\"no model\"}}", "\"code\":\"not_found\""},
      {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", "\"code\":\"no_quota\",\"reason\":\"HTTP 429\""},
      {429, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":null}}", "\"code\":\"no_quota\""},
      {429, "{\"error\":{\"message\":\"slow down\"}}", "\"code\":\"rate_limited\""},
      {400, "{\"error\":{\"message\":\"bad\"}}", "\"code\":\"refused\""},
      {302, "", "\"code\":\"refused\",\"reason\":\"HTTP 302\""},
      {500, "[]", "\"code\":\"server_error\",\"reason\":\"HTTP 500\""},
      {502, "<html>\n\x1b\xFF Bad", "\"code\":\"server_error\",\"reason\":\"HTTP 502: <html>  \xEF\xBF\xBD Bad\""},
      {200, "<html>", "\"code\":\"bad_answer\",\"reason\":\"the service gave no secret\""},
      {200, "{\"value\":\"sk-not-short-lived\"}", "\"code\":\"bad_answer\""},
      {200, "{\"value\":\"ek_with space\"}", "\"code\":\"bad_answer\""},
      {200, "{\"value\":7}", "\"code\":\"bad_answer\""},
  };
  test_name("HTTP failures");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    world_t *world = world_new();
    world_number(world, "auto_start", 0);
    world_boot(world);
    world_wifi_up(world);
    world_line(world, "start");
    world_forget(world);
    world_http(world, cases[i].status, cases[i].body, "");
    check(world_said(world, cases[i].expected), cases[i].expected, __FILE__, __LINE__);
    CHECK(world_said(world, "\"state\":\"idle\"") && world->wait_ms == UINT32_MAX);
    CHECK(!world_said(world, "secret-0123") && !world_said(world, "someone-else") && world->bad_lines == 0);
    world_line(world, "#1 start");
    CHECK(world_said(world, "\"state\":\"token\"") && world_said(world, "\"to\":1,\"ok\":true"));
  }
}

static void names_network_failures(void) {
  static const struct {
    int32_t why;
    const char *code;
  } cases[] = {
      {PARLEY_NET_TIMEOUT, "\"code\":\"timeout\""},
      {PARLEY_NET_UNREACHABLE, "\"code\":\"unreachable\""},
      {PARLEY_NET_TLS, "\"code\":\"tls\""},
      {PARLEY_NET_TOO_LONG, "\"code\":\"bad_answer\""},
      {PARLEY_NET_CLOSED, "\"code\":\"unreachable\""},
  };
  test_name("network failures");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    world_t *world = world_new();
    world_boot(world);
    world_wifi_up(world);
    world_http_fails(world, cases[i].why);
    check(world_said(world, cases[i].code), cases[i].code, __FILE__, __LINE__);
    world_line(world, "start");
    CHECK(world->posts == 2);
    world_http_fails(world, cases[i].why); /* asked for by a person: not again */
    CHECK(world->wait_ms == UINT32_MAX);
  }
}

static world_t *offering(void) {
  world_t *world = world_new();
  world_boot(world);
  world_wifi_up(world);
  world_secret(world);
  return world;
}

static void checks_the_answer(void) {
  test_name("answer to the offer");
  world_t *world = offering();
  world_offer(world);
  world_http(world, 201, "{\"error\":{\"message\":\"no\"}}", "");
  CHECK(world->answers == 0 && world->closes == 1);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"bad_answer\",\"reason\":\"HTTP 201: no\""));
  world = offering();
  world_offer(world);
  world_http(world, 400, "{\"error\":{\"message\":\"offer\"}}", "");
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"refused\""));
  world = offering();
  world_offer(world);
  world_http(world, 200, "v=0\r\n",
             "/calls/a-name-that-is-much-longer-than-any-id-of-the-service-has-ever-been-and-so-it-is-left-out");
  CHECK(world->answers == 1 && !world_said(world, "\"call\""));
}

static void guards_every_state(void) {
  test_name("guards");
  world_t *world = world_new();
  world_number(world, "auto_start", 0);
  world_boot(world);
  world_wifi_up(world);
  world_line(world, "start");
  uint32_t first = world->request;
  world_pass(world, 17000);
  CHECK(world->cancelled == first && world_said(world, "\"code\":\"timeout\",\"reason\":\"no secret in time\""));
  world_secret(world);
  CHECK(world->opens == 0); /* late */
  world = offering();
  world_pass(world, 10000);
  CHECK(world->closes == 1 && world_said(world, "\"state\":\"closing\""));
  world_pass(world, 3000); /* no PEER_DOWN */
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"peer_failed\""));
  uint32_t old = world->peer;
  world_line(world, "start");
  world_secret(world);
  CHECK(world->peer != old);
  world_peer(world, PARLEY_EV_PEER_DOWN, old, "", 0);
  world_peer(world, PARLEY_EV_PEER_OFFER, old, "v=0", 0);
  CHECK(world->posts == 2);
  world_offer(world);
  world_offer(world);
  CHECK(world->posts == 3);
  world_pass(world, 17000);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"timeout\",\"reason\":\"no answer to the offer in time\""));
  world = offering();
  world_offer(world);
  world_http(world, 201, "v=0", "rtc_3");
  CHECK(world_said(world, "\"call\":\"rtc_3\""));
  world_peer(world, PARLEY_EV_CHANNEL_TEXT, world->peer, "{\"type\":\"x\"}", 0);
  world_pass(world, 15000);
  CHECK(world->closes == 1);
  world = offering();
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", PARLEY_NET_FAILED);
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"peer_failed\"") && world->closes == 0);
}

static void asks_the_computer_for_a_token(void) {
  world_t *world = world_new();
  test_name("token mode 1");
  world_number(world, "token_mode", 1);
  world_text(world, "api_key", "");
  world_boot(world);
  world_wifi_up(world);
  CHECK(world_said(world, "\"k\":\"token\"") && world->posts == 0);
  world_line(world, "#1 token sk-not-this");
  world_line(world, "#2 token ek_1");
  world_line(world, "#3 token ek_\xC3\xB6-------");
  CHECK(world_said_times(world, "\"ok\":false,\"text\":\"a token starts with ek_") == 3);
  world_line(world, "#4 token ek_from-the-computer");
  CHECK(world_said(world, "\"to\":4,\"ok\":true") && world->opens == 1 && !world_said(world, "from-the-computer"));
  world_offer(world);
  CHECK(strcmp(world->bearer, "ek_from-the-computer") == 0);
  world_line(world, "stop");
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  world_line(world, "start");
  world_pass(world, 30000);
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"token_timeout\""));
  world_line(world, "#5 token ek_from-the-computer");
  CHECK(world_said(world, "\"to\":5,\"ok\":false"));
}

static void stops_in_every_state(void) {
  test_name("stop");
  for (int stage = 0; stage < 5; stage++) {
    world_t *world = world_new();
    world_boot(world);
    world_wifi_up(world);
    if (stage > 0) {
      world_secret(world);
    }
    if (stage > 1) {
      world_offer(world);
    }
    if (stage > 2) {
      world_http(world, 201, "v=0", "");
    }
    if (stage > 3) {
      world_peer(world, PARLEY_EV_CHANNEL_OPEN, world->peer, "", 0);
    }
    world_forget(world);
    world_line(world, "#1 stop");
    CHECK(world_said(world, "\"state\":\"closing\"") && world_said(world, "\"to\":1,\"ok\":true"));
    CHECK((stage == 0 || stage == 2) == (world->cancelled == world->request));
    world_line(world, "#2 start");
    CHECK(world_said(world, "\"to\":2,\"ok\":true"));
    world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
    CHECK(world_said(world, "\"code\":\"stopped\"") && world_said(world, "\"state\":\"token\""));
  }
}

static void reboots(void) {
  test_name("reboot");
  world_t *world = world_live();
  world_line(world, "#1 reboot");
  CHECK(world_said(world, "\"to\":1,\"ok\":true") && world->restarts == 0 && world->closes == 1);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world->restarts == 1);
  world = world_new();
  world_boot(world);
  world_line(world, "reboot");
  CHECK(world->restarts == 1);
  world = world_new();
  world_boot(world);
  world_wifi_up(world);
  world_line(world, "reboot"); /* while a secret is asked for: no peer to wait for */
  CHECK(world->restarts == 1);
}

void session_tests(void) {
  goes_the_whole_road();
  can_do_without_the_users_words();
  needs_wifi_and_key();
  keeps_plain_http_in_the_house();
  names_http_failures();
  names_network_failures();
  checks_the_answer();
  guards_every_state();
  asks_the_computer_for_a_token();
  stops_in_every_state();
  reboots();
}
