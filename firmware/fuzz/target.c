/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer's door to one function of test/hostile.h, chosen by PARLEY_TARGET. */
#include "hostile.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!PARLEY_TARGET((const char *)data, size)) {
    abort(); /* the fuzzer keeps this input */
  }
  return 0;
}
