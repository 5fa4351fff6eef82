/* SPDX-License-Identifier: Apache-2.0 */
/* Who speaks when; barge-in in every order. */
#include "check.h"
#include "world.h"

#define STARTED   "{\"type\":\"input_audio_buffer.speech_started\",\"item_id\":\"u2\"}"
#define CLEARED   "{\"type\":\"output_audio_buffer.cleared\",\"response_id\":\"r1\"}"
#define TRUNCATED "{\"type\":\"conversation.item.truncated\",\"item_id\":\"i1\",\"audio_end_ms\":900}"
#define SOUND     "{\"type\":\"output_audio_buffer.started\",\"response_id\":\"r1\"}"

/* The user has spoken and r1 is about to sound. */
static world_t *asked(void) {
  world_t *world = world_live();
  world_say(world, "{\"type\":\"input_audio_buffer.speech_started\",\"item_id\":\"u1\"}");
  world_pass(world, 1000);
  world_say(world, "{\"type\":\"input_audio_buffer.speech_stopped\",\"item_id\":\"u1\"}");
  world_say(world, "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}");
  world_say(world, "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"i1\",\"type\":\"message\",\"role\":"
                   "\"assistant\",\"content\":[]}}");
  return world;
}

static void measures_an_answer(void) {
  world_t *world = asked();
  test_name("turns");
  CHECK(world_said(world, "\"role\":\"user\",\"item\":\"u1\",\"state\":\"started\"}") && world->flushes == 1);
  CHECK(world_said(world, "\"role\":\"user\",\"item\":\"u1\",\"state\":\"ended\"}"));
  world_pass(world, 400);
  world_speaker(world, true);
  CHECK(world_said(world, "\"role\":\"assistant\",\"item\":\"i1\",\"state\":\"started\",\"ms\":400"));
  world_say(world, SOUND);
  world_speaker(world, false);
  CHECK(world_said_times(world, "\"role\":\"assistant\"") == 1);
  world_say(world, "{\"type\":\"output_audio_buffer.stopped\",\"response_id\":\"r1\"}");
  world_say(world, "{\"type\":\"output_audio_buffer.stopped\",\"response_id\":\"r1\"}");
  CHECK(world_said_times(world, "\"state\":\"ended\"") == 2);
  world_say(world, "{\"type\":\"input_audio_buffer.speech_started\"}");
  world_say(world, "{\"type\":\"input_audio_buffer.speech_stopped\"}");
  world_say(world, "{\"type\":\"input_audio_buffer.speech_stopped\",\"item_id\":\"\"}");
  CHECK(world_said_times(world, "\"role\":\"user\"") == 2 && world->flushes == 2);
  world_say(world, SOUND);
  CHECK(world_said_times(world, "\"state\":\"started\"") == 2);
}

static void is_interrupted_in_any_order(void) {
  static const char *const orders[][4] = {
      {STARTED, CLEARED, TRUNCATED, ""}, {STARTED, TRUNCATED, CLEARED, ""}, {CLEARED, TRUNCATED, STARTED, ""},
      {TRUNCATED, STARTED, CLEARED, ""}, {CLEARED, STARTED, TRUNCATED, ""},
  };
  test_name("barge-in");
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    world_t *world = asked();
    world_say(world, SOUND);
    world_pass(world, 1000);
    for (size_t k = 0; k < 3; k++) {
      world_say(world, orders[i][k]);
    }
    CHECK(world_said_times(world, "\"item\":\"i1\",\"state\":\"interrupted\",\"ms\":0,\"cut_ms\":900}") == 1);
    CHECK(world->flushes == 2 && !world_said(world, "\"item\":\"i1\",\"state\":\"ended\""));
  }
}

static void estimates_what_is_not_told(void) {
  world_t *world = asked();
  test_name("cut without word of the service");
  world_say(world, SOUND);
  world_pass(world, 700);
  world_say(world, STARTED);
  world_pass(world, 60);
  world_speaker(world, false);
  world_pass(world, 939);
  CHECK(!world_said(world, "interrupted"));
  world_pass(world, 1);
  CHECK(world_said(world, "\"state\":\"interrupted\",\"ms\":60,\"cut_ms\":760}"));
  world = asked();
  world_say(world, SOUND);
  world_say(world, STARTED);
  world_pass(world, 1000);
  CHECK(world_said(world, "\"state\":\"interrupted\"}"));
  world = asked();
  world_say(world, SOUND);
  world_say(world, CLEARED); /* nobody spoke */
  world_pass(world, 1000);
  CHECK(world_said(world, "\"state\":\"interrupted\",\"cut_ms\":0}"));
}

static void ignores_sound_of_what_is_over(void) {
  world_t *world = asked();
  test_name("late sound");
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"cancelled\"}}");
  world_say(world, SOUND);
  world_speaker(world, true);
  CHECK(!world_said(world, "\"role\":\"assistant\""));
  world_say(world, CLEARED);
  world_say(world, TRUNCATED);
  world_say(world, STARTED);
  world_pass(world, 2000);
  CHECK(!world_said(world, "interrupted"));
}

static void follows_several_responses(void) {
  world_t *world = asked();
  test_name("two responses");
  world_say(world, SOUND);
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\"}}");
  world_say(world, "{\"type\":\"response.created\",\"response\":{\"id\":\"r2\"}}");
  world_say(world, "{\"type\":\"output_audio_buffer.started\",\"response_id\":\"r2\"}"); /* no item yet */
  world_say(
      world,
      "{\"type\":\"conversation.item.added\",\"item\":{\"id\":\"i2\",\"type\":\"message\",\"role\":\"assistant\"}}");
  world_say(world, "{\"type\":\"output_audio_buffer.started\",\"response_id\":\"r2\"}");
  CHECK(world_said(world, "\"item\":\"i1\",\"state\":\"ended\"") &&
        world_said(world, "\"item\":\"i2\",\"state\":\"started\"}"));
  world_line(world, "stop");
  world_forget(world);
  world_speaker(world, false);
  world_say(world, STARTED);
  CHECK(world->out_length == 0);
}

void turn_tests(void) {
  measures_an_answer();
  is_interrupted_in_any_order();
  estimates_what_is_not_told();
  ignores_sound_of_what_is_over();
  follows_several_responses();
}
