/* SPDX-License-Identifier: Apache-2.0 */
/* Random events in any order, with nonsense in them: no deadlock, no malformed line, no secret. The seeds are fixed. */
#include "check.h"
#include "world.h"

#include <string.h>

enum { STORMS = 150, EVENTS = 200 };

static uint64_t state;

/* xorshift64*: the same storm on every machine. */
static uint32_t roll(uint32_t sides) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 0x2545F4914F6CDD1DULL) >> 33) % sides;
}

static const char *const lines[] = {
    "start\n",
    "#1 stop\n",
    "i 1\n",
    "wifi home wifi-secret\r\n",
    "text \"hello\"\n",
    "vol 3\n",
    "mute 1\n",
    "scan\n",
    "#2 cfg\n",
    "set volume 9\n",
    "set token_mode 1\n",
    "set token_mode 0\n",
    "token ek_short_lived_secret\n",
    "help\n",
    "reboot\n",
    "answer o1 {}\n",
    "#3 answer o2 {\"ok\":false}\n",
    "sound\n",
    "hello\n",
    "\"",
    "\\",
    "\n",
    "\r",
    "#",
    "\xFF",
    "set api_key sk-secret-0123456789\n",
    "                    ",
};

static const char *const events[] = {
    "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}",
    "{\"type\":\"response.created\",\"response\":{\"id\":\"r2\"}}",
    "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\",\"usage\":{}}}",
    "{\"type\":\"response.done\",\"response\":{\"id\":\"r2\",\"status\":\"cancelled\",\"status_details\":{\"reason\":"
    "\"turn_detected\"}}}",
    "{\"type\":\"input_audio_buffer.speech_started\",\"item_id\":\"u1\"}",
    "{\"type\":\"input_audio_buffer.speech_stopped\",\"item_id\":\"u1\"}",
    "{\"type\":\"output_audio_buffer.started\",\"response_id\":\"r1\"}",
    "{\"type\":\"output_audio_buffer.stopped\",\"response_id\":\"r1\"}",
    "{\"type\":\"output_audio_buffer.cleared\",\"response_id\":\"r1\"}",
    "{\"type\":\"conversation.item.truncated\",\"item_id\":\"i1\",\"audio_end_ms\":5}",
    "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"u1\",\"item\":{\"id\":\"i1\",\"type\":\"message\","
    "\"role\":\"assistant\"}}",
    "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"i1\",\"item\":{\"id\":\"f1\",\"type\":\"function_"
    "call\"}}",
    "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"f1\",\"item\":{\"id\":\"u1\",\"type\":\"odd\"}}",
    "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i1\",\"delta\":\"wifi-secret "
    "sk-secret-0123456789\"}",
    "{\"type\":\"response.output_audio_transcript.done\",\"item_id\":\"i2\",\"transcript\":\"ek_short_lived_secret\"}",
    "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"c1\",\"name\":\"SetVolume\",\"arguments\":\"{"
    "\\\"volume\\\":5}\"}",
    "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"c2\",\"name\":\"wifi-secret\",\"arguments\":"
    "\"wifi-secret\"}",
    "{\"type\":\"error\",\"error\":{\"code\":\"conversation_already_has_active_response\"}}",
    "{\"type\":\"error\",\"error\":{\"code\":\"session_expired\",\"message\":\"sk-secret-0123456789\"}}",
    "{\"type\":\"error\",\"error\":{\"code\":\"sk-secret-0123456789\",\"message\":\"wifi-secret\"}}",
    "{\"type\":\"session.created\",\"session\":{\"expires_at\":1000060}}",
    "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"o1\",\"name\":\"Mow\","
    "\"arguments\":\"{}\"}",
    "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"o2\",\"name\":\"Mow\","
    "\"arguments\":\"{}\"}",
    "{\"type\":\"\\u0000\"}",
    "{\"type\"",
};

static void say_damaged(world_t *world) {
  char event[400];
  strcpy(event, events[roll(sizeof events / sizeof events[0])]);
  event[roll((uint32_t)strlen(event))] = (char)(1 + roll(255));
  world_say(world, event);
}

static void one_event(world_t *world) {
  static const parley_event_kind_t peer_kinds[] = {PARLEY_EV_PEER_OFFER,     PARLEY_EV_PEER_UP,
                                                   PARLEY_EV_PEER_DOWN,      PARLEY_EV_CHANNEL_OPEN,
                                                   PARLEY_EV_CHANNEL_CLOSED, PARLEY_EV_CHANNEL_OPEN};
  switch (roll(16)) {
  case 0:
  case 1: {
    const char *line = lines[roll(sizeof lines / sizeof lines[0])];
    world_type(world, line, strlen(line));
    break;
  }
  case 2: world_wifi_up(world); break;
  case 3: world_wifi_down(world, (int32_t)roll(6)); break;
  case 4: world_secret(world); break;
  case 5: world_http(world, 201, "v=0 wifi-secret", "/x/rtc_1"); break;
  case 6: world_http(world, 200 + (int32_t)roll(400), "{\"error\":{\"message\":\"sk-secret-0123456789\"}}", ""); break;
  case 7: world_http_fails(world, (int32_t)roll(9)); break;
  case 8:
  case 9: world_peer(world, peer_kinds[roll(6)], world->peer - (roll(8) == 0), "v=0", (int32_t)roll(9)); break;
  case 10: world_speaker(world, roll(2) == 0); break;
  case 11: world_pass(world, roll(30) == 0 ? 4000000 : roll(3000)); break;
  case 12: say_damaged(world); break;
  default: world_say(world, events[roll(sizeof events / sizeof events[0])]); break;
  }
}

static void weathers_storms(void) {
  test_name("storms");
  size_t records = 0;
  for (uint64_t seed = 1; seed <= STORMS; seed++) {
    state = seed * 0x9E3779B97F4A7C15ULL;
    world_t *world = world_new();
    world_text(world, "tools2", "{\"type\":\"function\",\"name\":\"Mow\"}");
    world_boot(world);
    world_wifi_up(world);
    if (seed % 2) {
      world_connect(world);
    }
    for (int i = 0; i < EVENTS; i++) {
      world->chance = roll(UINT32_MAX);
      one_event(world);
      /* No wish for a tick at once, over and over. */
      for (int k = 0; k < 5 && world->wait_ms == 0; k++) {
        world_plain(world, PARLEY_EV_TICK);
      }
      CHECK(world->wait_ms != 0);
    }
    CHECK(world->bad_lines == 0);
    CHECK(!world_said(world, "sk-secret-0123456789") && !world_said(world, "ek_short_lived_secret"));
    CHECK(!world_said(world, "wifi-secret"));
    /* And afterwards it works as ever. */
    world_line(world, "\n#77 stop");
    world_peer(world, PARLEY_EV_PEER_DOWN, world->peer, "", 0);
    world_line(world, "set token_mode 0");
    world_wifi_up(world);
    world_forget(world);
    world_line(world, "#78 start");
    CHECK(world_said(world, "\"to\":78,\"ok\":true") && world_said(world, "\"state\":\"token\""));
    world_connect(world);
    CHECK(world_said(world, "\"state\":\"live\""));
    records += world->records;
  }
  CHECK(records > 10000);
}

/* Events of 1 MB, deep ones, cut ones: one error each, then business as usual. */
static void takes_monsters(void) {
  static char event[1 << 20];
  world_t *world = world_live();
  test_name("monsters");
  memset(event, '[', sizeof event - 1);
  world_say(world, event);
  memset(event, 'x', sizeof event - 1);
  memcpy(event, "{\"type\":\"odd\",\"text\":\"", 22);
  world_say(world, event);
  CHECK(world_said_times(world, "\"code\":\"bad_event\"") == 2);
  memcpy(event + sizeof event - 3, "\"}", 2);
  world_say(world, event);
  CHECK(world_said_times(world, "\"code\":\"bad_event\"") == 2);
  static const char whole[] = "{\"type\":\"response.output_text.done\",\"item_id\":\"i1\",\"text\":\"";
  memcpy(event, whole, sizeof whole - 1);
  size_t before = world->records;
  world_say(world, event);
  CHECK(world->records - before > 500 && world->bad_lines == 0);
}

void storm_tests(void) {
  weathers_storms();
  takes_monsters();
}
