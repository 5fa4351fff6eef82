/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "world.h"

#include <string.h>

static world_t *booted(void) {
  world_t *world = world_new();
  world_number(world, "auto_start", 0);
  world_boot(world);
  world_wifi_up(world);
  world_forget(world);
  return world;
}

static void answers_by_number(void) {
  world_t *world = booted();
  test_name("replies");
  world_line(world, "#5 vol 30");
  CHECK(world_said(world, "\"to\":5,\"ok\":true"));
  CHECK(world->device.volume == 30 && world_said(world, "\"volume\":30"));
  world_line(world, "#4294967295 mute 1");
  CHECK(world_said(world, "\"to\":4294967295,\"ok\":true") && world->device.muted);
  world_line(world, "vol 31");
  CHECK(world_said(world, "parley: done"));
  world_line(world, "#x vol 1");
  world_line(world, "#");
  CHECK(world_said_times(world, "a command number follows #") == 2);
  world_line(world, "#9");
  CHECK(world_said(world, "\"to\":9,\"ok\":false,\"text\":\"no command\""));
  world_forget(world);
  world_line(world, "");
  world_line(world, "   ");
  CHECK(world->out_length == 0);
}

static void refuses(void) {
  static const char *const lines[] = {
      "#1 nonsense secret-word",
      "#1 vol",
      "#1 vol 101",
      "#1 vol x",
      "#1 mute 2",
      "#1 i 3601",
      "#1 text \"open",
      "#1 text \"a\"b",
      "#1 a b c d e",
      "#1 vol 1 2",
      "#1 token ek_1234567",
      "#1 text hello",
      "#1 set nokey 1",
      "#1 set volume x",
      "#1 set volume 101",
      "#1 set volume -",
      "#1 set lang much-too-long",
      "#1 set board toaster",
      "#1 wifi \"\"",
      "#1 wifi -s",
      "#1 wifi a b c",
      "#1 vol \xC3",
      "#1 text \"\\",
      "#1 wifi 123456789012345678901234567890123",
      "#1 wifi a 12345678901234567890123456789012345678901234567890123456789012345",
      "#1 set volume 1234567890123456789",
  };
  world_t *world = booted();
  test_name("refusals");
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    world_forget(world);
    world_line(world, lines[i]);
    check(world_said(world, "\"to\":1,\"ok\":false"), lines[i], __FILE__, __LINE__);
    CHECK(!world_said(world, "secret-word"));
  }
  world_type(world, "#1 vol \0001\n", 10);
  CHECK(world_said(world, "not UTF-8"));
}

static void keeps_lines_whole(void) {
  static char line[PARLEY_LINE_MAX + 2];
  world_t *world = booted();
  test_name("line length");
  memset(line, ' ', sizeof line);
  memcpy(line, "#1 vol 7", 8);
  line[PARLEY_LINE_MAX] = '\0';
  world_line(world, line);
  CHECK(world_said(world, "\"to\":1,\"ok\":true") && world->device.volume == 7);
  line[7] = '8';
  line[PARLEY_LINE_MAX] = ' ';
  line[PARLEY_LINE_MAX + 1] = '\0';
  world_line(world, line);
  CHECK(world_said(world, "\"to\":1,\"ok\":false,\"text\":\"the line is longer than 1024 bytes\""));
  CHECK(world->device.volume == 7);
  world_line(world, "#2 vol 9");
  CHECK(world->device.volume == 9);
}

static void splits_anywhere(void) {
  static const char script[] = "#1 vol 11\r\n\r\n#2 set dev_name \"a \\\"b\\\\ \xC3\xB6\"\r#3 mute 1\n#4 mute 0\n\r";
  static char expected[WORLD_OUT];
  world_t *world = booted();
  test_name("splits");
  world_type(world, script, sizeof script - 1);
  memcpy(expected, world->out, world->out_length + 1);
  CHECK(world_said_times(world, "\"ok\":true") == 4);
  for (size_t cut = 0; cut < sizeof script; cut++) {
    world = booted();
    world_type(world, script, cut);
    world_type(world, script + cut, sizeof script - 1 - cut);
    CHECK(strcmp(world->out, expected) == 0);
  }
  world = booted();
  for (size_t i = 0; i < sizeof script - 1; i++) {
    world_type(world, script + i, 1);
  }
  CHECK(strcmp(world->out, expected) == 0);
  for (size_t i = 0; i < world->row_count; i++) {
    CHECK(strcmp(world->rows[i].key, "dev_name") != 0 || strcmp(world->rows[i].text, "a \"b\\ \xC3\xB6") == 0);
  }
}

static void joins_and_scans(void) {
  world_t *world = booted();
  test_name("wifi commands");
  world_line(world, "#1 wifi cafe");
  CHECK(world->joins == 2 && strcmp(world->ssid, "cafe") == 0 && world->password[0] == '\0');
  world_line(world, "#2 wifi -s \"my home\" \"pass word\"");
  CHECK(world->joins == 3 && strcmp(world->ssid, "my home") == 0 && strcmp(world->password, "pass word") == 0);
  CHECK(world_said(world, "\"to\":2,\"ok\":true") && !world_said(world, "pass word"));
  world->store_answer = PARLEY_KV_FAILED;
  world_line(world, "#3 wifi -s x yyyyyyyy");
  CHECK(world_said(world, "\"to\":3,\"ok\":false,\"text\":\"not stored\"") && world->joins == 3);
  world_line(world, "#4 scan");
  CHECK(world->scans == 1);
  parley_event_t found = {.kind = PARLEY_EV_WIFI_NETWORK,
                          .as.network = {{"a\x1e\xFF", 3}, -70, PARLEY_SECURITY_WPA3, 6}};
  world_step(world, &found);
  CHECK(world_said(world, "\"security\":\"wpa3\",\"channel\":6,\"ssid\":\"a\\u001e\xEF\xBF\xBD\""));
  world_line(world, "scan");
  found.as.network.security = 77;
  world_step(world, &found);
  CHECK(world_said(world, "-70 dBm, wpa2: a "));
  world_plain(world, PARLEY_EV_WIFI_SCANNED);
  CHECK(world_said(world, "\"done\":true"));
  world_line(world, "help");
  CHECK(world_said(world, "token EK"));
  CHECK(world->bad_lines == 0);
}

void console_tests(void) {
  answers_by_number();
  refuses();
  keeps_lines_whole();
  splits_anywhere();
  joins_and_scans();
}
