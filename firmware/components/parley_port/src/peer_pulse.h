/* SPDX-License-Identifier: Apache-2.0 */
/* Between peer.c and peer_pulse.c only. */
#ifndef PARLEY_PEER_PULSE_H
#define PARLEY_PEER_PULSE_H

#include "parley_port.h"

/** From now on the datagrams that `task` receives count. */
void parley_pulse_watch(TaskHandle_t task);
/** Did any come since this was asked last? By that task only. */
bool parley_pulse_taken(void);

#endif
