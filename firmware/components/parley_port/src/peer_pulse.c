/* SPDX-License-Identifier: Apache-2.0 */
/* esp_peer tells of sound and of events, not of the binding answers and reports that a peer sends while both are silent
 * (and its own check takes 24 s). All of them reach it through one function of lwIP, called on the task `peer`; the
 * linker puts ours in its place (--wrap, see CMakeLists.txt), and it notes that something came. Should a later esp_peer
 * receive in another way, nothing is noted, parley_pulse_is_gone() stays false and the library's own check remains. */
#include "peer_pulse.h"

#include <sys/types.h>

/* As in lwip/sockets.h, whose names do not get along with those of a PC that checks this file. */
struct sockaddr;
ssize_t __real_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size);
ssize_t __wrap_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size);

static TaskHandle_t watched;
static bool has_come; /* written and read on the watched task only */

ssize_t __wrap_lwip_recvfrom(int socket, void *to, size_t room, int flags, struct sockaddr *from, uint32_t *from_size) {
  ssize_t count = __real_lwip_recvfrom(socket, to, room, flags, from, from_size);
  if (count > 0 && watched != NULL && xTaskGetCurrentTaskHandle() == watched) {
    has_come = true;
  }
  return count;
}

void parley_pulse_watch(TaskHandle_t task) {
  watched = task;
}

bool parley_pulse_taken(void) {
  bool came = has_come;
  has_come = false;
  return came;
}
