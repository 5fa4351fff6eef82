/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "world.h"

#include <stdio.h>

static int checks, failures;
static const char *current = "";

void test_name(const char *name) {
  current = name;
}

void check(bool holds, const char *text, const char *file, int line) {
  checks++;
  if (!holds) {
    failures++;
    printf("%s:%d: %s: %s\n", file, line, current, text);
  }
}

int main(void) {
  static const suite_t suites[] = {text_tests,      json_tests, console_tests, settings_tests, session_tests,
                                   repair_tests,    talk_tests, turn_tests,    load_tests,     storm_tests,
                                   own_tools_tests, away_tests, replay_tests};
  for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
    suites[i]();
  }
  printf("%d checks, %d failed; one core has %zu bytes\n", checks, failures, parley_core_size());
  return failures != 0;
}
