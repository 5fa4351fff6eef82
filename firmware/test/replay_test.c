/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzer starts from and what it has found, replayed: one folder of tests/vectors/fuzz for each target. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "hostile.h"

#include <dirent.h>
#include <stdio.h>

enum { INPUT_MAX = 64 * 1024, PATH_ROOM = 512 };

static const struct {
  const char *folder;
  bool (*run)(const char *bytes, size_t length);
} targets[] = {
    {PARLEY_VECTORS "/fuzz/console", hostile_console},
    {PARLEY_VECTORS "/fuzz/realtime", hostile_realtime},
    {PARLEY_VECTORS "/fuzz/http", hostile_http},
    {PARLEY_VECTORS "/fuzz/cfg", hostile_cfg},
};

static void replay(const char *path, bool (*run)(const char *bytes, size_t length)) {
  static char input[INPUT_MAX];
  FILE *file = fopen(path, "rb");
  check(file != NULL, path, __FILE__, __LINE__);
  if (file != NULL) {
    size_t length = fread(input, 1, sizeof input, file);
    (void)fclose(file);
    check(run(input, length), path, __FILE__, __LINE__);
  }
}

void replay_tests(void) {
  test_name("replay of hostile input");
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    int count = 0;
    DIR *folder = opendir(targets[i].folder);
    check(folder != NULL, targets[i].folder, __FILE__, __LINE__);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
      char path[PATH_ROOM];
      if (entry->d_name[0] != '.') {
        int length = snprintf(path, sizeof path, "%s/%s", targets[i].folder, entry->d_name);
        check(length > 0 && length < PATH_ROOM, entry->d_name, __FILE__, __LINE__);
        replay(path, targets[i].run);
        count++;
      }
    }
    if (folder != NULL) {
      (void)closedir(folder);
    }
    check(count > 0, targets[i].folder, __FILE__, __LINE__);
  }
}
