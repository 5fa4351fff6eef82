/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "world.h"

#include <string.h>

size_t parley_host_layout(uint32_t *out, size_t room);

static world_t *booted(void) {
  world_t *world = world_new();
  world_text(world, "wifi_ssid", "");
  world_boot(world);
  world_forget(world);
  return world;
}

static void samples_as_asked(void) {
  world_t *world = booted();
  test_name("load stream");
  world_line(world, "#1 i");
  CHECK(world->samples == 1 && world->wait_ms == UINT32_MAX);
  world_line(world, "#2 i 2");
  CHECK(world->samples == 2 && world->wait_ms == 2000);
  world_pass(world, 4000);
  CHECK(world->samples == 4);
  world->now_ms += 60000; /* a long stall makes no burst */
  world_plain(world, PARLEY_EV_TICK);
  CHECK(world->samples == 5 && world->wait_ms == 2000);
  world_line(world, "#3 i 0");
  world_pass(world, 10000);
  CHECK(world->samples == 5 && world->wait_ms == UINT32_MAX);
}

static void tells_the_busiest_first(void) {
  static parley_task_load_t tasks[40];
  parley_load_t load = {.core_count = 2,
                        .cpu_permille = {120, 1001},
                        .heap = {1, 2, 3},
                        .psram = {4, 5, 4294967295},
                        .rssi_dbm = -60,
                        .task_count = 3,
                        .tasks = tasks};
  parley_event_t event = {.kind = PARLEY_EV_LOAD, .as.load = &load};
  world_t *world = booted();
  test_name("load");
  for (uint8_t i = 0; i < 40; i++) {
    memcpy(tasks[i].name, "\xFF\"0123456789abcd", 16);
    tasks[i] = (parley_task_load_t){
        .name = "task", .core = (int8_t)(i % 3 - 1), .priority = i, .cpu_permille = i, .stack_left = 4000000000U + i};
  }
  world_line(world, "#1 i");
  world_step(world, &event);
  CHECK(world_said(world, "\"cpu\":[120,1000],\"heap\":{\"free\":1,\"min\":2,\"largest\":3}"));
  CHECK(world_said(world, "\"psram\":{\"free\":4,\"min\":5,\"largest\":4294967295},\"rssi\":-60"));
  CHECK(world_said(world, "\"tasks\":[[\"task\",1,2,4000000002,2],[\"task\",0,1,4000000001,1],[\"task\",-1,0"));
  CHECK(world_said(world, "\"more\":0") && !world_said(world, "Core"));
  world_line(world, "i");
  world_forget(world);
  world_step(world, &event);
  CHECK(world_said(world, "Task                | Core  | Per") &&
        world_said(world, "task                | 1     | 0%"));
  for (size_t i = 0; i < 40; i++) {
    memcpy(tasks[i].name, "\xFF\xFF\xFF\xFF\xFF\"\"\"\"\"\"\x01\x01\x01\x01\x01", 16);
  }
  load.task_count = 40;
  load.core_count = 9;
  world_forget(world);
  world_step(world, &event);
  CHECK(!world_said(world, "\"more\":0") && world_said(world, "\"more\":") && world->bad_lines == 0);
}

static void tells_media_and_levels(void) {
  static const parley_media_t media = {32000, 33000, 1200, 7, 45, 2};
  static const parley_level_t level = {-9600, -5, 32};
  world_t *world = booted();
  test_name("media and levels");
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_MEDIA, .as.media = &media});
  CHECK(world_said(world,
                   "\"up_bps\":32000,\"down_bps\":33000,\"loss\":1000,\"jitter_ms\":7,\"rtt_ms\":45,\"underruns\":2"));
  world_step(world, &(parley_event_t){.kind = PARLEY_EV_LEVEL, .as.level = &level});
  CHECK(world_said(world, "\"mic\":-96.0,\"speaker\":0.0,\"echo\":0.3"));
}

static void tells_its_layout(void) {
  uint32_t numbers[128];
  test_name("layout");
  size_t count = parley_host_layout(numbers, 128);
  CHECK(count > 80 && count < 128 && numbers[0] == sizeof(parley_text_t) && numbers[count - 1] == PARLEY_EV_COUNT);
  CHECK(parley_host_layout(numbers, 0) == count);
}

static void keeps_time_beyond_49_days(void) {
  world_t *world = booted();
  test_name("long time");
  world->now_ms = 1ULL << 40;
  world_line(world, "#1 i 3600");
  CHECK(world_said(world, "\"t\":1099511627776") && world->wait_ms == 3600000);
  world->now_ms = 5; /* a clock that goes back is held */
  world_line(world, "#2 mute 0");
  CHECK(world_said_times(world, "\"t\":1099511627776") == 3);
}

void load_tests(void) {
  samples_as_asked();
  tells_the_busiest_first();
  tells_media_and_levels();
  tells_its_layout();
  keeps_time_beyond_49_days();
}
