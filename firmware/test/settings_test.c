/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "world.h"

#include <string.h>

static void tells_what_is_unfit_once(void) {
  world_t *world = world_new();
  test_name("unfit settings");
  world_number(world, "aec", 9);
  world_number(world, "lang", 3);
  world_text(world, "mic_gain", "loud");
  world_text(world, "voice", "");
  world_text(world, "board", "toaster");
  world_text(world, "model", "m\x01");
  world_text(world, "stt_model", "\xFF");
  world_text(world, "dev_name", "this name has more than thirty-two bytes");
  world_fault(world, "greeting", PARLEY_KV_FAILED);
  world_number(world, "schema", 2);
  world_boot(world);
  CHECK(world_said(world, "\"key\":\"aec\",\"fatal\":false,\"message\":\"unfit; expected a number from 0 to 2;"));
  CHECK(world_said(world, "\"key\":\"lang\",\"fatal\":false,\"message\":\"stored with another type;"));
  CHECK(world_said(world, "\"key\":\"mic_gain\""));
  CHECK(world_said(world, "\"key\":\"voice\",\"fatal\":false,\"message\":\"unfit; expected a text of 1 to 64 bytes;"));
  CHECK(world_said(world, "expected one of korvo2 atoms3r emulator;"));
  CHECK(world_said(world, "\"key\":\"model\""));
  CHECK(world_said(world, "\"key\":\"stt_model\""));
  CHECK(world_said(world, "\"key\":\"dev_name\",\"fatal\":false,\"message\":\"too long;"));
  CHECK(world_said(world, "\"key\":\"greeting\",\"fatal\":false,\"message\":\""));
  CHECK(world_said(world, "\"key\":\"schema\""));
  CHECK(world_said(world, "\"key\":\"instr\",\"fatal\":false,\"message\":\"missing;"));
  CHECK(!world_said(world, "\"key\":\"volume\""));
  world_forget(world);
  world_text(world, "voice", "marin");
  world_line(world, "#1 start");
  CHECK(!world_said(world, "\"code\":\"cfg\""));
  world_line(world, "#2 stop");
  world_text(world, "voice", "");
  world_line(world, "#3 start");
  CHECK(world_said_times(world, "\"code\":\"cfg\"") == 1);
}

static void stores(void) {
  world_t *world = world_new();
  test_name("set");
  world_number(world, "auto_start", 0);
  world_boot(world);
  world_line(world, "#1 set volume 77");
  CHECK(world->device.volume == 77 && world_said(world, "\"volume\":77"));
  world_line(world, "#2 set api_key sk-brand-new-key-000");
  CHECK(world_said(world, "\"to\":2,\"ok\":true") && !world_said(world, "brand-new"));
  world_line(world, "#3 set api_key \"sk with space\"");
  CHECK(
      world_said(world, "\"to\":3,\"ok\":false,\"text\":\"api_key is a text of 0 to 256 letters, digits and signs\""));
  world_line(world, "#4 set board atoms3r");
  CHECK(world_said(world, "\"to\":4,\"ok\":true"));
  world_line(world, "#5 set mic_gain -1");
  CHECK(world_said(world, "\"to\":5,\"ok\":false,\"text\":\"mic_gain is a number from 0 to 42\""));
  world->store_answer = PARLEY_KV_FAILED;
  world_line(world, "#6 set aec 1");
  CHECK(world_said(world, "\"to\":6,\"ok\":false,\"text\":\"not stored\""));
}

static void prints_without_secrets(void) {
  world_t *world = world_new();
  test_name("cfg");
  world_text(world, "wifi_psw", "");
  world_text(world, "cfg_id", "id-1\xC3\xB6");
  world_boot(world);
  CHECK(world_said(world, "\"cfg_id\":\"id-1\xC3\xB6\""));
  world_forget(world);
  world_line(world, "#1 cfg");
  CHECK(world_said(world, "api_key = (set)\n"));
  CHECK(world_said(world, "wifi_psw = (none)\n"));
  CHECK(world_said(world, "volume = 50\n"));
  CHECK(world_said(world, "aec = 1 (default)\n"));
  CHECK(world_said(world, "cfg_id = \"id-1\xC3\xB6\"\n"));
  CHECK(!world_said(world, "sk-secret"));
  CHECK(world->bad_lines == 0);
}

void settings_tests(void) {
  tells_what_is_unfit_once();
  stores();
  prints_without_secrets();
}
