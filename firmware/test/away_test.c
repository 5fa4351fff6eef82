/* SPDX-License-Identifier: Apache-2.0 */
/* What a board does without a session: it tries again, says hello again, tests its sound. And items of several parts.
 */
#include "check.h"
#include "world.h"

static void starts_again_while_the_service_is_away(void) {
  static const int32_t away[] = {PARLEY_NET_TIMEOUT, PARLEY_NET_UNREACHABLE};
  test_name("a service that is away at power-on");
  for (size_t i = 0; i < sizeof away / sizeof away[0]; i++) {
    world_t *world = world_new();
    world_boot(world);
    world_wifi_up(world);
    world_http_fails(world, away[i]);
    CHECK(world_said(world, "\"state\":\"waiting\",\"code\":") && world_said(world, "\"retry_ms\":1000"));
    world_pass(world, 1000);
    CHECK(world->posts == 2);
    world_http(world, i == 0 ? 429 : 503, "", "");
    CHECK(world_said(world, "\"retry_ms\":2000"));
    world_wifi_down(world, PARLEY_WIFI_LOST);
    world_pass(world, 2000);
    CHECK(world->posts == 2);
    world_wifi_up(world);
    world_plain(world, PARLEY_EV_TICK);
    CHECK(world->posts == 3);
    world_connect(world);
    CHECK(world_said(world, "\"state\":\"live\""));
  }
}

static void stops_where_a_person_looks(void) {
  world_t *world = world_new();
  test_name("a start that a person asked for");
  world_boot(world);
  world_wifi_up(world);
  world_http_fails(world, PARLEY_NET_TIMEOUT);
  world_line(world, "start"); /* a person takes it over */
  CHECK(world->posts == 2);
  world_http_fails(world, PARLEY_NET_TIMEOUT);
  CHECK(world_said(world, "\"state\":\"idle\",\"code\":\"timeout\"") && world->wait_ms == UINT32_MAX);
  world = world_new();
  world_boot(world);
  world_wifi_up(world);
  world_http(world, 401, "", "");
  CHECK(world->wait_ms == UINT32_MAX); /* waiting does not help */
  world = world_new();
  world_boot(world);
  world_line(world, "start"); /* asked for before Wi-Fi was up */
  world_wifi_up(world);
  world_http_fails(world, PARLEY_NET_TIMEOUT);
  CHECK(world->wait_ms == UINT32_MAX);
}

static void says_hello_again(void) {
  world_t *world = world_live();
  test_name("hello");
  world_pass(world, 4321);
  world_line(world, "#1 hello");
  CHECK(world_said(world, "\"t\":4321,\"version\""));
  CHECK(world_said(world, "\"reset\":\"power_on\",\"repeated\":true,\"cfg_id\":\"\"}"));
}

static void tests_the_sound(void) {
  parley_sound_t sound = {123, -1525, -2049, -6000};
  const parley_event_t event = {.kind = PARLEY_EV_SOUND, .as.sound = &sound};
  world_t *world = world_live();
  test_name("sound");
  world_line(world, "#1 sound");
  CHECK(world_said(world, "\"to\":1,\"ok\":false,\"text\":\"a session has the sound; stop it first\""));
  CHECK(world->sounds == 0);
  world = world_new();
  world_boot(world);
  world_line(world, "#2 sound");
  CHECK(world->sounds == 1);
  world_step(world, &event);
  CHECK(world_said(world, "\"heard\":true,\"delay_ms\":123,\"tone\":-15.2,\"mic\":-20.4,\"echo\":-60.0}"));
  CHECK(!world_said(world, "was heard"));
  world_line(world, "sound");
  world_step(world, &event);
  CHECK(world_said(world, "the tone was heard after 123 ms; sent -15.2, heard -20.4, left of the echo -60.0 dBFS\n"));
  sound.delay_ms = -1;
  world_step(world, &event);
  CHECK(world_said(world, "\"heard\":false,\"tone\""));
  CHECK(world_said(world, "the microphone did not hear the tone; sent"));
  world_wifi_up(world);
  world_http_fails(world, PARLEY_NET_TIMEOUT); /* waiting */
  world_line(world, "#3 sound");
  CHECK(world->sounds == 3 && world->bad_lines == 0);
}

#define PART(kind, index, text)                                                                                        \
  "{\"type\":\"response.output_text." kind "\",\"item_id\":\"i1\",\"content_index\":" index "," text "}"

static void shows_every_part_of_an_item(void) {
  static const char done[] =
      "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"i1\",\"type\":\"message\",\"role\":\"assistant\","
      "\"content\":[{\"type\":\"output_text\",\"text\":\"One.\"},{\"type\":\"odd\"},{\"type\":\"output_audio\","
      "\"transcript\":\"Two.\"}]}}";
  world_t *world = world_live();
  test_name("items with several parts");
  world_say(world, PART("delta", "0", "\"delta\":\"One.\""));
  world_say(world, PART("done", "0", "\"text\":\"One.\""));
  world_say(world, PART("delta", "0", "\"delta\":\"late\""));
  world_say(world, PART("delta", "1", "\"delta\":\"Two.\""));
  world_say(world, PART("done", "1", "\"text\":\"Two.\""));
  CHECK(world_said(world, "\"part\":0,\"text\":\"Two.\",\"final\":false"));
  CHECK(world_said_times(world, "\"final\":true") == 1 && !world_said(world, "late"));
  world_forget(world);
  world_say(world, done);
  CHECK(world_said(world, "\"part\":1,\"text\":\"One.\",\"final\":false"));
  CHECK(world_said(world, "\"part\":2,\"text\":\"Two.\",\"final\":true"));
  world_forget(world);
  world_say(world, done);
  CHECK(world->out_length == 0);
  /* The next session is told each sentence once. */
  world_peer(world, PARLEY_EV_CHANNEL_CLOSED, world->peer, "", 0);
  world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
  world_pass(world, 1000);
  world_connect(world);
  CHECK(world_sent(world, "You: One.\\nYou: Two.\\n\""));
}

void away_tests(void) {
  starts_again_while_the_service_is_away();
  stops_where_a_person_looks();
  says_hello_again();
  tests_the_sound();
  shows_every_part_of_an_item();
}
