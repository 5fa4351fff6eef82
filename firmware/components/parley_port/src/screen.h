/* SPDX-License-Identifier: Apache-2.0 */
/* The AtomS3R's screen: the light as its colour, the door as a frame that is filled or open, a bar when muted. */
#ifndef PARLEY_SCREEN_H
#define PARLEY_SCREEN_H

#include "parley_port.h"

/** Without a screen that answers, nothing is shown and nothing fails. */
void parley_screen_start(void);
void parley_screen_show(const parley_device_t *device);

#endif
