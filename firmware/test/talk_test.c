/* SPDX-License-Identifier: Apache-2.0 */
/* Words, tools and requests for responses. */
#include "check.h"
#include "world.h"

#include <string.h>

#define CREATED(id) "{\"type\":\"response.created\",\"response\":{\"id\":\"" id "\"}}"
#define DONE(id)    "{\"type\":\"response.done\",\"response\":{\"id\":\"" id "\",\"status\":\"completed\",\"output\":[]}}"

/* Live, and the greeting is over. */
static world_t *talking(void) {
  world_t *world = world_live();
  world_say(world, CREATED("r0"));
  world_say(world, DONE("r0"));
  world_forget(world);
  return world;
}

static void streams_words(void) {
  world_t *world = talking();
  test_name("words");
  world_say(world, "{\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u1\",\"previous_item_id\":\"i0\"}");
  world_say(world, "{\"type\":\"input_audio_buffer.committed\"}");
  world_say(world,
            "{\"type\":\"conversation.item.input_audio_transcription.delta\",\"item_id\":\"u1\",\"delta\":\"Li\"}");
  CHECK(world_said(world,
                   "\"role\":\"user\",\"item\":\"u1\",\"prev\":\"i0\",\"part\":0,\"text\":\"Li\",\"final\":false"));
  world_say(world, "{\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"u1\","
                   "\"transcript\":\"Light\"}");
  CHECK(world_said(world, "\"part\":1,\"text\":\"Light\",\"final\":true"));
  world_say(world, "{\"type\":\"conversation.item.input_audio_transcription.failed\",\"item_id\":\"u2\",\"error\":{"
                   "\"message\":\"noise\"}}");
  CHECK(world_said(world, "\"code\":\"transcription_failed\",\"fatal\":false,\"message\":\"noise\""));
  world_forget(world);
  world_say(world, "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"u1\",\"item\":{\"id\":\"f1\",\"type\":"
                   "\"function_call\"}}");
  world_say(world, "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"f1\",\"item\":{\"id\":\"i1\",\"type\":"
                   "\"message\",\"role\":\"assistant\",\"content\":[]}}");
  world_say(world, "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i1\",\"delta\":\"\"}");
  CHECK(world->out_length == 0);
  world_say(world, "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i1\",\"delta\":\"Do\"}");
  CHECK(world_said(world, "\"role\":\"assistant\",\"item\":\"i1\",\"prev\":\"u1\",\"part\":0"));
  world_say(world, "{\"type\":\"response.output_audio_transcript.done\",\"item_id\":\"i1\",\"transcript\":\"Done\"}");
  world_say(world, "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i1\",\"delta\":\"late\"}");
  world_say(world, "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"i1\",\"type\":\"message\",\"role\":"
                   "\"assistant\",\"content\":[{\"type\":\"output_audio\",\"transcript\":\"Done\"}]}}");
  CHECK(world_said_times(world, "\"text\":\"Done\"") == 1 && !world_said(world, "late"));
  world_say(world, "{\"type\":\"response.output_audio_transcript.delta\",\"item_id\":\"i1\",\"content_index\":1,"
                   "\"delta\":\"more\"}");
  CHECK(world_said(world, "\"part\":0,\"text\":\"more\""));
  world_say(world, "{\"type\":\"response.output_audio_transcript.delta\",\"delta\":\"no item\"}");
  CHECK(!world_said(world, "no item"));
  /* whole text that comes with the item only */
  world_say(world,
            "{\"type\":\"conversation.item.done\",\"item\":{\"id\":\"i2\",\"type\":\"message\",\"role\":\"assistant\","
            "\"content\":[{\"type\":\"output_text\",\"text\":\"\"},{\"transcript\":\"Second\"}]}}");
  CHECK(world_said(world, "\"text\":\"Second\",\"final\":true"));
  world_say(world, "{\"type\":\"conversation.item.added\",\"item\":{\"id\":\"s1\",\"type\":\"message\",\"role\":"
                   "\"system\",\"content\":[{\"text\":\"hidden\"}]}}");
  CHECK(!world_said(world, "hidden") && world->bad_lines == 0);
  world_say(world,
            "{\"type\":\"conversation.item.done\",\"item\":{\"id\":\"u3\",\"type\":\"message\",\"role\":\"user\"}}");
  CHECK(!world_said(world, "\"u3\""));
}

static void splits_long_words(void) {
  static char event[10000];
  world_t *world = talking();
  test_name("long words");
  strcpy(event, "{\"type\":\"response.output_text.done\",\"item_id\":\"i1\",\"text\":\"");
  size_t length = strlen(event);
  for (int i = 0; i < 2000; i++) {
    memcpy(event + length + (size_t)i * 4, i % 3 ? "\xE2\x82\xAC." : "\\\"\xC3\xB6", 4);
  }
  strcpy(event + length + 8000, "\"}");
  world_say(world, event);
  CHECK(world_said(world, "\"part\":4,") && world_said_times(world, "\"final\":true") == 1 && world->bad_lines == 0);
}

static void types_a_turn(void) {
  world_t *world = talking();
  test_name("text");
  world_line(world, "#1 text \"a \\\"b\\\"\"");
  CHECK(world_sent(world, "\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a \\\"b\\\"\"}]"));
  CHECK(world_sent_times(world, "response.create\"") == 1);
  world_say(world, "{\"type\":\"conversation.item.added\",\"item\":{\"id\":\"u1\",\"type\":\"message\",\"role\":"
                   "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"}]}}");
  world_say(world, "{\"type\":\"conversation.item.done\",\"item\":{\"id\":\"u1\",\"type\":\"message\",\"role\":"
                   "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"}]}}");
  CHECK(world_said_times(world, "\"role\":\"user\",\"item\":\"u1\",\"part\":1,\"text\":\"a\",\"final\":true") == 1);
  world_say(world, CREATED("r1"));
  world_line(world, "#2 text second");
  world_line(world, "#3 text third");
  CHECK(world_sent_times(world, "response.create\"") == 1);
  world_say(world, DONE("r1"));
  CHECK(world_sent_times(world, "response.create\"") == 2);
  world_line(world, "#4 text \"\"");
  CHECK(world_said(world, "\"to\":4,\"ok\":false"));
}

#define CALL(id, name, arguments)                                                                                      \
  "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"" id "\",\"name\":\"" name                        \
  "\",\"arguments\":\"" arguments "\"}"

static void runs_each_call_once(void) {
  world_t *world = talking();
  test_name("tools");
  world_say(world, CREATED("r1"));
  world_say(world,
            CALL("call_1", "SetLightState",
                 "{\\\"LightState\\\":true,\\\"LightColor\\\":{\\\"red\\\":1,\\\"green\\\":2,\\\"blue\\\":255}}"));
  CHECK(world->device.light && world->device.red == 1 && world->device.green == 2 && world->device.blue == 255);
  CHECK(world_said(world, "\"k\":\"call\"") &&
        world_said(world, "\"name\":\"SetLightState\",\"arguments\":\"{\\\"LightState\\\":true"));
  CHECK(world_said(world, "\"ok\":true,\"ms\":0,\"output\":\"{\\\"ok\\\":true}\""));
  world_say(world, CALL("call_2", "SetVolume", "{\\\"volume\\\":33}"));
  CHECK(world->device.volume == 33);
  world_say(world, "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"f2\",\"type\":\"function_call\","
                   "\"status\":\"completed\",\"call_id\":\"call_2\",\"name\":\"SetVolume\",\"arguments\":\"{}\"}}");
  world_say(world, "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"f3\",\"type\":\"function_call\","
                   "\"status\":\"incomplete\",\"call_id\":\"call_3\",\"name\":\"SetVolume\",\"arguments\":\"{\"}}");
  world_say(world, "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"call_4\",\"arguments\":\"{}\"}");
  CHECK(world_said_times(world, "\"k\":\"result\"") == 2 && !world_sent(world, "response.create\""));
  world_say(world,
            "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"completed\",\"output\":[{\"type\":"
            "\"function_call\",\"call_id\":\"call_2\",\"name\":\"SetVolume\",\"arguments\":\"{}\"},{\"type\":"
            "\"function_call\",\"call_id\":\"call_5\",\"name\":\"OpenDoor\",\"arguments\":\"{\\\"open\\\":true}\"}]}}");
  CHECK(world->device.door_open && world_said_times(world, "\"k\":\"result\"") == 3);
  CHECK(world_sent_times(world, "function_call_output") == 3 && world_sent_times(world, "response.create\"") == 1);
  CHECK(world_sent(world, "\"call_id\":\"call_5\",\"output\":\"{\\\"ok\\\":true}\""));
}

static void tells_the_model_what_is_wrong(void) {
  static const struct {
    const char *event, *problem;
  } cases[] = {
      {CALL("c1", "SetVolume", "{\\\"volume\\\":101}"), "volume has to be a whole number from 0 to 100"},
      {CALL("c2", "SetVolume", "{}"), "volume has to be"},
      {CALL("c3", "SetVolume", "no JSON"), "no JSON object"},
      {CALL("c4", "SetVolume", "[]"), "no JSON object"},
      {CALL("c5", "OpenDoor", "{\\\"open\\\":\\\"yes\\\"}"), "open has to be true or false"},
      {CALL("c6", "SetLightState", "{\\\"LightState\\\":1}"), "LightState has to be"},
      {CALL("c7", "SetLightState",
            "{\\\"LightState\\\":true,\\\"LightColor\\\":{\\\"red\\\":1,\\\"green\\\":-1,\\\"blue\\\":0}}"),
       "LightColor needs"},
      {CALL("c8", "SetLightState", "{\\\"LightState\\\":true,\\\"LightColor\\\":{\\\"red\\\":1,\\\"green\\\":1}}"),
       "LightColor needs"},
      {CALL("c9", "SetLightState", "{\\\"LightState\\\":true,\\\"LightColor\\\":7}"), "LightColor needs"},
      {CALL("c0", "MakeCoffee", "{}"), "there is no such tool"},
  };
  world_t *world = talking();
  test_name("bad arguments");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    world_forget(world);
    world_say(world, cases[i].event);
    check(world_said(world, cases[i].problem) && world_sent(world, cases[i].problem), cases[i].problem, __FILE__,
          __LINE__);
    CHECK(world_said(world, "\"ok\":false") && !world->device.light && world->device.volume == 50);
  }
  static char event[6000];
  strcpy(event, "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"long\",\"name\":\"OpenDoor\","
                "\"arguments\":\"");
  size_t length = strlen(event);
  memset(event + length, ' ', 4000);
  strcpy(event + length + 4000, "\"}");
  world_say(world, event);
  CHECK(world_said(world, "the arguments are too long") && world_said(world, "\"cut\":true") && world->bad_lines == 0);
}

#define CONFLICT(event_id)                                                                                             \
  "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"conversation_already_has_active_"      \
  "response\",\"message\":\"busy\",\"event_id\":" event_id "}}"

static void keeps_one_response_at_a_time(void) {
  world_t *world = talking();
  test_name("conflicts");
  world_line(world, "text one");
  CHECK(world_sent(world, "parley_3"));
  world_say(world, CONFLICT("\"somebody_else\""));
  world_say(world, CONFLICT("\"parley_3\""));
  CHECK(!world_said(world, "busy") && world_sent_times(world, "response.create\"") == 1);
  world_say(world, CONFLICT("null")); /* again: nothing is under way */
  world_pass(world, 29999);
  CHECK(world_sent_times(world, "response.create\"") == 1);
  world_pass(world, 1); /* no response.done ever */
  CHECK(world_sent_times(world, "response.create\"") == 2);
  world_say(world, CONFLICT("null"));
  world_say(world, DONE("r0"));
  CHECK(world_sent_times(world, "response.create\"") == 3);
  world_pass(world, 10000); /* lost */
  world_line(world, "text two");
  CHECK(world_sent_times(world, "response.create\"") == 4);
  world_line(world, "text three");
  world_say(world, CREATED("r1"));
  world_say(world, DONE("r1"));
  CHECK(world_sent_times(world, "response.create\"") == 5);
  world_say(world, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":null,\"message\":\"no\","
                   "\"event_id\":\"parley_10\"}}");
  CHECK(world_said(world, "\"code\":\"invalid_request_error\",\"fatal\":false,\"message\":\"no\""));
  world_say(world, "{\"type\":\"error\",\"error\":{}}");
  CHECK(world_said(world, "\"code\":\"service\""));
  world_say(world, "{\"type\":\"error\",\"error\":{\"code\":\"response_cancel_not_active\",\"message\":\"harmless\"}}");
  CHECK(!world_said(world, "harmless"));
}

static void leaves_speech_to_the_service(void) {
  static const char started[] = "{\"type\":\"input_audio_buffer.speech_started\",\"item_id\":\"u1\"}";
  static const char stopped[] = "{\"type\":\"input_audio_buffer.speech_stopped\",\"item_id\":\"u1\"}";
  test_name("speech and wishes");
  world_t *world = talking();
  world_say(world, started);
  world_line(world, "text one");
  world_pass(world, 60000);
  CHECK(!world_sent(world, "response.create\""));
  world_say(world, stopped);
  world_say(world, CREATED("r1"));
  world_say(world, DONE("r1"));
  CHECK(!world_sent(world, "response.create\"")); /* r1 answered it */
  world_say(world, started);
  world_line(world, "text two");
  world_say(world, stopped);
  CHECK(world->wait_ms == 3000);
  world_pass(world, 3000); /* the service does not answer this speech */
  CHECK(world_sent_times(world, "response.create\"") == 1);
  world_say(world, CREATED("r2"));
  world_say(world, CALL("c1", "OpenDoor", "{\\\"open\\\":false}"));
  world_say(world, started);
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r2\",\"status\":\"cancelled\",\"status_"
                   "details\":{\"type\":\"cancelled\",\"reason\":\"turn_detected\"},\"usage\":null}}");
  world_say(world, stopped);
  world_pass(world, 60000);
  CHECK(world_sent_times(world, "response.create\"") == 1);
}

static void tells_usage_and_failures(void) {
  world_t *world = talking();
  test_name("usage");
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":\"failed\",\"status_details\":{"
                   "\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow\"}},\"usage\":{\"total_tokens\":9,"
                   "\"input_tokens\":5,\"output_tokens\":4,\"input_token_details\":{\"text_tokens\":1,\"audio_tokens\":"
                   "4,\"cached_tokens\":-2},\"output_token_details\":{\"text_tokens\":3,\"audio_tokens\":1}}}}");
  CHECK(world_said(world, "\"code\":\"rate_limit_exceeded\",\"fatal\":false,\"message\":\"slow\""));
  CHECK(world_said(world, "\"response\":\"r1\",\"total\":9,\"input\":5,\"output\":4,\"input_text\":1,\"input_audio\":4,"
                          "\"cached\":0,\"output_text\":3,\"output_audio\":1"));
  world_say(world, "{\"type\":\"response.done\",\"response\":{\"id\":\"r2\",\"status\":\"failed\"}}");
  CHECK(world_said(world, "\"code\":\"response_failed\""));
}

static void takes_nonsense_calmly(void) {
  world_t *world = talking();
  test_name("nonsense");
  world_say(world, "{\"type\":\"response.new_thing\",\"event_id\":\"e1\"}");
  world_say(world, "{\"type\":\"rate_limits.updated\",\"event_id\":\"e2\"}");
  CHECK(world->out_length == 0);
  world_say(world, "{\"type\":");
  world_say(world, "[]");
  world_say(world, "{\"type\":5}");
  CHECK(world_said_times(world, "\"code\":\"bad_event\"") == 3);
  world_say(world, "{\"type\":\"error\",\"event_id\":\"e3\",\"error\":{\"code\":\"a\"}}");
  world_say(world, "{\"type\":\"error\",\"event_id\":\"e3\",\"error\":{\"code\":\"a\"}}");
  CHECK(world_said_times(world, "\"code\":\"a\"") == 1);
  world_say(world, "{\"type\":\"conversation.item.added\",\"item\":{\"type\":\"message\"}}");
  world_say(world, "{\"type\":\"conversation.item.added\",\"item\":null}");
  world_say(world, "{\"type\":\"conversation.item.truncated\",\"audio_end_ms\":-1}");
  world_say(
      world,
      "{\"type\":\"conversation.item.added\",\"previous_item_id\":\"x\",\"item\":{\"id\":\"x\",\"type\":\"odd\"}}");
  world_say(
      world,
      "{\"type\":\"conversation.item.done\",\"previous_item_id\":\"x\",\"item\":{\"id\":\"x\",\"type\":\"odd\"}}");
  world_line(world, "stop");
  CHECK(world_said(world, "left alone: 1\n") && world->bad_lines == 0);
}

void talk_tests(void) {
  streams_words();
  splits_long_words();
  types_a_turn();
  runs_each_call_once();
  tells_the_model_what_is_wrong();
  keeps_one_response_at_a_time();
  leaves_speech_to_the_service();
  tells_usage_and_failures();
  takes_nonsense_calmly();
}
