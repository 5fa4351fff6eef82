/* SPDX-License-Identifier: Apache-2.0 */
/* Tools of `cfg`: what is declared, how the computer answers, and what happens when it does not. */
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define TOOL(name)  "{\"type\":\"function\",\"name\":\"" name "\"}"
#define CREATED(id) "{\"type\":\"response.created\",\"response\":{\"id\":\"" id "\"}}"
#define DONE(id)    "{\"type\":\"response.done\",\"response\":{\"id\":\"" id "\",\"status\":\"completed\",\"output\":[]}}"
#define FAILED(why) "\"output\":\"{\\\"ok\\\":false,\\\"error\\\":\\\"" why "\\\"}\""

static const char definitions[] =
    "[{\"type\":\"function\", \"name\":\"Water\",\"description\":\"Waters \\\"it\\\".\",\n\"parameters\":{\"type\":"
    "\"object\"}}, " TOOL("Look_1") "]";

static void call(world_t *world, const char *id, const char *name, const char *arguments) {
  char event[6000];
  (void)snprintf(event, sizeof event,
                 "{\"type\":\"response.function_call_arguments.done\",\"call_id\":\"%s\",\"name\":\"%s\","
                 "\"arguments\":\"%s\"}",
                 id, name, arguments);
  world_say(world, event);
}

static world_t *gardening(void) {
  world_t *world = world_new();
  world_text(world, "greeting", "");
  world_text(world, "tools1", definitions);
  world_text(world, "tools3", TOOL("Mow"));
  world_boot(world);
  world_wifi_up(world);
  CHECK(strstr(world->body, "\"required\":[\"open\"]}},{\"type\":\"function\", \"name\":\"Water\"") != NULL);
  CHECK(strstr(world->body, "}}," TOOL("Look_1") "," TOOL("Mow") "],\"tool_choice\"") != NULL);
  world_connect(world);
  world_forget(world);
  return world;
}

static void refuses_what_the_service_would(void) {
  static const char *const bad[] = {
      "[",
      "5",
      "[[]]",
      "[1]",
      "\"text\"",
      "{}",
      "{\"type\":\"function\"}",
      "{\"name\":\"a\"}",
      "{\"type\":\"mcp\",\"name\":\"a\"}",
      "{\"type\":\"function\",\"name\":\"\"}",
      "{\"type\":\"function\",\"name\":5}",
      "{\"type\":\"function\",\"name\":\"a b\"}",
      "{\"type\":\"function\",\"name\":\"0123456789012345678901234567890123456789012345678901234567890123x\"}",
      "{\"type\":\"function\",\"name\":\"a\",\"name\":\"b\"}",
      "{\"type\":\"function\",\"name\":\"a\",\"description\":5}",
      "{\"type\":\"function\",\"name\":\"a\",\"parameters\":[]}",
      "{\"type\":\"function\",\"name\":\"a\",\"strict\":true}",
      TOOL("SetVolume"),
      "[" TOOL("a") "," TOOL("a") "]",
      "[" TOOL("a") "," TOOL("\\u0061") "]",
  };
  static const char *const good[] = {"", "[]", " [ ] ", TOOL("a"), " " TOOL("a") "\n", "[" TOOL("a") "," TOOL("b") "]"};
  test_name("definitions");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    world_t *world = world_new();
    world_text(world, "tools0", bad[i]);
    world_text(world, "tools1", TOOL("good"));
    world_boot(world);
    check(world_said(world, "\"code\":\"cfg\",\"key\":\"tools0\",\"fatal\":false,\"message\":\"unfit; expected "
                            "definitions of tools in JSON, 0 to 1500 bytes; the default is used\""),
          bad[i], __FILE__, __LINE__);
    world_wifi_up(world);
    CHECK(strstr(world->body, "}}," TOOL("good") "],\"tool_choice\"") != NULL);
  }
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    world_t *world = world_new();
    world_text(world, "tools0", good[i]);
    world_boot(world);
    check(!world_said(world, "\"key\":\"tools0\",\"fatal\":false,\"message\":\"unfit"), good[i], __FILE__, __LINE__);
    world_line(world, "#1 set tools2 [");
    CHECK(world_said(world, "\"ok\":false,\"text\":\"tools2 is definitions of tools in JSON, 0 to 1500 bytes\""));
  }
  world_t *world = world_new();
  world_text(world, "tools0", TOOL("a"));
  world_text(world, "tools1", "[" TOOL("c") "," TOOL("a") "]");
  world_text(world, "tools2", TOOL("c"));
  world_boot(world);
  CHECK(world_said(world, "\"key\":\"tools1\",\"fatal\":false,\"message\":\"unfit"));
  CHECK(!world_said(world, "\"key\":\"tools2\",\"fatal\":false,\"message\":\"unfit"));
}

static void fits_the_longest(void) {
  char key[] = "tools0";
  char tools[1501];
  char instructions[2001];
  world_t *world = world_new();
  test_name("the longest request");
  for (; key[5] <= '3'; key[5]++) {
    int length = snprintf(tools, sizeof tools, "{\"type\":\"function\",\"name\":\"t%c\",\"description\":\"", key[5]);
    memset(tools + length, 'x', sizeof tools - (size_t)length);
    memcpy(tools + 1498, "\"}", 3);
    world_text(world, key, tools);
  }
  memset(instructions, '"', 2000);
  instructions[2000] = '\0';
  world_text(world, "instr", instructions);
  world_boot(world);
  CHECK(!world_said(world, "unfit"));
  world_wifi_up(world);
  CHECK(strstr(world->body, "\"tool_choice\":\"auto\"}}") != NULL && strlen(world->body) > 10600);
}

static void the_computer_answers(void) {
  world_t *world = gardening();
  test_name("answers");
  world_say(world, CREATED("r1"));
  call(world, "c1", "Water", "{\\\"litres\\\": 2}");
  call(world, "c2", "Mow", "{}");
  call(world, "c1", "Water", "{}"); /* seen */
  CHECK(world_said(world, "\"call\":\"c1\",\"name\":\"Water\",\"arguments\":\"{\\\"litres\\\": 2}\"}"));
  CHECK(world_said_times(world, "\"k\":\"call\"") == 2 && !world_said(world, "\"k\":\"result\""));
  world_say(world, DONE("r1"));
  world_line(world, "#1 answer c9 {}");
  world_line(world, "#2 answer \"\" {}");
  world_line(world, "#3 answer c1 {");
  CHECK(world_said_times(world, "\"ok\":false,\"text\":\"no such call waits\"") == 2);
  CHECK(world_said(world, "\"to\":3,\"ok\":false,\"text\":\"the answer is no JSON\""));
  world_pass(world, 1500);
  world_line(world, "#4 answer c1 {\"done\":true}");
  CHECK(world_said(world, "\"call\":\"c1\",\"name\":\"Water\",\"ok\":true,\"ms\":1500,\"output\":\"{\\\"done\\\":"
                          "true}\""));
  CHECK(world_said(world, "\"to\":4,\"ok\":true"));
  CHECK(world_sent(world, "\"call_id\":\"c1\",\"output\":\"{\\\"done\\\":true}\""));
  CHECK(!world_sent(world, "response.create\""));
  world_line(world, "#5 answer c1 {}"); /* answered */
  CHECK(world_said(world, "\"to\":5,\"ok\":false"));
  world_line(world, "answer c2 \"{\\\"ok\\\":false, \\\"why\\\":\\\"rain\\\"}\"");
  CHECK(world_said(world, "\"call\":\"c2\",\"name\":\"Mow\",\"ok\":false,\"ms\":1500"));
  CHECK(world_sent_times(world, "response.create\"") == 1 && world->bad_lines == 0);
}

static void nobody_answers(void) {
  world_t *world = gardening();
  test_name("no answer");
  world_say(world, CREATED("r1"));
  call(world, "c1", "Mow", "{}");
  world_pass(world, 5000);
  call(world, "c2", "Mow", "{}");
  world_say(world, DONE("r1"));
  CHECK(world->wait_ms == 15000);
  world_pass(world, 14999);
  CHECK(!world_said(world, "\"k\":\"result\""));
  world_pass(world, 1);
  CHECK(world_said(world, "\"call\":\"c1\",\"name\":\"Mow\",\"ok\":false,\"ms\":20000," FAILED(
                              "the computer did not answer in time")));
  CHECK(!world_sent(world, "response.create\""));
  world_pass(world, 5000);
  CHECK(world_sent_times(world, "did not answer in time") == 2 && world_sent_times(world, "response.create\"") == 1);
  world_say(world, CREATED("r2"));
  call(world, "c3", "Mow", "{}");
  world_forget(world);
  world_line(world, "stop");
  CHECK(world_said(world, "\"call\":\"c3\",\"name\":\"Mow\",\"ok\":false,\"ms\":0," FAILED("the session ended")));
  world_line(world, "#1 answer c3 {}");
  CHECK(world_said(world, "\"to\":1,\"ok\":false") && !world_sent(world, "c3"));
}

static void answers_what_it_cannot_pass_on(void) {
  world_t *world = gardening();
  char id[16], arguments[4000];
  test_name("calls that are not passed on");
  call(world, "c1", "Nothing", "{}");
  call(world, "c2", "Mow", "[]");
  call(world, "c3", "Mow", "{");
  memset(arguments, 'x', sizeof arguments);
  memcpy(arguments, "{\\\"a\\\":\\\"", 9);
  memcpy(arguments + 1100, "\\\"}", 4);
  call(world, "c4", "Mow", arguments);
  /* Short enough for the board, too long for a record: four bytes stand for two of them there. */
  for (size_t i = 9; i < 9 + 4 * 500; i += 4) {
    memcpy(arguments + i, "\\\\\\\\", 4);
  }
  memcpy(arguments + 9 + 4 * 500, "\\\"}", 4);
  call(world, "c5", "Mow", arguments);
  call(world, "c6", "0123456789012345678901234567890123456789012345678901234567890123456789", "{}");
  CHECK(world_sent_times(world, "there is no such tool") == 2);
  CHECK(world_sent_times(world, "the arguments are no JSON object") == 2);
  CHECK(world_sent_times(world, "the arguments are too long") == 2);
  for (int i = 0; i < 9; i++) {
    (void)snprintf(id, sizeof id, "m%d", i);
    call(world, id, "Mow", "{}");
  }
  CHECK(world_said(world, "\"call\":\"m8\",\"name\":\"Mow\",\"ok\":false"));
  CHECK(!world_said(world, "\"call\":\"m7\",\"name\":\"Mow\",\"ok\""));
  CHECK(world_sent_times(world, "too many calls wait for an answer") == 1 && world->bad_lines == 0);
}

void own_tools_tests(void) {
  refuses_what_the_service_would();
  fits_the_longest();
  the_computer_answers();
  nobody_answers();
  answers_what_it_cannot_pass_on();
}
