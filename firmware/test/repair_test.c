/* SPDX-License-Identifier: Apache-2.0 */
/* What the board repairs by itself: Wi-Fi always, a session that had been live. */
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static void joins_again_with_growing_pauses(void) {
  static const uint32_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
  world_t *world = world_new();
  test_name("Wi-Fi back-off");
  world_boot(world);
  for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
    world_wifi_down(world, PARLEY_WIFI_BAD_PASSWORD);
    CHECK(world->wait_ms == pauses_ms[i]);
    world_wifi_down(world, PARLEY_WIFI_BAD_PASSWORD); /* doubled */
    world_pass(world, world->wait_ms);
    CHECK(world->joins == (int)i + 2);
  }
  CHECK(world_said(world,
                   "\"state\":\"waiting\",\"ssid\":\"home\",\"code\":\"bad_password\",\"reason\":\"wrong password\""));
  world_wifi_down(world, PARLEY_WIFI_NOT_FOUND);
  CHECK(world_said(world, "\"code\":\"not_found\",\"reason\":\"no such network on 2.4 GHz\""));
  world_line(world, "#1 start");
  CHECK(world_said(world, "\"to\":1,\"ok\":true") && world->joins == 9);
  world_forget(world);
  world_wifi_down(world, 99);
  CHECK(world_said(world, "\"code\":\"refused\""));
  world->chance = 0xFFFFFFFF;
  world_pass(world, world->wait_ms);
  world_pass(world, 40000); /* the port says nothing */
  CHECK(world_said(world, "no answer from the access point"));
  world->chance = 7500;
  world_wifi_up(world);
  CHECK(world->posts == 1);
}

static void starts_again_after_a_loss(void) {
  static const struct {
    int32_t why;
    const char *code;
  } cases[] = {{PARLEY_NET_LOST, "\"code\":\"peer_lost\""}, {PARLEY_NET_CLOSED, "\"code\":\"channel_closed\""}};
  test_name("losses");
  for (size_t i = 0; i < 2; i++) {
    world_t *world = world_live();
    world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", cases[i].why);
    CHECK(world_said(world, "\"state\":\"waiting\"") && world_said(world, cases[i].code));
    CHECK(world_said(world, "\"retry_ms\":1000") && world->wait_ms == 1000);
    world_pass(world, 1000);
    CHECK(world->posts == 3);
    world_http_fails(world, PARLEY_NET_TIMEOUT);
    CHECK(world->wait_ms == 2000 && world_said(world, "\"code\":\"timeout\""));
    world_line(world, "#1 start");
    CHECK(world->posts == 4);
    world_forget(world);
    world_connect(world);
    CHECK(!world_sent(world, "Greet"));
    world_pass(world, 10000);
    world_peer(world, PARLEY_EV_CHANNEL_CLOSED, world->peer, "", 0);
    world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
    CHECK(world->wait_ms == 1000); /* it was steady */
    world_pass(world, 1000);
    world_http(world, 401, "", "");
    CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"unauthorized\"") && world->wait_ms == UINT32_MAX);
  }
  world_t *world = world_live();
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", PARLEY_NET_LOST);
  world_line(world, "#2 stop");
  CHECK(world_said(world, "\"state\":\"idle\",\"call\":\"rtc_1\",\"code\":\"stopped\"") &&
        world->wait_ms == UINT32_MAX);
}

static void waits_for_wifi(void) {
  world_t *world = world_live();
  test_name("Wi-Fi loss");
  world_wifi_down(world, PARLEY_WIFI_LOST);
  CHECK(world_said(world, "\"state\":\"closing\"") && world->closes == 1);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", PARLEY_NET_LOST);
  CHECK(world_said(world, "\"state\":\"waiting\",\"call\":\"rtc_1\",\"code\":\"no_wifi\""));
  world_pass(world, 1000);
  CHECK(world->joins == 2);
  world_wifi_down(world, PARLEY_WIFI_NOT_FOUND);
  world_line(world, "#1 start");
  CHECK(world->joins == 3 && world_said(world, "\"to\":1,\"ok\":true"));
  world_pass(world, 5000);
  CHECK(world->posts == 2);
  world_wifi_up(world);
  CHECK(world->posts == 3);
  world_connect(world);
  CHECK(world_said_times(world, "\"state\":\"live\"") == 1);

  world = world_live();
  world_line(world, "#2 wifi other");
  CHECK(world->closes == 1 && strcmp(world->ssid, "other") == 0);
  world_wifi_up(world); /* before the peer is down */
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  world_pass(world, 1000);
  CHECK(world->posts == 3);

  world = world_new(); /* never live, but it starts by itself */
  world_boot(world);
  world_wifi_up(world);
  world_secret(world);
  world_wifi_down(world, PARLEY_WIFI_LOST);
  world_wifi_up(world);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world->posts == 2);

  world = world_new(); /* Ethernet: up without a join, and back by itself */
  world_text(world, "wifi_ssid", "");
  world_boot(world);
  world_wifi_up(world);
  world_wifi_down(world, PARLEY_WIFI_LOST);
  CHECK(world_said(world, "\"state\":\"off\",\"code\":\"lost\"") && world->joins == 0);
}

static const char created[] = "{\"type\":\"session.created\",\"session\":{\"expires_at\":1003600}}";

static void rolls_over_before_the_limit(void) {
  world_t *world = world_live();
  test_name("roll-over");
  world_say(world, created);
  world_say(world, "{\"type\":\"response.output_text.done\",\"item_id\":\"i1\",\"text\":\"Hello\\n\\\"you\\\"\"}");
  world_say(
      world,
      "{\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"u1\",\"transcript\":\"Hi\"}");
  world_pass(world, 3299999);
  CHECK(world->closes == 0);
  world_say(world, "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}");
  world_pass(world, 60000);
  CHECK(world->closes == 0); /* not in the middle of an answer */
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\"}}");
  CHECK(world->closes == 1);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"expired\",\"retry_ms\":0") && world_said(world, "\"state\":\"token\""));
  world_forget(world);
  world_connect(world);
  CHECK(world_sent(world, "\"role\":\"system\"") && world_sent(world, "You: Hello \\\"you\\\"\\nUser: Hi\\n"));
  CHECK(!world_sent(world, "response.create"));
  world_say(world, "{\"type\":\"response.created\",\"response\":{\"id\":\"r2\"}}");
  world_pass(world, 3460000);
  CHECK(world->closes == 2); /* too late to wait for quiet */
}

static void believes_the_service_about_its_limit(void) {
  world_t *world = world_live();
  test_name("limits");
  world_say(world, "{\"type\":\"session.updated\",\"session\":{\"expires_at\":1000120}}");
  world_pass(world, 109999);
  CHECK(world->closes == 0);
  world_pass(world, 1);
  CHECK(world->closes == 1);
  world = world_live();
  world_say(world, "{\"type\":\"session.updated\",\"session\":{\"expires_at\":5}}");
  world_say(world, "{\"type\":\"session.updated\",\"session\":{}}");
  world_pass(world, 3299999);
  CHECK(world->closes == 0);
}

static void survives_expiry(void) {
  static const char expired[] =
      "{\"type\":\"error\",\"error\":{\"code\":\"session_expired\",\"message\":\"Your session hit the maximum.\"}}";
  world_t *world = world_live();
  test_name("expiry");
  world_pass(world, 20000);
  world_say(world, expired);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"expired\",\"retry_ms\":0,\"reason\":\"Your session hit the maximum.\""));
  world_connect(world);
  world_say(world, expired);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  CHECK(world_said(world, "\"code\":\"expired\",\"retry_ms\":2000"));
}

static void bounds_what_it_recalls(void) {
  static char event[2000];
  world_t *world = world_live();
  test_name("recall");
  for (int i = 0; i < 20; i++) {
    char letter = (char)('A' + i);
    snprintf(event, sizeof event, "{\"type\":\"response.output_text.done\",\"item_id\":\"i%d\",\"text\":\"%c", i,
             letter);
    size_t length = strlen(event);
    memset(event + length, 'x', 600);
    strcpy(event + length + 600, "\"}");
    world_say(world, event);
  }
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", PARLEY_NET_LOST);
  world_pass(world, 1000);
  world_forget(world);
  world_connect(world);
  CHECK(world_sent(world, "You: Txx") && !world_sent(world, "You: Axx") && world_sent_times(world, "You: ") == 4);
}

void repair_tests(void) {
  joins_again_with_growing_pauses();
  starts_again_after_a_loss();
  waits_for_wifi();
  rolls_over_before_the_limit();
  believes_the_service_about_its_limit();
  survives_expiry();
  bounds_what_it_recalls();
}
